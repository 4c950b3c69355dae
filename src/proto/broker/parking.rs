//! Parking: requests that wait for long are parked with their clients.
//!
//! After the death of a broker it is unknown which of its queued requests had been given to a worker. So a client is
//! told that a request which has waited for [`PARK`] has not been given out, and will not be until the client
//! releases it: the request is *parked*. The client can give it to the next broker, and it still runs only once.
//! Requests whose service has no worker are parked at the end of the turn in which they arrive, because a broker that
//! replaces a dead one has clients before it has workers. When the turn of a parked request is near, the broker asks
//! for it, and the client releases it. From then on it may run, and its state is unknown to the client if the broker
//! dies.
//!
//! | park state | in the queue                                 | next                                      |
//! |------------|----------------------------------------------|-------------------------------------------|
//! | Open       | may be given to a worker                     | after [`PARK`], without any worker at once: Parked; the client is told |
//! | Parked     | may not, before its client releases it       | its turn is near: Asked; the client is asked |
//! | Asked      | may not yet                                  | the client answers: Released              |
//! |            |                                              | after [`PARK`]: set aside until the answer |
//! | Released   | may be given to a worker                     | as Open                                   |
//!
//! A request that may start waits nevertheless, and is set aside as well, while an earlier one of its client is: a client
//! whose answers take longer than [`PARK`] has its requests in order, too.
//!
//! [`super::lookahead`] decides which requests are asked for; requests whose turn is that near are not parked at all.
//! A client that does not answer delays the others once; its other parked requests are set aside when their turn
//! comes. Requests of clients that do not support parking are never parked, and neither are those that find a worker
//! in time. [`super::unparking`] asks the clients.

use super::Timer;
use super::context::Context;
use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::requests::{ParkState, State};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids_to_frames};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

/// How long a request waits before it is parked, and how long a client may take to release one. Longer
/// than requests wait in a burst; shorter than a delay that a person notices.
pub const PARK: Duration = Duration::from_millis(50);

/// Interval between two scans; a client is told of many requests at once.
const TICK: Duration = Duration::from_millis(25);

/// The time until the rest of a scan.
const SOON: Duration = Duration::from_micros(1);

/// Maximum of requests in one scan. It bounds the requests of which a client is told at once, and the time of a scan.
const SCAN: usize = 512;

/// Maximum of steps in the queues in one scan, apart from those in the last queue.
const STEPS: usize = 4096;

/// Requests to examine after [`PARK`].
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// The start of the wait, and the token. Entries whose request has changed since are skipped.
    schedule: VecDeque<(Time, u64)>,
    /// Requests that arrived in this turn and whose service has no worker, in the form of `schedule`.
    fresh: VecDeque<(Time, u64)>,
    timer: Option<TimerKey>,
}

impl Parking {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timer(&self) -> Option<TimerKey> {
        let waits = !self.schedule.is_empty() || !self.fresh.is_empty();
        assert_eq!(self.timer.is_some(), waits);
        self.timer
    }
}

/// Ids of requests in a message, by client.
pub(super) type RidsByClient<F> = BTreeMap<ClientKey, Vec<F>>;

/// Sends each client a message with the ids of its requests.
pub(super) fn tell<F: Frame>(
    cx: &mut Context<F>,
    told: &RidsByClient<F>,
    message: fn(F) -> ToClient<F>,
) {
    for (&client, rids) in told {
        rids_to_frames(rids.iter().map(|rid| &**rid), |rids| {
            cx.send_client(client, message(rids));
        });
    }
}

/// One scan of the requests that have waited.
struct Scan<F> {
    /// How many more requests may be looked at, and the work beside that.
    left: usize,
    steps: usize,
    /// The requests of which clients are to be told that they are parked.
    told: RidsByClient<F>,
    /// Services with requests whose state has changed.
    services: Vec<ServiceKey>,
}

impl<F> Scan<F> {
    fn note(&mut self, service: ServiceKey) {
        if !self.services.contains(&service) {
            self.services.push(service);
        }
    }
}

impl Parking {
    /// Schedules the examination of a request that has just begun to wait, if it is still in the queue.
    pub(super) fn watch<F: Frame>(&mut self, cx: &mut Context<F>, key: RequestKey) {
        let Some(request) = cx.requests.get_mut(key) else {
            return;
        };
        let may_be_parked = request.may_be_parked();
        let State::Queued(queued) = &mut request.state else {
            return;
        };
        let client = cx.clients.get(request.client);
        if !may_be_parked || !client.is_some_and(|client| client.parks()) {
            return;
        }
        queued.since = cx.now;
        let service = cx.services.get_mut(request.service);
        let token = cx.requests.token(key);
        // The depth is 0 only if no worker took requests recently; otherwise a worker that returns would have to ask the
        // client first.
        if service.workers == 0 && service.depth(cx.now) == 0 {
            self.fresh.push_back((cx.now, token));
            return self.look_at(cx, cx.now);
        }
        self.examine_later(cx, token);
    }

    pub(super) fn examine_later<F: Frame>(&mut self, cx: &mut Context<F>, token: u64) {
        self.schedule.push_back((cx.now, token));
        if self.timer.is_none() {
            self.look_at(cx, cx.now + PARK);
        }
    }

    /// Sets the timer, unless it fires earlier anyway.
    fn look_at<F: Frame>(&mut self, cx: &mut Context<F>, at: Time) {
        if self.timer.is_none_or(|timer| timer.at() > at) {
            cx.reset(&mut self.timer, at, Timer::Parking);
        }
    }

    /// Parks or sets aside the requests that have waited for [`PARK`]. Returns their services, for dispatch.
    pub(super) fn due<F: Frame>(&mut self, cx: &mut Context<F>) -> Vec<ServiceKey> {
        self.timer = None;
        let mut scan = Scan {
            left: SCAN,
            steps: 0,
            told: RidsByClient::new(),
            services: Vec::new(),
        };
        self.scan_fresh(cx, &mut scan);
        self.scan_schedule(cx, &mut scan);
        cx.count_work((SCAN - scan.left.min(SCAN)) / 4 + scan.steps / 16);
        let next = self.schedule.front().map(|(since, _)| *since + PARK);
        // The rest of a scan follows after the messages that have arrived.
        let pause = if scan.left == 0 { SOON } else { TICK };
        let next = next.map(|at| at.max(cx.now + pause));
        let at = match self.fresh.is_empty() {
            true => next,
            false => Some(cx.now + SOON),
        };
        if let Some(at) = at {
            cx.reset(&mut self.timer, at, Timer::Parking);
        }
        tell(cx, &scan.told, |rids| ToClient::Parked { rids });
        scan.services
    }

    /// Parks the requests that have arrived in this turn and whose service has no worker.
    fn scan_fresh<F: Frame>(&mut self, cx: &mut Context<F>, scan: &mut Scan<F>) {
        while scan.left > 0
            && let Some((since, token)) = self.fresh.pop_front()
        {
            scan.left -= 1;
            let Some((key, service)) = waiting(cx, since, token) else {
                continue;
            };
            if cx.services.get_mut(service).workers > 0 {
                self.watch(cx, key);
            } else if self.park_one(cx, key, false, &mut scan.told) {
                scan.note(service);
            }
        }
    }

    /// Looks at the requests that have waited for [`PARK`].
    fn scan_schedule<F: Frame>(&mut self, cx: &mut Context<F>, scan: &mut Scan<F>) {
        let mut known: Vec<ServiceKey> = Vec::new();
        let mut near: HashSet<RequestKey> = HashSet::new();
        while let Some(&(since, token)) = self.schedule.front()
            && since + PARK <= cx.now
            && scan.left > 0
        {
            scan.left -= 1;
            let Some((key, service)) = waiting(cx, since, token) else {
                self.schedule.pop_front();
                continue;
            };
            let is_new = !known.contains(&service);
            if is_new && scan.steps >= STEPS {
                scan.left = 0;
                break;
            }
            self.schedule.pop_front();
            if is_new {
                known.push(service);
                let taken = find_near(cx, service, &mut near);
                // They would be taken again in the next scan.
                scan.left += taken / 2;
                scan.steps += taken;
            }
            if self.park_one(cx, key, near.contains(&key), &mut scan.told) {
                scan.note(service);
            }
        }
    }

    /// Handles one request that has waited for [`PARK`]. Returns true if its state has changed.
    fn park_one<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: RequestKey,
        near: bool,
        told: &mut RidsByClient<F>,
    ) -> bool {
        let Some(request) = cx.requests.get(key) else {
            return false;
        };
        let State::Queued(queued) = &request.state else {
            return false;
        };
        let service = cx.services.get_mut(request.service);
        match queued.park() {
            ParkState::Parked => return false,
            ParkState::Open | ParkState::Released if near => {
                self.watch(cx, key);
                return false;
            }
            ParkState::Open | ParkState::Released => {
                let rid = request.rid.clone();
                told.entry(request.client).or_default().push(rid);
                let park = ParkState::Parked;
                service.queue.set_park(key, park, cx.now, &mut cx.requests);
            }
            ParkState::Asked => {
                if let Some(client) = cx.clients.get_mut(request.client) {
                    client.did_not_release = true;
                }
                let asked = queued.since;
                service.queue.set_aside(key, asked, &mut cx.requests);
            }
        }
        true
    }

    /// Clears the schedule when no request is left.
    pub(super) fn close<F: Frame>(&mut self, cx: &mut Context<F>) {
        self.schedule.clear();
        self.fresh.clear();
        cx.cancel(&mut self.timer);
    }
}

/// The request, if it has been waiting without a change since then.
fn waiting<F: Frame>(cx: &Context<F>, since: Time, token: u64) -> Option<(RequestKey, ServiceKey)> {
    let key = cx.requests.by_token(token)?;
    let request = cx.requests.get(key)?;
    match &request.state {
        State::Queued(queued) if queued.since == since => Some((key, request.service)),
        _ => None,
    }
}

/// Collects the requests whose turn is near. They would be asked for as soon as they were parked. Returns the number of
/// steps.
fn find_near<F: Frame>(
    cx: &mut Context<F>,
    service: ServiceKey,
    near: &mut HashSet<RequestKey>,
) -> usize {
    let entry = cx.services.get_mut(service);
    let depth = entry.depth(cx.now);
    let mut next = entry.queue.first();
    for step in 0..depth {
        let Some(key) = next else {
            return step;
        };
        near.insert(key);
        next = entry.queue.next(key, &cx.requests);
    }
    depth
}

#[cfg(test)]
mod tests;
