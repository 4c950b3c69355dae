//! The application's end of a driver. Commands go to the driver's thread, unless they are few and
//! the driver waits: then the thread of the application takes the turn itself, which saves a
//! wake-up.

use super::{Command, Driver, DynamicBrokers, Exit};
use crate::io::connection::Connection;
use crate::io::loan::Loan;
use crate::io::{Borrowed, CommandSink, Message, clock};
use crate::proto::Time;
use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use tokio::sync::mpsc::UnboundedSender;

/// The maximum number of commands in a turn on the application's thread. Larger batches are carried out by the driver's
/// thread, in parallel to the application.
const MAX_DIRECT_COMMANDS: usize = 4;

/// The maximum number of bytes that the application's thread copies to the system, which takes it some tenths of a
/// millisecond: a message of 1 MiB. The driver's thread copies more of them while the application goes on.
const MAX_DIRECT_BYTES: usize = 1024 * 1024 + 64 * 1024;

/// Takes commands for a driver. Dropping it stops the driver immediately.
pub struct DriverHandle<M: DynamicBrokers<Frame = Message>> {
    commands: UnboundedSender<Command<M::Command, M::Config>>,
    /// Where the driver is while it waits.
    loan: Arc<Loan<Driver<M>>>,
    /// The number of commands that were sent to the driver's thread.
    sent: Cell<u64>,
}

impl<M: DynamicBrokers<Frame = Message>> DriverHandle<M> {
    pub(super) fn new(
        commands: UnboundedSender<Command<M::Command, M::Config>>,
        loan: Arc<Loan<Driver<M>>>,
    ) -> Self {
        DriverHandle {
            commands,
            loan,
            sent: Cell::new(0),
        }
    }

    /// Whether bytes that are borrowed for a [`submit`](Self::submit) of so many commands are likely to be written
    /// before they are copied.
    pub fn may_borrow(&self, count: usize, bytes: usize) -> bool {
        let is_direct = |driver: &mut Driver<M>| {
            driver.takes_directly(self.sent.get())
                && driver.connections.iter().all(Connection::writes)
        };
        count <= MAX_DIRECT_COMMANDS
            && bytes <= MAX_DIRECT_BYTES
            && self.loan.use_if_lent(is_direct) == Some(true)
    }

    /// Carries out a command that consists of `count` commands: on this thread if that is likely to
    /// be faster, otherwise on the driver's. Its frames may be of the borrowed bytes. Returns false if
    /// the driver has ended.
    pub fn submit(&self, command: M::Command, count: usize, borrowed: Vec<Borrowed>) -> bool {
        if count > MAX_DIRECT_COMMANDS {
            drop(borrowed);
            return self.send(command.into());
        }
        let (mut command, mut borrowed) = (Some(command), Some(borrowed));
        let is_done = self.loan.use_if_lent(|driver| {
            if !driver.takes_directly(self.sent.get()) {
                return None;
            }
            // Dropped before another thread gets the driver, which may keep frames of these bytes.
            let _borrowed = borrowed.take();
            command.take().map(|command| driver.turn_directly(command))
        });
        drop(borrowed);
        match (is_done.flatten(), command) {
            (Some(is_done), _) => is_done || self.send(Command::Turn),
            (None, Some(command)) => self.send(command.into()),
            (None, None) => false,
        }
    }
}

impl<M: DynamicBrokers<Frame = Message>> CommandSink for DriverHandle<M> {
    type Command = Command<M::Command, M::Config>;

    fn send(&self, command: Self::Command) -> bool {
        self.sent.set(self.sent.get() + 1);
        self.commands.send(command).is_ok()
    }

    fn exit(&self, until: Time) -> Receiver<Infallible> {
        let (exit, closed) = Exit::new(until);
        self.send(Command::Exit(exit));
        closed
    }
}

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    /// Reports this number of messages in one turn. Each of them may cause a direct turn; many of
    /// them are a load, in which the messages of several turns are better sent as one.
    pub(super) fn has_received(&mut self, messages: usize) {
        self.direct = match messages {
            0 => self.direct,
            1..=MAX_DIRECT_COMMANDS => (self.direct + messages).min(MAX_DIRECT_COMMANDS),
            _ => 0,
        };
    }

    /// Whether the application may take a turn. All commands that it has sent before must have been
    /// carried out.
    fn takes_directly(&self, sent: u64) -> bool {
        self.direct > 0 && self.taken == sent
    }

    /// Takes a turn on the application's thread: one command, and its results. Work for sockets,
    /// received messages and deadlines is left to the driver's thread. Returns whether no work is
    /// left.
    fn turn_directly(&mut self, command: M::Command) -> bool {
        let now = clock::now();
        self.direct -= 1;
        self.ended |= self.machine.handle_command(now, command).is_break();
        self.retract(now);
        let mut is_done = true;
        for at in 0..self.connections.len() {
            is_done &= !self.send(at, now) && self.connections[at].flush_few(MAX_DIRECT_BYTES);
            let action = self.machine.poll_action(self.connections[at].broker);
            is_done &= action.is_none();
            self.connections[at].action = action;
        }
        self.ended |= self.report(now).is_break();
        let deadline = self.machine.next_deadline();
        is_done
            && !self.ended
            && deadline.is_none_or(|at| self.alarm.is_some_and(|alarm| alarm <= at))
            && !self.has_news()
    }
}
