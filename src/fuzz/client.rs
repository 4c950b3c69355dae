//! The client machine between a user that makes and cancels requests, and a broker that sends
//! anything. Each request must end once.

use super::input::Input;
use super::models::{CLIENT, Known, message};
use super::play::{Scene, dialect, link, noise, play, understood_by_broker};
use crate::proto::client::{ClientConfig, ClientNotice};
use crate::proto::link::{Action, Loss};
use crate::proto::machine::Machine;
use crate::proto::{Client, Terms, Time};
use crate::wire::omdp::ClientMessage;
use crate::wire::packed::pack;
use crate::wire::{Body, Dialect};
use std::collections::BTreeMap;
use std::time::Duration;

const SESSION: &str = "c.";

struct Live {
    client: Client<Vec<u8>>,
    dialect: Dialect,
    now: Time,
    /// Open requests, and their idle timeouts.
    open: BTreeMap<u64, Option<Duration>>,
    last: u64,
    known: Known,
    started: bool,
    socket: bool,
    connected: bool,
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let dialect = dialect(&mut input);
    let scene = Live {
        client: Client::new(ClientConfig {
            link: link(false),
            dialect,
            session: SESSION.into(),
            await_hello: input.below(4) == 0 && dialect == Dialect::Omdp,
        }),
        dialect,
        now: Time::ZERO,
        open: BTreeMap::new(),
        last: 0,
        known: Known::default(),
        started: false,
        socket: false,
        connected: false,
    };
    play(scene, input);
}

impl Scene for Live {
    fn step(&mut self, input: &mut Input) {
        match input.below(16) {
            0..=4 => {
                let mut frames = message(&CLIENT, input, &self.known);
                self.hear(&mut frames);
            }
            5 => {
                let mut frames = noise(input);
                self.hear(&mut frames);
            }
            6..=8 => self.request(input),
            9 => {
                let id = self.some_id(input);
                self.open.remove(&id);
                self.client.cancel(id);
            }
            10 => {
                let id = self.some_id(input);
                self.client.heartbeat((!id.is_multiple_of(3)).then_some(id));
            }
            11 => {
                // Only a socket reports a connection.
                if self.socket {
                    self.client.handle_up(0, self.now);
                }
            }
            12 => match input.below(4) {
                0 => self.client.handle_refused(0, self.now),
                _ => self.client.handle_down(0, self.now),
            },
            13 => self.advance(Duration::from_millis(u64::from(input.byte()) * 10)),
            14 => {
                if let Some(at) = self.client.next_deadline() {
                    self.advance(at - self.now);
                }
            }
            _ if self.started && input.below(4) > 0 => {
                let id = self.some_id(input);
                self.client.credit(self.now, id, input.u16().into());
            }
            _ if self.started => {
                self.started = false;
                self.open.clear();
                self.client.stop();
            }
            _ => {
                self.started = true;
                self.client.start();
            }
        }
    }

    fn settle(&mut self) {
        self.send();
        match self.client.poll_action(0) {
            Some(Action::Open) => {
                assert!(!self.socket && self.started);
                self.socket = true;
            }
            Some(Action::Close | Action::Abandon) => self.socket = false,
            None => {}
        }
        self.report();
        assert_eq!(self.client.outstanding(), self.open.len());
        assert!(!self.connected || self.socket, "connected by what?");
        self.client.audit();
    }

    /// Without a broker, a request with a timeout ends by it, and a sent request ends with the
    /// connection.
    fn end(mut self) {
        self.client.handle_down(0, self.now);
        self.settle();
        self.advance(Duration::from_secs(60));
        assert!(self.open.values().all(Option::is_none), "{:?}", self.open);
        self.started = false;
        self.open.clear();
        self.client.stop();
        self.settle();
        assert_eq!(self.client.next_deadline(), None);
        assert!(!self.socket && !self.connected);
    }
}

impl Live {
    fn send(&mut self) {
        let form = self.client.form();
        let mut sent = Vec::new();
        self.client.take_messages(|message| {
            let says = !matches!(
                (&message, form.dialect),
                (ClientMessage::Request { .. }, _) | (_, Dialect::Omdp)
            );
            let mut frames = Vec::new();
            form.encode_of_client(message, &mut frames);
            if form.packed {
                pack(&mut frames, 0);
            }
            // MDP lacks most messages.
            if !says || !frames.is_empty() {
                sent.push(frames);
            }
        });
        understood_by_broker(self.dialect, sent);
    }

    fn report(&mut self) {
        let notices: Vec<_> = self.client.take_notices().collect();
        for notice in notices {
            match notice {
                ClientNotice::Reply { id, kind, .. } => {
                    assert!(self.open.contains_key(&id), "{id} had ended");
                    if kind.is_last() {
                        self.open.remove(&id);
                    }
                }
                ClientNotice::Failed { id, code } => {
                    let request = self.open.remove(&id);
                    assert!(request.is_some(), "{id} had ended before its {code}");
                }
                ClientNotice::Credit { id, .. }
                | ClientNotice::Enough { id }
                | ClientNotice::Attempt { id, .. }
                | ClientNotice::Place { id, .. } => {
                    assert!(self.open.contains_key(&id), "{id} had ended");
                }
                ClientNotice::Connected => {
                    assert!(!std::mem::replace(&mut self.connected, true));
                }
                // Told also by a client that has never had the name.
                ClientNotice::Disconnected(Loss::NameTaken) => self.connected = false,
                ClientNotice::Disconnected(_) => {
                    assert!(std::mem::replace(&mut self.connected, false));
                }
                ClientNotice::Fault(_) => {}
            }
        }
    }

    fn hear(&mut self, frames: &mut Vec<Vec<u8>>) {
        self.client.handle_message(0, self.now, frames);
        assert!(frames.is_empty(), "the frames are reused");
    }

    fn request(&mut self, input: &mut Input) {
        self.last += 1;
        let timeout = match input.below(6) {
            0 => None,
            n => Some(Duration::from_millis(n as u64 * 300)),
        };
        let how = input.byte();
        let terms = Terms {
            timeout,
            retry: how % 3,
            fail_fast: how % 5 == 4,
            routed: false,
            stream: how % 4 == 1,
            deadline: (how % 7 == 3).then_some(Duration::from_millis(500)),
        };
        let body = match input.below(3) {
            0 => Body::binary(vec![0xff, 1]),
            1 => Body::null(),
            _ => Body::json(b"[\"a\",\"b\"]".to_vec()),
        };
        self.open.insert(self.last, timeout);
        let service = b"echo".to_vec();
        let opts = b"{}".to_vec();
        self.client
            .request(self.now, self.last, service, body, opts, terms);
        let rid = format!("{SESSION}{}", self.last);
        self.known.remember(b"c0", rid.as_bytes(), self.last);
        if how % 4 == 1 {
            self.client
                .chunk(self.now, self.last, Body::json(b"1".to_vec()), 65);
            if how % 8 == 1 {
                self.client.end_input(self.now, self.last);
            }
        }
    }

    fn some_id(&self, input: &mut Input) -> u64 {
        self.last.saturating_sub(input.below(6) as u64)
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        // The second time opens the connection that replaces the one given up the first time.
        for _ in 0..2 {
            self.client.handle_timeout(self.now);
            self.settle();
        }
        let next = self.client.next_deadline();
        assert!(next.is_none_or(|at| at > self.now), "no timer stays behind");
    }
}
