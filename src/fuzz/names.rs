//! The names of connections and of their channels, against a list of who is where.

use super::input::Input;
use super::play::{Scene, play};
use crate::proto::broker::RoutingId;
use crate::proto::names::{ChannelSpeaker, Names, Place, Speaker};
use crate::wire::channel::Channel;
use std::collections::HashMap;

const CONNECTIONS: [&str; 3] = ["c0", "c1", "n0"];

const NAMES: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "n5"];

/// The highest channel, and the number of places on a connection.
const CHANNELS: usize = 6;

#[derive(Default)]
struct Live {
    names: Names,
    known: HashMap<RoutingId, Place>,
}

pub(super) fn run(data: &[u8]) {
    play(Live::default(), Input::new(data));
}

fn id(text: &str) -> RoutingId {
    text.as_bytes().into()
}

fn place(connection: &str, channel: usize) -> Place {
    Place {
        connection: id(connection),
        channel: Channel::new(channel as u16),
    }
}

impl Scene for Live {
    fn step(&mut self, input: &mut Input) {
        let what = input.below(8);
        let name = id(NAMES[input.below(NAMES.len())]);
        let connection = *input.pick(&CONNECTIONS);
        let place = place(connection, input.below(CHANNELS + 1));
        match what {
            0 => self.cut(connection),
            1 => self.lose(&name),
            2 => self.rename(&name, &id(NAMES[input.below(NAMES.len())])),
            3 => self.sweep(input.byte()),
            4 if !self.names.knows(&place) => self.names.refuse(&place),
            _ if !self.names.knows(&place) => self.give(name, place),
            _ => {}
        }
    }

    fn settle(&mut self) {
        for (name, place) in &self.known {
            let (connection, channel) = self.names.place(name);
            assert_eq!((connection, channel), (&place.connection, place.channel));
            assert!(self.names.is_name(name));
            let is_sole = self.at(connection).count() == 1;
            assert_eq!(self.names.sole(name).is_some(), is_sole);
        }
        for name in NAMES.map(id) {
            assert_eq!(self.names.is_name(&name), self.known.contains_key(&name));
        }
        for connection in CONNECTIONS {
            self.check(connection);
        }
    }

    fn end(mut self) {
        CONNECTIONS.iter().for_each(|each| self.cut(each));
        self.settle();
        assert!(self.known.is_empty());
    }
}

impl Live {
    fn at(&self, connection: &[u8]) -> impl Iterator<Item = (&RoutingId, &Place)> {
        let is_there = move |at: &(&RoutingId, &Place)| *at.1.connection == *connection;
        self.known.iter().filter(is_there)
    }

    /// Each message has the sender who is there, or none.
    fn check(&self, connection: &str) {
        let of_connection = id(connection);
        let mut own = false;
        for number in 0..=CHANNELS {
            let place = place(connection, number);
            let there = self.known.iter().find(|(_, at)| **at == place);
            let there = there.map(|(name, _)| name);
            match place.channel {
                None => {
                    let speaker = self.names.speaker(connection.as_bytes());
                    own = speaker == Speaker::Peer(connection.as_bytes());
                    match there {
                        Some(name) => assert_eq!(speaker, Speaker::Peer(name)),
                        None => assert!(own || speaker == Speaker::Nobody),
                    }
                    assert!(
                        !own || there == Some(&of_connection)
                            || !self.names.is_name(&of_connection)
                    );
                }
                Some(channel) => {
                    match (
                        self.names.channel_speaker(connection.as_bytes(), channel),
                        there,
                    ) {
                        (ChannelSpeaker::Peer(name), Some(there)) => assert_eq!(name, there),
                        (ChannelSpeaker::Peer(_), None) | (_, Some(_)) => panic!("{place:?}"),
                        (ChannelSpeaker::New | ChannelSpeaker::Nobody, None) => {}
                    }
                }
            }
        }
        let mut peers = self.names.peers(&of_connection);
        let mut expected: Vec<_> = self
            .at(connection.as_bytes())
            .map(|(name, _)| name.clone())
            .collect();
        if own && !expected.contains(&of_connection) {
            expected.push(of_connection);
        }
        let payer = self.names.payer(connection.as_bytes());
        assert_eq!(peers.first().map_or(&[][..], |peer| peer), payer);
        let has_channel = self
            .at(connection.as_bytes())
            .any(|(_, at)| at.channel.is_some());
        assert_eq!(self.names.is_shared(connection.as_bytes()), has_channel);
        peers.sort();
        expected.sort();
        assert_eq!(peers, expected);
    }

    fn give(&mut self, name: RoutingId, place: Place) {
        let before = self.known.insert(name.clone(), place.clone());
        let left = self.names.give(name, place);
        let is_left = |before: &Place| self.at(&before.connection).next().is_none();
        let expected = before.filter(is_left).map(|before| before.connection);
        assert_eq!(left, expected);
    }

    fn lose(&mut self, name: &RoutingId) {
        let Some(at) = self.known.get(name).cloned() else {
            return;
        };
        match self.names.lose(name) {
            Some(connection) => assert_eq!(connection, at.connection),
            None => drop(self.known.remove(name)),
        }
    }

    fn rename(&mut self, name: &RoutingId, other: &RoutingId) {
        if self.known.contains_key(other) {
            return;
        }
        let place = self.known.remove(name);
        let connection = self.names.rename(name, other.clone());
        assert_eq!(connection, place.as_ref().map(|at| at.connection.clone()));
        if let Some(place) = place {
            self.known.insert(other.clone(), place);
        }
    }

    fn sweep(&mut self, stay: u8) {
        let stays = |name: &[u8]| stay >> (name.last().copied().unwrap_or(0) % 8) & 1 == 1;
        self.names.sweep(stays);
        self.known.retain(|name, _| stays(name));
    }

    fn cut(&mut self, connection: &str) {
        self.names.end(connection.as_bytes());
        self.names.end_channels(connection.as_bytes());
        self.known
            .retain(|_, at| *at.connection != *connection.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use crate::fuzz::corpus::seed;

    #[test]
    fn scenarios() {
        for steps in [
            // A connection with two channels, one of which is refused, and its end.
            &[7u8, 0, 0, 0, 7, 1, 0, 1, 4, 2, 0, 2, 7, 3, 0, 3, 0, 0, 0, 0] as &[u8],
            // A name that passes from the connection to a channel, to another connection, and to another name.
            &[
                7, 1, 0, 0, 7, 2, 0, 1, 7, 1, 0, 2, 7, 1, 1, 0, 2, 1, 0, 0, 4, 1, 2, 1, 1,
            ],
            // Peers that are lost one after the other.
            &[
                7, 1, 0, 0, 7, 2, 0, 1, 7, 3, 0, 2, 1, 1, 0, 0, 1, 2, 0, 0, 1, 3, 0, 0,
            ],
            // A routing id that is the name of another peer; names that are swept.
            &[7, 0, 0, 0, 7, 1, 2, 1, 3, 0, 0, 0, 0x55, 3, 0, 0, 0, 0],
        ] {
            seed("names", steps);
            super::run(steps);
        }
    }
}
