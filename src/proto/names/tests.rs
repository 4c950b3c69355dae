//! Names of connections, and of their channels.

use super::*;
use channels::MOST;

fn id(text: &str) -> RoutingId {
    text.as_bytes().into()
}

fn on(connection: &str) -> Place {
    Place {
        connection: id(connection),
        channel: None,
    }
}

fn peer(text: &str) -> Speaker<'_> {
    Speaker::Peer(text.as_bytes())
}

#[test]
fn a_peer_without_a_name_is_known_by_its_routing_id() {
    let mut names = Names::default();
    assert_eq!(names.speaker(b"c1"), peer("c1"));
    assert_eq!(names.give(id("n"), on("c2")), None);
    assert_eq!(names.speaker(b"c1"), peer("c1"));
    assert_eq!(*names.connection(&id("c1")), id("c1"));
}

#[test]
fn messages_go_to_the_connection_that_has_the_name_last() {
    let mut names = Names::default();
    names.give(id("n"), on("c1"));
    assert_eq!(names.speaker(b"c1"), peer("n"));
    assert_eq!(names.give(id("n"), on("c2")), Some(id("c1")));
    assert_eq!(names.speaker(b"c1"), Speaker::Nobody);
    assert_eq!(names.speaker(b"c2"), peer("n"));
    assert_eq!(*names.connection(&id("n")), id("c2"));
    // The end of the earlier connection is not that of the peer.
    assert_eq!(names.end(b"c1"), None);
    assert_eq!(names.end(b"c2"), Some(id("n")));
    assert!(names.by_connection.is_empty() && names.by_name.is_empty());
}

#[test]
fn a_routing_id_that_is_the_name_of_another_peer_is_nobody() {
    let mut names = Names::default();
    names.give(id("n"), on("c1"));
    assert_eq!(names.speaker(b"n"), Speaker::Nobody);
    names.end(b"c1");
    assert_eq!(names.speaker(b"n"), peer("n"));
}

#[test]
fn a_peer_goes_on_under_another_name() {
    let mut names = Names::default();
    names.give(id("n"), on("c1"));
    assert_eq!(names.rename(b"n", id("n~1")), Some(id("c1")));
    assert_eq!(names.speaker(b"c1"), peer("n~1"));
    assert_eq!(names.give(id("n"), on("c2")), None);
    assert_eq!(names.end(b"c1"), Some(id("n~1")));
    assert_eq!(names.speaker(b"c2"), peer("n"));
}

#[test]
fn connections_whose_end_is_not_reported_cost_a_bounded_amount() {
    let mut names = Names::default();
    for n in 0..2 * MAX_NAMELESS {
        names.refuse(&on(&format!("c{n}")));
    }
    assert_eq!(names.by_connection.len(), MAX_NAMELESS);
    for n in 0..SWEEP {
        names.give(id(&format!("n{n}")), on(&format!("d{n}")));
    }
    assert!(names.are_many());
    names.sweep(|name| *name == *b"n7");
    assert_eq!(names.speaker(b"d7"), peer("n7"));
    assert_eq!(names.speaker(b"d8"), peer("d8"));
    assert_eq!(names.by_name.len(), 1);
    assert!(!names.are_many());
}

fn channel(number: u16) -> Channel {
    Channel::new(number).expect("not zero")
}

fn at(connection: &str, number: u16) -> Place {
    Place {
        channel: Some(channel(number)),
        ..on(connection)
    }
}

#[test]
fn a_channel_begins_with_a_name_and_ends_with_its_connection() {
    let mut names = Names::default();
    names.give(id("n"), on("c1"));
    assert_eq!(
        names.channel_speaker(b"c1", channel(2)),
        ChannelSpeaker::New
    );
    assert!(!names.knows(&at("c1", 2)));
    names.give(id("m"), at("c1", 2));
    let m = id("m");
    assert_eq!(
        names.channel_speaker(b"c1", channel(2)),
        ChannelSpeaker::Peer(&m)
    );
    assert_eq!(names.place(&m), (&id("c1"), Some(channel(2))));
    assert_eq!(names.place(&id("n")), (&id("c1"), None));
    assert_eq!(names.speaker(b"c1"), peer("n"));
    // A number is used once, and numbers ascend.
    assert_eq!(
        names.channel_speaker(b"c1", channel(1)),
        ChannelSpeaker::Nobody
    );
    names.refuse(&at("c1", 3));
    assert_eq!(
        names.channel_speaker(b"c1", channel(3)),
        ChannelSpeaker::Nobody
    );
    assert_eq!(
        names.channel_speaker(b"c1", channel(4)),
        ChannelSpeaker::New
    );
    assert_eq!(names.peers(&id("c1")), [id("n"), id("m")]);
    assert!(names.is_shared(b"c1") && !names.is_shared(b"c2"));
    assert_eq!(names.end_channels(b"c1"), [id("m")]);
    assert_eq!(names.end(b"c1"), Some(id("n")));
    assert!(names.by_connection.is_empty() && names.by_name.is_empty());
    assert!(names.channels.is_empty());
}

#[test]
fn a_routing_id_that_is_the_name_of_a_peer_in_a_channel_is_nobody() {
    let mut names = Names::default();
    names.give(id("n"), at("c1", 1));
    assert_eq!(names.speaker(b"n"), Speaker::Nobody);
    assert_eq!(names.speaker(b"c1"), peer("c1"));
}

#[test]
fn a_peer_moves_between_channels_and_connections() {
    let mut names = Names::default();
    names.give(id("n"), on("c1"));
    names.give(id("m"), at("c1", 1));
    assert_eq!(names.sole(b"n"), None);
    assert_eq!(names.give(id("n"), at("c1", 2)), None);
    assert_eq!(names.speaker(b"c1"), Speaker::Nobody);
    assert_eq!(names.payer(b"c1"), b"m");
    assert_eq!(names.peers(&id("c1")), [id("m"), id("n")]);
    assert_eq!(names.give(id("m"), on("c2")), None);
    assert_eq!(
        names.channel_speaker(b"c1", channel(1)),
        ChannelSpeaker::Nobody
    );
    assert_eq!(names.sole(b"n"), Some(&b"c1"[..]));
    // The last peer that leaves a connection leaves it alone.
    assert_eq!(names.give(id("n"), at("c2", 1)), Some(id("c1")));
    assert!(names.payer(b"c1").is_empty());
    assert_eq!(names.rename(b"n", id("n~1")), Some(id("c2")));
    let other = id("n~1");
    assert_eq!(
        names.channel_speaker(b"c2", channel(1)),
        ChannelSpeaker::Peer(&other)
    );
}

#[test]
fn a_peer_that_is_lost_leaves_the_others_their_connection() {
    let mut names = Names::default();
    names.give(id("n"), on("c1"));
    names.give(id("m"), at("c1", 1));
    names.give(id("o"), at("c1", 2));
    assert_eq!(names.lose(b"n"), None);
    assert_eq!(names.lose(b"m"), None);
    assert_eq!(names.speaker(b"c1"), Speaker::Nobody);
    assert_eq!(names.lose(b"o"), Some(id("c1")));
    assert_eq!(
        names.lose(b"of no connection"),
        Some(id("of no connection"))
    );
}

#[test]
fn a_connection_has_a_bounded_number_of_channels() {
    let mut names = Names::default();
    for n in 1..=MOST {
        names.give(id(&format!("n{n}")), at("c1", n as u16));
    }
    let next = MOST as u16 + 1;
    assert!(names.knows(&at("c1", next)) && !names.knows(&at("c2", next)));
    // Its messages are faults.
    let speaker = names.channel_speaker(b"c1", channel(next));
    assert_eq!(speaker, ChannelSpeaker::New);
    names.sweep(|name| *name != *b"n7");
    assert_eq!(
        names.channel_speaker(b"c1", channel(7)),
        ChannelSpeaker::Nobody
    );
    assert!(!names.knows(&at("c1", next)));
    names.sweep(|_| false);
    assert!(names.channels.is_empty() && names.by_name.is_empty());
}
