//! The roster: the workers to which a request can have been given, for recovery after the death of this broker.
//!
//! If no worker claims a request that the next broker searches for, the request has not started, provided that every
//! worker to which it can have been given is there and denies it. The clients know the workers of the dead broker:
//! they are told of all of them, as sums of their numbers. Therefore
//!
//! - a request of such a client is only given to workers of which the client has heard. A worker that registers is
//!   *new* and gets nothing until all these clients have confirmed that they have heard of it. A client that does not
//!   confirm within [`HEAR`](confirmations::HEAR) is *behind*: its requests are kept back from workers of which it has not heard, and the new
//!   worker begins. Workers that come and go without an end thus do not keep it from those that stay;
//! - a client is told that a worker is gone after it was told the results of its requests there;
//! - workers that cannot tell what they had (of other dialects or of 0.0.92) are in the sum too, so that it is never
//!   reached.
//!
//! The next broker receives the sum with RESUME, and asks the workers of the dead broker; see
//! [`recall`](super::recall).

#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod confirmations;
mod sums;

use super::Timer;
use super::context::Context;
use super::heard::Heard;
use super::keys::{ClientKey, ServiceKey, WorkerKey};
use super::services::Services;
use super::workers::Worker;
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{RosterHead, ToClient, mix};
use std::collections::BTreeSet;
use sums::Sums;
pub(super) use sums::stamp;

/// The roster that all clients are told, or will be.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// The workers of each service. Workers that serve other names as well are summed under the empty name.
    sums: Sums,
    /// Names whose sums have changed since clients were told.
    changed: BTreeSet<Box<[u8]>>,
    /// The number of the latest worker that all clients were told of.
    told: u64,
    /// New workers.
    fresh: Vec<WorkerKey>,
    /// Numbers of clients that are told, of those whose confirmation is awaited, and of those that are behind.
    clients: usize,
    awaited: usize,
    behind: usize,
    /// When many clients can be told next.
    next: Time,
    timer: Option<TimerKey>,
}

impl Roster {
    fn change(&mut self, name: &[u8], by: impl Fn(u64) -> u64) {
        self.sums.change(name, by);
        if self.clients > 0 && !self.changed.contains(name) {
            self.changed.insert(name.into());
        }
    }
}

/// The name under which the workers of a service are summed.
fn name_of(services: &Services, service: ServiceKey) -> Box<[u8]> {
    match services.serves_others(service) {
        true => Box::default(),
        false => (&*services.name(service)).into(),
    }
}

impl Roster {
    /// Whether there are clients whose requests are kept back.
    #[inline]
    pub(super) fn keeps_back(&self) -> bool {
        self.behind > 0
    }

    /// Adds a worker that has registered. It gets nothing before clients have heard of it.
    pub(super) fn add<F: Frame>(&mut self, cx: &mut Context<F>, key: WorkerKey) {
        let Some(worker) = cx.workers.get_mut(key) else {
            return;
        };
        let number = worker.number;
        worker.is_new = self.clients > 0;
        if worker.is_new {
            self.fresh.push(key);
        }
        let name = name_of(&cx.services, worker.service);
        self.change(&name, |sum| sum.wrapping_add(mix(number)));
        if self.clients == 0 {
            self.told = number;
            return;
        }
        self.look_at(cx);
    }

    /// Removes a worker that is gone, after its clients were told the results of their requests.
    pub(super) fn remove<F: Frame>(&mut self, cx: &mut Context<F>, worker: &Worker) {
        let name = name_of(&cx.services, worker.service);
        self.change(&name, |sum| sum.wrapping_sub(mix(worker.number)));
        if self.clients > 0 {
            self.look_at(cx);
        }
    }

    /// Sends changes at the end of this turn, unless confirmations are awaited.
    fn look_at<F: Frame>(&mut self, cx: &mut Context<F>) {
        if self.awaited == 0 || self.timer.is_none() {
            let at = self.next.max(cx.now);
            cx.reset(&mut self.timer, at, Timer::Roster);
        }
    }

    /// The whole roster, for a client that has sent its hello, on its first connection or a later one.
    fn whole<F: Frame>(&mut self, cx: &mut Context<F>, key: ClientKey) -> Option<(RosterHead, F)> {
        let client = cx.clients.get_mut(key)?;
        let knows = client.hello.as_ref().is_some_and(|hello| hello.roster);
        if !knows || client.heard.is_none() && self.sums.is_void() {
            return None;
        }
        if client.heard.is_none() {
            client.heard = Some(Heard {
                last: self.told,
                awaited: false,
                behind: false,
            });
            self.clients += 1;
        }
        match self.sums.whole(cx.now, cx.workers.last()) {
            ToClient::Roster {
                head,
                entries: Some(entries),
            } => Some((head, entries)),
            message => {
                cx.send_client(key, message);
                None
            }
        }
    }

    /// Answers the hello of a client.
    pub(super) fn welcome<F: Frame>(&mut self, cx: &mut Context<F>, key: ClientKey) {
        let hello = cx.config.hello().to_frame();
        let roster = self.whole(cx, key);
        cx.send_client(key, ToClient::Welcome { hello, roster });
    }

    /// Sends a heartbeat, which contains the time for clients that are told the roster.
    pub(super) fn beat<F: Frame>(&self, cx: &mut Context<F>, key: ClientKey) {
        if let Some(client) = cx.clients.get(key) {
            let message = self.beat_for(cx.now, client.heard);
            cx.out.send_client(client, message);
        }
    }

    fn beat_for<F: Frame>(&self, now: Time, heard: Option<Heard>) -> ToClient<F> {
        match heard.filter(|_| !self.sums.is_void()) {
            None => ToClient::Heartbeat,
            Some(_) => ToClient::Roster {
                head: RosterHead {
                    stamp: stamp(now),
                    last: self.told,
                },
                entries: None,
            },
        }
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
