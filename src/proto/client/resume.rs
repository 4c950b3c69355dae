//! What becomes of a client's requests when their broker is lost.
//!
//! | stage    | meaning                                          | when the broker is lost             |
//! |----------|--------------------------------------------------|-------------------------------------|
//! | Waiting  | here; whoever may have had it has not started it | stays, and goes to the next broker  |
//! | Sent     | with the broker of this connection               | Unknown; of 0.0.92: ends, `B_LOST`  |
//! | Parked   | with it, not to be started without our word      | Waiting                             |
//! | Unknown  | with a broker that was lost                      | stays                               |
//! | Resuming | the broker of this connection looks for it       | Unknown                             |
//!
//! When a broker says that it is another process than the one that was lost, it is asked to look for
//! what is Unknown among what its workers claim. When it is the same, it has told the workers that
//! nobody waits, and `B_LOST` is the end. So it is when the broker said DISCONNECT, and when no broker
//! comes within the patience.

use super::Client;
use super::pending::{Pending, Stage};
use super::request::Tell;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, Past, rids, rids_to_frame};
use crate::wire::{Frame, Hello};
use std::collections::BTreeSet;
use std::time::Duration;

/// Which brokers there were, and what was lost with them.
#[derive(Debug, Default)]
pub(super) struct Resume {
    /// The broker of this connection, by the name that it gave its life.
    here: Option<String>,
    /// The one that requests were lost with last.
    before: Option<String>,
    /// How long a broker of ours may be away.
    patience: Duration,
    /// What is Unknown, by when it is given up.
    unknown: BTreeSet<(Time, u64)>,
}

impl Resume {
    /// The broker of this connection has let go of everything, and has told the workers.
    pub(super) fn dismiss(&mut self) {
        self.here = None;
    }

    pub(super) fn forget(&mut self, until: Time, id: u64) {
        self.unknown.remove(&(until, id));
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.unknown.first().map(|(until, _)| *until)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn unknown(&self) -> impl Iterator<Item = &(Time, u64)> {
        self.unknown.iter()
    }
}

impl<F: Frame> Client<F> {
    /// The broker of this connection has said what it is.
    pub(super) fn find_out(&mut self, now: Time, hello: &Hello) {
        let name = Some(&hello.session).filter(|name| !name.is_empty());
        let another = name.is_some() && name != self.resume.before.as_ref();
        self.resume.here = name.cloned();
        self.resume.patience = self.link.patience().unwrap_or_default();
        let mut unknown: Vec<(u64, Time)> = std::mem::take(&mut self.resume.unknown)
            .into_iter()
            .map(|(until, id)| (id, until))
            .collect();
        unknown.sort_unstable();
        for (id, until) in unknown {
            if another {
                self.resume(now, id, until);
            } else {
                self.give_up(id);
            }
        }
    }

    fn resume(&mut self, now: Time, id: u64, until: Time) {
        if self.ends_too_large(id) {
            return;
        }
        let rid = self.rid(id);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.stage = Stage::Resuming { until };
        request.told = request.read;
        let (received, read) = (request.received, request.read);
        let (data, ext) = request.payload(true, false);
        // Workers come back at their own pace, so a broker that has just come is given time.
        let wait = until.since(now) + self.resume.patience;
        self.transmits.push(ClientMessage::Resume {
            service: request.service.clone(),
            rid,
            data,
            opts: request.opts.clone(),
            ext,
            past: Past {
                received,
                read,
                wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
            },
        });
    }

    /// Nobody can know whether it ran.
    fn give_up(&mut self, id: u64) {
        self.forget(id, Tell::Nothing);
        self.fail(id, Code::BrokerLost);
    }

    /// The link is lost: sees to everything that was with its broker.
    pub(super) fn lose_requests(&mut self, now: Time) {
        let here = self.resume.here.take();
        let mut ids: Vec<u64> = self.requests.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(request) = self.requests.get_mut(&id) else {
                continue;
            };
            let until = match request.stage {
                Stage::Waiting | Stage::Unknown { .. } => continue,
                Stage::Parked => {
                    request.stage = Stage::Waiting;
                    request.again += 1;
                    self.waiting.insert(id);
                    continue;
                }
                // Since the first loss, or nobody would ever give up while brokers come and go.
                Stage::Resuming { until } => until,
                Stage::Sent => now + self.resume.patience,
            };
            if here.is_some() && until > now {
                request.stage = Stage::Unknown { until };
                self.resume.unknown.insert((until, id));
            } else {
                self.give_up(id);
            }
        }
        if here.is_some() {
            self.resume.before = here;
        }
    }

    /// What was not found by now never will be.
    pub(super) fn give_up_unknown(&mut self, now: Time) {
        while let Some((until, id)) = self.resume.unknown.first().copied()
            && until <= now
        {
            self.give_up(id);
        }
    }

    /// These were found.
    pub(super) fn on_resumed(&mut self, frame: &[u8]) {
        for rid in rids(frame) {
            let Some(id) = self.parse_rid(rid) else {
                continue;
            };
            if let Some(request) = self.requests.get_mut(&id)
                && matches!(request.stage, Stage::Resuming { .. })
            {
                request.stage = Stage::Sent;
                self.tell_read(id);
            }
        }
    }

    /// These are not started before this client lets them go.
    pub(super) fn on_parked(&mut self, frame: &[u8]) {
        for rid in rids(frame) {
            if let Some(request) = self.by_rid(rid)
                && matches!(request.stage, Stage::Sent)
                && request.received == 0
            {
                request.stage = Stage::Parked;
            }
        }
    }

    /// Lets them go. From here on they may run, whether the broker lives to hear it or not.
    pub(super) fn on_unpark(&mut self, frame: &[u8]) {
        let mut gone = Vec::new();
        for rid in rids(frame) {
            if let Some(request) = self.by_rid(rid) {
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
