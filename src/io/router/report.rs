//! Notices to the application of a broker. Those about connections (`peerRefused`) have a rate limit.

use super::{Driver, Notice};
use crate::io::clock;
use crate::io::connections::ConnectionNotice;
use crate::io::notice_queue::{MAX_EVENTS, Queue};
use crate::io::security::HandshakeFailure;
use crate::proto::broker::{BrokerEvent, Departure};
use std::sync::PoisonError;
use std::time::Duration;

/// The application gets the ends of requests in batches: a wake-up for each costs more than a request.
const LOG_DELAY: Duration = Duration::from_millis(10);

/// The number of waiting notices at which the application is woken without a delay.
const WOKEN_AT: usize = 256;

impl Driver {
    pub(super) fn publish_refusals(&self) {
        let refusals = self.earlier + self.machine.refusals();
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner) = refusals;
    }

    pub(super) fn report(&mut self) {
        self.publish_refusals();
        self.report_connections();
        self.report_events();
        // Last, so that events about the end of a connection contain its address.
        for connection in self.acceptor.drain_ended() {
            if !self.names.is_name(&connection) {
                self.machine.handle_address(&connection, None);
            }
            for peer in self.names.peers(&connection) {
                self.machine.handle_address(&peer, None);
            }
        }
    }

    fn report_events(&mut self) {
        let mut events = self.machine.drain_events(clock::now()).peekable();
        if events.peek().is_none() {
            return;
        }
        let (acceptor, names) = (&mut self.acceptor, &mut self.names);
        let events = events.inspect(|told| {
            if let Some(peer) = silent(&told.event)
                && let Some(connection) = names.lose(peer)
            {
                acceptor.lost(&connection);
            }
        });
        let mut urgent = false;
        let change = |queue: &mut Queue<Notice>| {
            for told in events {
                urgent |= !matches!(told.event, BrokerEvent::RequestEnded(_));
                if queue.len() < MAX_EVENTS {
                    queue.push(Notice::Event(told));
                }
            }
            urgent |= queue.len() >= WOKEN_AT;
        };
        let waits = self.queue.update_later(change);
        if urgent {
            self.wake_application();
        } else if waits && self.wakes_at.is_none() {
            self.wakes_at = Some(clock::now() + LOG_DELAY);
        }
    }

    /// Wakes the application if it has notices, and has not been woken for them.
    pub(super) fn wake_application(&mut self) {
        self.wakes_at = None;
        self.queue.update(|_| {});
    }

    fn report_connections(&mut self) {
        for notice in self.acceptor.drain_notices() {
            if let ConnectionNotice::Failed { failure, .. } = &notice {
                match &self.authentication {
                    Some(authentication) => authentication.authenticator.count_refused(),
                    // A closed handshake is also a mere check whether the port is open.
                    None if *failure == HandshakeFailure::Closed => continue,
                    None => {}
                }
            }
            let mut event_rate = self
                .event_rate
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(missed) = event_rate.take(clock::now())
                && self.queue.len() < MAX_EVENTS
            {
                self.queue.push(Notice::Connection(notice, missed));
            }
        }
    }
}

/// The peer that was lost because it was silent: its connection is of no further use.
fn silent(event: &BrokerEvent) -> Option<&[u8]> {
    match event {
        BrokerEvent::WorkerGone {
            worker: peer,
            why: Departure::Silence,
            ..
        }
        | BrokerEvent::ClientGone {
            client: peer,
            why: Departure::Silence,
            ..
        } => Some(peer),
        _ => None,
    }
}
