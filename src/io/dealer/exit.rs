//! The end of a driver whose process ends.

use super::{Driver, DynamicBrokers};
use crate::io::Message;
use crate::proto::Time;
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The end of the process, as a driver knows it.
#[derive(Debug)]
pub struct Exit {
    /// How long to wait for what the machine keeps for its brokers; `None` once the machine knows of the end.
    until: Option<Time>,
    /// Dropped when the connections are closed.
    _open: Sender<Infallible>,
}

impl Exit {
    pub(super) fn new(until: Time) -> (Self, Receiver<Infallible>) {
        let (open, closed) = channel();
        let exit = Exit {
            until: Some(until),
            _open: open,
        };
        (exit, closed)
    }

    /// When the machine has to be told at the latest.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.until
    }
}

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    /// Tells the machine that the process ends, once it keeps nothing for its brokers or the time is over.
    pub(super) fn check_exit(&mut self, now: Time) {
        if let Some(exit) = &mut self.exit
            && let Some(until) = exit.until
            && (until <= now || self.machine.unflushed() == 0)
        {
            exit.until = None;
            self.ended |= self.machine.handle_exit(now).is_break();
        }
    }
}
