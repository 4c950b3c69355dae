//! The turns of a broker's driver, from its start to its end.

use super::{Command, Driver, Notice};
use crate::io::spin::Awaited;
use crate::io::{Message, clock, reactor};
use crate::proto::broker::BrokerStats;
use crate::proto::{Broker, Time};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::sleep_until;

/// The last action of the machine.
type LastAction = fn(&mut Broker<Message>, Time);

/// The time that slow peers have to take the last messages.
const LAST_MESSAGES: Duration = Duration::from_millis(400);

/// The time that peers have to close their connections.
const DEPARTURE: Duration = Duration::from_millis(100);

/// Pieces of a snapshot that are taken at once.
const FEW_PIECES: usize = 4;

impl Driver {
    pub(super) async fn run(mut self) {
        // Peers over inproc may be connected already, without a wake-up.
        self.turn();
        loop {
            self.spin();
            let command = self.wait().await;
            self.spinner.busy(clock::now(), false);
            let last_action = match self.carry_out_command(command).await {
                ControlFlow::Break(last_action) => Some(last_action),
                ControlFlow::Continue(()) => {
                    self.turn();
                    self.has_retired().then_some(Broker::stop as LastAction)
                }
            };
            if let Some(last_action) = last_action {
                let now = clock::now();
                let [_, workers, clients, _] = self.machine.load();
                last_action(&mut self.machine, now);
                self.send(now);
                self.report();
                self.flush_slow_peers().await;
                self.await_departures(workers + clients).await;
                break;
            }
        }
        self.acceptor.close(self.authentication.take()).await;
        let queue = self.queue;
        reactor::afterwards(move || queue.push(Notice::Stopped));
    }

    /// Spins for the next message if that is worthwhile, see [`Spinner`].
    fn spin(&mut self) {
        while let Some(length) = (self.spinner).idle(clock::now(), self.awaited(), self.received) {
            let start = clock::now();
            let mut now = start;
            let found = loop {
                if self.acceptor.look() {
                    break true;
                }
                now = clock::now();
                if now.since(start) >= length
                    || !self.spinner.goes_on(now)
                    || !self.inbox.is_empty()
                {
                    break false;
                }
                std::hint::spin_loop();
            };
            if !found {
                return self.spinner.missed(now.since(start));
            }
            self.spinner.busy(clock::now(), true);
            self.turn();
        }
    }

    fn awaited(&self) -> Awaited {
        match self.machine.load()[0] {
            0 => Awaited::Request,
            _ => Awaited::Reply,
        }
    }

    /// Executes a command; `None` is no command, `Some(None)` the end of all commands. Returns
    /// `Break` with the last action if the driver has to stop.
    async fn carry_out_command(
        &mut self,
        command: Option<Option<Command>>,
    ) -> ControlFlow<LastAction> {
        match command {
            None => {}
            Some(None) => return ControlFlow::Break(Broker::stop),
            Some(Some(Command::Stop(patience))) => {
                self.machine.retire();
                let end = patience.map(|patience| clock::now() + patience);
                // A second stop can shorten the time given by the first one.
                let ends = [self.leaves_at.flatten(), end];
                self.leaves_at = Some(ends.into_iter().flatten().min());
            }
            Some(Some(Command::Exit(open))) => {
                self.exit = Some(open);
                // A reply that has arrived, for example from a worker of this process, is passed on.
                self.turn();
                return ControlFlow::Break(Broker::stop);
            }
            Some(Some(Command::Discard)) => return ControlFlow::Break(Broker::discard),
            Some(Some(Command::Stats(id))) => {
                let stats = Box::new(self.take_stats());
                self.queue.push(Notice::Stats(id, stats));
            }
            Some(Some(Command::Rules)) => self.follow_rules(),
            Some(Some(Command::Authenticated { ticket, verdict })) => {
                if let Some(authentication) = &self.authentication {
                    authentication.registration.answer(ticket, verdict);
                }
            }
            Some(Some(Command::Authorized { id, allowed })) => {
                self.machine.authorize(clock::now(), id, allowed);
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes a snapshot. Peers have their turns between the pieces of a large one.
    fn take_stats(&mut self) -> BrokerStats {
        let mut taking = self.machine.begin_stats(clock::now());
        let mut pieces = 0;
        while self.machine.take_stats(clock::now(), &mut taking) {
            pieces += 1;
            if pieces > FEW_PIECES {
                // Not a whole turn, which does not end as long as peers send more than is handled.
                self.batch();
            }
        }
        self.machine.end_stats(clock::now(), taking)
    }

    /// The machine needs the new rules before it receives a message of a peer admitted under them.
    pub(super) fn follow_rules(&mut self) {
        if let Some(authentication) = &mut self.authentication
            && authentication.epoch != authentication.authenticator.epoch()
        {
            authentication.epoch = authentication.authenticator.epoch();
            self.machine
                .set_access(clock::now(), authentication.authenticator.access());
        }
    }

    /// Whether the driver has to stop and nothing runs any more, or the time has passed.
    fn has_retired(&self) -> bool {
        self.leaves_at.is_some_and(|end| {
            end.is_some_and(|end| end <= clock::now()) || !self.machine.has_running()
        })
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) -> Option<Option<Command>> {
        let deadline = self.deadline_gate.next(self.machine.next_deadline());
        let deadline = deadline.map(clock::instant);
        let others = [
            self.acceptor.next_deadline(),
            self.leaves_at.flatten(),
            self.wakes_at,
        ];
        let others = others.into_iter().flatten().map(clock::instant);
        let deadline = deadline.into_iter().chain(others).min();
        tokio::select! {
            biased;
            command = self.inbox.recv() => Some(command),
            () = self.acceptor.ready() => None,
            () = self.outbound.due(&self.acceptor), if self.outbound.is_behind() => None,
            () = async { sleep_until(deadline.unwrap_or_else(|| clock::instant(clock::now()))).await },
                if deadline.is_some() => None,
        }
    }

    /// Takes a turn: the socket, the clock, then their results. Repeats while the socket has more
    /// messages, for which there is no wake-up.
    fn turn(&mut self) {
        self.received = 0;
        while self.batch() && self.inbox.is_empty() {}
    }

    /// Handles one batch of messages and the deadlines. Returns whether there is more to do.
    #[inline]
    fn batch(&mut self) -> bool {
        let now = clock::now();
        self.acceptor.update(now);
        (self.machine).note_connections(self.acceptor.connections());
        let drained = self.receive(now);
        if let Some(receiving) = self.acceptor.take_receiving() {
            self.report_receiving(now, &receiving);
        }
        let deadline = self.machine.next_deadline();
        if self.deadline_gate.is_due(now, deadline, drained) {
            self.report_waiting(now);
            self.machine.handle_timeout(now);
        }
        // Before the replies, so that a peer with a reply finds it counted.
        self.publish_refusals();
        self.send(now);
        self.report();
        if self.wakes_at.is_some_and(|at| at <= now) {
            self.wake_application();
        }
        let drained = drained && !self.machine.has_unflushed();
        !drained || self.acceptor.is_readable() || self.outbound.goes_on()
    }

    /// Gives slow peers the time to take the last messages.
    async fn flush_slow_peers(&mut self) {
        let end = clock::instant(clock::now() + LAST_MESSAGES);
        while self.outbound.is_behind() {
            tokio::select! {
                () = sleep_until(end) => return,
                () = self.acceptor.ready() => {}
                () = self.outbound.due(&self.acceptor) => {}
            }
            // Also looks for room.
            self.acceptor.look();
            self.outbound.flush(&mut self.acceptor);
            self.acceptor.flush();
        }
    }

    /// Waits until peers that have received DISCONNECT close their connections. To close one here
    /// while a message of its peer is unread would reset it, and lose messages that are under way
    /// to the peer.
    async fn await_departures(&mut self, mut peers: usize) {
        let end = clock::now() + DEPARTURE;
        self.end_backlog(clock::now());
        while peers > 0 && clock::now() < end {
            if self.acceptor.receive(&mut self.inbound) {
                let now = clock::now();
                while self.inbound.next(&mut self.frames) {
                    let is_gone = matches!(&self.frames[..], [first, ..] if **first == self.gone);
                    if is_gone {
                        let all = self.names.peers(&self.inbound.from().into());
                        peers = peers.saturating_sub(all.len().max(1));
                    }
                    self.handle_message(now);
                }
                self.send(now);
                continue;
            }
            if self.acceptor.look() {
                continue;
            }
            tokio::select! {
                () = sleep_until(clock::instant(end)) => return,
                () = self.acceptor.ready() => {}
            }
        }
    }
}
