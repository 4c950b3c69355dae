//! The turns of a worker's or client's driver, from its start to its end.

use super::{Command, Driver, DynamicBrokers, Notice};
use crate::io::connection::{self, Connection};
use crate::io::{Message, clock, context};
use crate::proto::machine::{Command as _, Machine};
use std::ops::ControlFlow;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::sleep_until;

type Commands<M> = Command<<M as Machine>::Command, <M as DynamicBrokers>::Config>;

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    pub(super) async fn run(mut self) {
        self.machine.start();
        // The first sockets are opened here, so that an invalid endpoint is an error of `start`.
        for at in 0..self.connections.len() {
            self.machine.poll_action(self.connections[at].broker);
            if let Err(error) = self.connections[at].open() {
                self.connections.iter_mut().for_each(Connection::close);
                return self.queue.push(Notice::StartFailed(error));
            }
        }
        self.queue.push(Notice::Started);
        // Over inproc the connection exists already, without a wake-up.
        let mut more = true;
        loop {
            let (command, look) = if more {
                // Lets the other drivers of this thread run.
                tokio::task::yield_now().await;
                match self.inbox.try_recv() {
                    Ok(command) => (Some(Some(command)), true),
                    Err(TryRecvError::Disconnected) => (Some(None), false),
                    Err(TryRecvError::Empty) => (None, true),
                }
            } else {
                let command = self.wait().await;
                let look = command.is_none();
                (command, look)
            };
            match self.turn(command, look) {
                ControlFlow::Continue(there_is_more) => more = there_is_more,
                ControlFlow::Break(()) => break,
            }
        }
        self.connections.iter_mut().for_each(Connection::close);
        context::flushed().await;
        self.queue.push(Notice::Stopped);
    }

    /// Waits until there is something to do. Returns `Some(None)` at the end of all commands.
    async fn wait(&mut self) -> Option<Option<Commands<M>>> {
        let deadline = self.deadline_gate.next(self.machine.next_deadline());
        let deadline = deadline.map(clock::instant);
        tokio::select! {
            biased;
            command = self.inbox.recv() => Some(command),
            () = connection::any_ready(&self.connections) => None,
            () = async { sleep_until(deadline.unwrap_or_else(|| clock::instant(clock::now()))).await },
                if deadline.is_some() => None,
        }
    }

    /// Takes a turn: commands, the sockets if they are to be looked at, the clock, then their
    /// results. Returns true if a socket has more messages, for which there is no wake-up.
    fn turn(
        &mut self,
        mut command: Option<Option<Commands<M>>>,
        look: bool,
    ) -> ControlFlow<(), bool> {
        let now = clock::now();
        let mut goodbye = ControlFlow::Continue(());
        let mut asked = Vec::new();
        while let Some(next) = command {
            let Some(next) = next else {
                return ControlFlow::Break(());
            };
            match next {
                Command::Machine(next) => {
                    asked.extend(next.asked());
                    goodbye = self.machine.handle_command(now, next);
                    if goodbye.is_break() {
                        break;
                    }
                }
                Command::Join(broker, endpoint, config) => {
                    self.join(now, broker, endpoint, *config);
                }
                Command::Leave(broker) => self.leave(now, broker),
            }
            command = self.inbox.try_recv().ok().map(Some);
        }
        let mut more = false;
        // A message that arrived in time counts, so each deadline is preceded by a look.
        if look || self.machine.next_deadline().is_some_and(|at| at <= now) {
            for at in 0..self.connections.len() {
                more |= self.receive(at, now);
            }
        }
        let deadline = self.machine.next_deadline();
        if self.deadline_gate.is_due(now, deadline, !more) {
            self.machine.handle_timeout(now);
        }
        self.retract(now);
        self.carry_out(now);
        if self.report(now).is_break() || goodbye.is_break() {
            return ControlFlow::Break(());
        }
        self.see_off(now);
        if self.machine.poll_ping() {
            self.queue.push(Notice::Ping);
        }
        for id in asked {
            let stats = self.machine.stats(self.queue.offers());
            self.queue.push(Notice::Stats(id, stats));
        }
        ControlFlow::Continue(more || self.connections.iter_mut().any(Connection::has_news))
    }
}
