//! The turns of a worker's or client's driver, from its start to its end.

use super::{Command, Driver, DynamicBrokers, Exit, Notice};
use crate::io::connection::{self, Connection};
use crate::io::loan::Loan;
use crate::io::readiness::Readiness;
use crate::io::{Message, clock, context, reactor};
use crate::proto::Time;
use crate::proto::machine::{Command as _, Machine};
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::sleep_until;

type Commands<M> = Command<<M as Machine>::Command, <M as DynamicBrokers>::Config>;

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    pub(super) async fn run(
        mut self: Box<Self>,
        mut inbox: UnboundedReceiver<Commands<M>>,
        loan: Arc<Loan<Self>>,
    ) where
        M::Notice: 'static,
    {
        self.machine.start();
        // The first sockets are opened here, so that an invalid endpoint is an error of `start`.
        for at in 0..self.connections.len() {
            self.machine.poll_action(self.connections[at].broker);
            if let Err(error) = self.connections[at].open() {
                self.connections.iter_mut().for_each(Connection::close);
                return self.tell_last(Notice::StartFailed(error));
            }
        }
        self.queue.push(Notice::Started);
        // Over inproc the connection exists already, without a wake-up.
        let mut more = true;
        // Reused for each wait.
        let mut steady = Vec::new();
        loop {
            let (command, look) = if more {
                // Lets the other drivers of this thread run.
                tokio::task::yield_now().await;
                match inbox.try_recv() {
                    Ok(command) => (Some(Some(command)), true),
                    Err(TryRecvError::Disconnected) => (Some(None), false),
                    Err(TryRecvError::Empty) => (None, true),
                }
            } else {
                let alarm = self.set_alarm();
                let command = if self.lists_steady(&mut steady) {
                    loan.lend(self);
                    let command = wait(&mut inbox, connection::any_has_news(&steady), alarm).await;
                    // Before a socket may be closed.
                    steady.clear();
                    match loan.take_back() {
                        Some(driver) => self = driver,
                        None => unreachable!("only the driver takes itself back"),
                    }
                    command
                } else {
                    wait(&mut inbox, connection::any_ready(&self.connections), alarm).await
                };
                let look = command.is_none();
                (command, look)
            };
            match self.turn(&mut inbox, command, look) {
                ControlFlow::Continue(there_is_more) => more = there_is_more,
                ControlFlow::Break(()) => break,
            }
        }
        self.connections.iter_mut().for_each(Connection::close);
        let queue = self.queue.clone();
        // Its messages may use memory for which the end of a thread waits.
        drop(self);
        context::flushed().await;
        reactor::afterwards(move || queue.push(Notice::Stopped));
    }

    /// Gives the last notice, when all descriptors are closed.
    fn tell_last(self: Box<Self>, notice: Notice<M::Notice>)
    where
        M::Notice: 'static,
    {
        let queue = self.queue.clone();
        drop(self);
        reactor::afterwards(move || queue.push(notice));
    }

    /// Returns when to wake up at the latest. An alarm that is earlier than necessary stays:
    /// otherwise each of several consecutive requests would set a new alarm.
    fn set_alarm(&mut self) -> Option<Time> {
        let deadline = self.deadline_gate.next(self.machine.next_deadline());
        let now = clock::now();
        let set = self.alarm.filter(|at| *at > now);
        let exit = self.exit.as_ref().and_then(Exit::deadline);
        self.alarm = set.into_iter().chain(deadline).chain(exit).min();
        self.alarm
    }

    /// Lists the connections, if all of them only send and receive. The application can then use
    /// the driver.
    fn lists_steady(&self, into: &mut Vec<Arc<Readiness>>) -> bool {
        let is_steady = |at: &Connection| !self.machine.watches_congestion(at.broker);
        for connection in &self.connections {
            let readiness = connection.readiness();
            let Some(readiness) = readiness.filter(|_| is_steady(connection)) else {
                into.clear();
                return false;
            };
            // One that several share is listed once.
            if !into.iter().any(|each| Arc::ptr_eq(each, &readiness)) {
                into.push(readiness);
            }
        }
        !into.is_empty()
    }

    /// Whether the use of a socket since the last look at its events has revealed news.
    pub(super) fn has_news(&mut self) -> bool {
        self.connections.iter_mut().any(Connection::has_news)
    }

    /// Takes a turn: commands, the sockets if they are to be looked at, the clock, then their
    /// results. Returns true if a socket has more messages, for which there is no wake-up.
    fn turn(
        &mut self,
        inbox: &mut UnboundedReceiver<Commands<M>>,
        mut command: Option<Option<Commands<M>>>,
        mut look: bool,
    ) -> ControlFlow<(), bool> {
        let now = clock::now();
        let mut asked = Vec::new();
        while let Some(next) = command {
            let Some(next) = next else {
                return ControlFlow::Break(());
            };
            self.taken += 1;
            match next {
                Command::Machine(next) => {
                    asked.extend(next.asked());
                    if self.machine.handle_command(now, next).is_break() {
                        self.ended = true;
                        break;
                    }
                }
                Command::Join(broker, endpoint, config) => {
                    self.join(now, broker, endpoint, *config);
                }
                Command::Leave(broker) => self.leave(now, broker),
                Command::Turn => look = true,
                Command::Exit(exit) => self.exit = Some(exit),
            }
            command = inbox.try_recv().ok().map(Some);
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
        self.check_exit(now);
        self.retract(now);
        self.carry_out(now);
        if self.report(now).is_break() || self.ended {
            return ControlFlow::Break(());
        }
        self.drop_finished(now);
        if self.machine.poll_ping() {
            self.queue.push(Notice::Ping);
        }
        for id in asked {
            let stats = self.machine.stats(self.queue.offers());
            self.queue.push(Notice::Stats(id, stats));
        }
        ControlFlow::Continue(more || self.has_news())
    }
}

/// Waits until there is something to do. Returns `Some(None)` at the end of all commands.
async fn wait<C>(
    inbox: &mut UnboundedReceiver<C>,
    news: impl Future<Output = ()>,
    alarm: Option<Time>,
) -> Option<Option<C>> {
    let alarm = alarm.map(clock::instant);
    tokio::select! {
        biased;
        command = inbox.recv() => Some(command),
        () = news => None,
        () = async { sleep_until(alarm.unwrap_or_else(|| clock::instant(clock::now()))).await },
            if alarm.is_some() => None,
    }
}
