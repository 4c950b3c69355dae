//! What the network carries and drives: anything that has a socket and waits for times.

use super::{Job, Seen};
use crate::proto::Time;
use crate::wire::Body;
use std::any::Any;
use std::rc::Rc;

pub type Frames = Vec<Vec<u8>>;

/// What an actor wants of the network.
#[derive(Debug)]
pub enum Effect {
    /// To the broker at the other end of the one socket.
    Send(Frames),
    /// To one of a broker's peers.
    SendTo(Vec<u8>, Frames),
    Open,
    Close,
}

/// How a worker answers: what it does with a body.
pub type Handler = Rc<dyn Fn(&Body<Vec<u8>>) -> Job>;

pub trait Actor: Any {
    /// A new process of this name begins.
    fn start(&mut self, now: Time);
    /// The process is gone, and all that it knew.
    fn crash(&mut self);
    /// The socket has a connection.
    fn up(&mut self, _now: Time) {}
    /// The socket lost its connection.
    fn down(&mut self, _now: Time) {}
    /// Brokers: the connection of this peer broke.
    fn gone(&mut self, _now: Time, _peer: &[u8]) {}
    /// `from` is the identity of a broker's peer, and empty for everybody else.
    fn message(&mut self, now: Time, from: &[u8], frames: Frames);
    fn deadline(&self) -> Option<Time>;
    fn timeout(&mut self, now: Time);
    fn drain(&mut self, now: Time, effects: &mut Vec<Effect>);
    /// Panics if what it holds does not fit together.
    fn audit(&self) {}

    fn asks(&mut self) -> &mut dyn Asks {
        unreachable!("this actor is no client")
    }
    fn serves(&mut self) -> &mut dyn Serves {
        unreachable!("this actor is no worker")
    }
}

/// A client, of whatever age.
pub trait Asks {
    /// Submits a request, and returns its number.
    fn request(
        &mut self,
        now: Time,
        service: &str,
        body: Body<Vec<u8>>,
        timeout_ms: Option<u64>,
    ) -> u64;
    /// All requests since the beginning of the test, by number.
    fn seen(&self) -> &[Seen];
}

/// A worker, of whatever age.
pub trait Serves {
    fn set_handler(&mut self, handler: Handler);
    /// All requests that it began to work on since the beginning of the test.
    fn started(&self) -> &[Body<Vec<u8>>];
}

/// A socket in the hands of the test.
pub trait Hears: Actor {
    /// What it heard since it was asked last.
    fn take(&mut self) -> Vec<String>;
}

/// Counts wake-ups; a machine that asks for its own deadline again and again is caught here.
#[derive(Debug, Default)]
pub struct Wakes {
    second: u64,
    count: u32,
}

impl Wakes {
    /// More than any machine in these tests needs in one second.
    const LIMIT: u32 = 500;

    pub fn count(&mut self, now: Time, next: Option<Time>) {
        assert!(
            next.is_none_or(|next| next > now),
            "the next deadline has passed: a busy loop"
        );
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            *self = Wakes { second, count: 0 };
        }
        self.count += 1;
        assert!(
            self.count < Self::LIMIT,
            "woken {} times in one second",
            self.count
        );
    }
}
