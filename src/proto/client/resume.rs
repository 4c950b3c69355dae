//! Recovery of requests when the connection to the broker is lost.
//!
//! | stage    | meaning                                          | when the connection is lost         |
//! |----------|--------------------------------------------------|-------------------------------------|
//! | Waiting  | here; no broker or worker has started it         | stays, and goes to the next broker  |
//! | Sent     | with the broker of this connection               | Unknown; with 0.0.92: ends, `B_LOST`; if no broker was ever heard: Unknown |
//! | Parked   | with the broker, which must not start it before GO | Waiting                           |
//! | Unknown  | with a broker that was lost                      | stays                               |
//! | Resuming | the broker of this connection searches for it    | Unknown                             |
//!
//! For this side, the loss of a connection is the loss of a broker. All Unknown requests are resumed at the broker of
//! the next connection. If it is the same process, it knows them all and sends the replies that have arrived
//! meanwhile; another process searches the claims of its workers. If no broker is found in time, the requests end
//! with `B_LOST`.

use super::Client;
use super::pending::{Pending, Stage, Tell};
use super::retry::Cause;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, Past, rids, rids_to_frame};
use crate::wire::{Dialect, Frame};
use std::collections::HashSet;
use std::time::Duration;

impl<F: Frame> Client<F> {
    /// Resumes all Unknown requests after the broker's hello.
    pub(super) fn ask_for_unknown(&mut self, now: Time) {
        let lasting = self.link.broker().is_some();
        for request in self.requests.values_mut() {
            if matches!(request.stage, Stage::Sent) {
                // The request was sent before the hello.
                request.broker = self.link.broker();
            }
        }
        let mut unknown: Vec<(u64, Time)> = std::mem::take(&mut self.unknown)
            .into_iter()
            .map(|(until, id)| (id, until))
            .collect();
        unknown.sort_by_cached_key(|&(id, _)| u128::from(id));
        for (id, until) in unknown {
            if lasting {
                self.resume(now, id, until);
            } else {
                self.give_up(now, id);
            }
        }
        self.lost_roster = None;
        if lasting && self.connections > 1 {
            self.transmits.push(ClientMessage::AllResumed);
        }
    }

    fn resume(&mut self, now: Time, id: u64, until: Time) {
        if self.ends_too_large(id) {
            return;
        }
        let rid = self.rid(id);
        let recall = self.recall(id);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.stage = Stage::Resuming { until };
        request.told = request.read;
        request.may_have_run |= request.terms.retry > 0;
        let (received, read) = (request.received, request.read);
        let here = request.broker.is_some() && request.broker == self.link.broker();
        if let Some(stream) = &mut request.data_stream {
            stream.close();
        }
        let (data, ext) = request.payload(now, self.link.peer(), false);
        // Workers reconnect at their own intervals, so a new broker is given time.
        let wait = until.since(now) + self.link.lost_patience();
        self.transmits.push(ClientMessage::Resume {
            service: request.service.clone(),
            rid,
            data,
            opts: request.opts.clone(),
            ext,
            past: Past {
                received,
                read,
                here,
                wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
            },
            recall,
        });
    }

    /// Ends a request of which is unknown whether it ran, unless its policy permits another attempt.
    fn give_up(&mut self, now: Time, id: u64) {
        if self.is_made_again(now, id, Cause::Lost) {
            return;
        }
        self.forget(id, Tell::Nothing);
        self.fail(id, Code::BrokerLost);
    }

    /// Moves every request to its stage after the loss of the connection.
    pub(super) fn lose_requests(&mut self, now: Time) {
        self.lose_roster();
        // Brokers of other dialects know no RESUME, and send no hello that could have been under way.
        let knows_resume = self.config.dialect == Dialect::Omdp;
        let lasting = knows_resume && self.link.may_be_lasting();
        let mut ids: Vec<u64> = self.requests.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let until_given_up = now + self.give_up_after(id);
            let Some(request) = self.requests.get_mut(&id) else {
                continue;
            };
            let until = match request.stage {
                Stage::Waiting | Stage::Delayed | Stage::Unknown { .. } => continue,
                Stage::Parked => {
                    request.stage = Stage::Waiting;
                    request.again += 1;
                    self.waiting.insert(id);
                    continue;
                }
                // Counted from the first loss; otherwise nothing would ever be given up while brokers come and go.
                Stage::Resuming { until } => until,
                Stage::Sent => until_given_up,
            };
            if lasting && until > now {
                request.stage = Stage::Unknown { until };
                self.unknown.insert((until, id));
            } else {
                self.give_up(now, id);
            }
        }
    }

    /// Ends the Unknown requests when a broker is found to be of 0.0.92, to which RESUME means nothing.
    #[cold]
    pub(super) fn give_up_all_unknown(&mut self, now: Time) {
        for (_, id) in std::mem::take(&mut self.unknown) {
            self.give_up(now, id);
        }
    }

    /// How long to wait for another broker. Only the permitted silence for a request that is retried after a loss, or
    /// if the broker lives and has disconnected this client.
    fn give_up_after(&self, id: u64) -> Duration {
        let request = self.requests.get(&id);
        let is_made_again = request.is_some_and(|request| request.retry.is_some());
        match is_made_again || self.turned_away {
            true => self.link.lost_patience(),
            // It may be of 0.0.92, which answers no RESUME.
            false if self.link.is_unheard() => self.link.own_patience().min(self.link.away()),
            false => self.link.away(),
        }
    }

    /// Ends the Unknown requests whose time has passed.
    pub(super) fn give_up_unknown(&mut self, now: Time) {
        while let Some((until, id)) = self.unknown.first().copied()
            && until <= now
        {
            self.give_up(now, id);
        }
    }

    /// Handles RESUMED: the broker has found these requests.
    pub(super) fn on_resumed(&mut self, frame: &[u8]) {
        for rid in rids(frame) {
            let Some(id) = self.parse_rid(rid) else {
                continue;
            };
            if let Some(request) = self.requests.get_mut(&id)
                && matches!(request.stage, Stage::Resuming { .. })
            {
                request.stage = Stage::Sent;
                if request.broker != self.link.broker() {
                    // It may be with a worker that got it from another broker.
                    request.stamp = 0;
                }
                request.recall = None;
                request.broker = self.link.broker();
                self.tell_read(id);
                self.ask_need(id);
            }
        }
    }

    /// Handles LEAVE: the broker stops. Requests that it does not name have not started, and wait for the next
    /// broker.
    pub(super) fn on_leave(&mut self, started: &[u8]) {
        let started: HashSet<&[u8]> = rids(started).collect();
        let sent = self.requests.iter();
        let sent = sent.filter(|(_, request)| matches!(request.stage, Stage::Sent));
        let ids: Vec<u64> = sent.map(|(id, _)| *id).collect();
        for id in ids {
            let rid = self.rid(id);
            let Some(request) = self.requests.get_mut(&id) else {
                continue;
            };
            if request.received == 0 && !started.contains(&rid[..]) {
                request.stage = Stage::Parked;
            } else if request.terms.retry > 0 {
                // It may have started at a worker that the broker has lost since, and that the roster lacks.
                request.stamp = 0;
            }
        }
    }

    /// Handles PARKED: the broker does not start these requests before GO.
    pub(super) fn on_parked(&mut self, frame: &[u8]) {
        for rid in rids(frame) {
            if let Some(request) = self.by_rid(rid)
                && matches!(request.stage, Stage::Sent)
                && request.received == 0
            {
                request.stage = Stage::Parked;
            }
        }
        if self.retiring {
            self.take_parked_back();
        }
    }

    /// Handles UNPARK by sending GO. From now on these requests may run, even if the broker dies before it receives
    /// GO.
    pub(super) fn on_unpark(&mut self, frame: &[u8]) {
        let (broker, stamp) = (self.link.broker(), self.stamp());
        let mut gone = Vec::new();
        for rid in rids(frame) {
            if let Some(request) = self.by_rid(rid) {
                if matches!(request.stage, Stage::Parked) {
                    // It has not started yet, whichever broker had it.
                    (request.broker, request.stamp) = (broker, stamp);
                }
                request.stage = Stage::Sent;
                gone.push(rid);
            }
        }
        if !gone.is_empty() {
            let rids = rids_to_frame(gone);
            self.transmits.push(ClientMessage::Go { rids });
        }
    }

    fn by_rid(&mut self, rid: &[u8]) -> Option<&mut Pending<F>> {
        let id = self.parse_rid(rid)?;
        let request = self.requests.get_mut(&id)?;
        request.stage.is_with_broker().then_some(request)
    }
}
