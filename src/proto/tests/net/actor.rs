//! Actors: anything with a socket and deadlines that the network drives.

use super::{Job, Seen};
use crate::proto::Time;
use crate::wire::Body;
use std::any::Any;
use std::rc::Rc;

pub type Frames = Vec<Vec<u8>>;

/// An effect that an actor asks the network for.
#[derive(Debug)]
pub enum Effect {
    /// Sends to the broker at the other end of the only socket.
    Send(Frames),
    /// Sends to one peer of a broker.
    SendTo(Vec<u8>, Frames),
    Open,
    Close,
}

/// The handler of a worker: the job for a body.
pub type Handler = Rc<dyn Fn(&Body<Vec<u8>>) -> Job>;

pub trait Actor: Any {
    /// Starts a new process with this name.
    fn start(&mut self, now: Time);
    /// Ends the process and drops its state.
    fn crash(&mut self);
    /// The socket is connected.
    fn up(&mut self, _now: Time) {}
    /// The other side has ended the handshake.
    fn refused(&mut self, _now: Time) {}
    /// The socket has lost its connection.
    fn down(&mut self, _now: Time) {}
    /// For brokers: the connection of this peer broke.
    fn gone(&mut self, _now: Time, _peer: &[u8]) {}
    /// For brokers: the connection of this peer was reset.
    fn broken(&mut self, now: Time, peer: &[u8]) {
        self.gone(now, peer);
    }
    /// Handles a message. `from` is the identity of a broker's peer, and empty for other actors.
    fn message(&mut self, now: Time, from: &[u8], frames: Frames);
    fn deadline(&self) -> Option<Time>;
    fn timeout(&mut self, now: Time);
    fn drain(&mut self, now: Time, effects: &mut Vec<Effect>);
    /// Panics if invariants are violated.
    fn audit(&self) {}

    fn asks(&mut self) -> &mut dyn Asks {
        unreachable!("this actor is no client")
    }
    fn serves(&mut self) -> &mut dyn Serves {
        unreachable!("this actor is no worker")
    }
}

/// A client of any age.
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

/// A worker of any age.
pub trait Serves {
    fn set_handler(&mut self, handler: Handler);
    /// The bodies of all started requests since the beginning of the test.
    fn started(&self) -> &[Body<Vec<u8>>];
}

/// A socket controlled by the test.
pub trait Hears: Actor {
    /// Removes and returns the messages since the last call.
    fn take(&mut self) -> Vec<String>;
}

/// Counts wake-ups, to detect a machine that asks for the same deadline again and again.
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
