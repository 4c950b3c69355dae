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
//! [`super::lookahead`] decides which requests are asked for; requests whose turn is that near are not parked at all.
//! A client that does not answer delays the others once; its other parked requests are set aside when their turn
//! comes. Requests of clients that do not support parking are never parked, and neither are those that find a worker
//! in time. [`super::unparking`] asks the clients.

use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::requests::{ParkState, State};
use super::{Broker, Timer};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids_to_frames};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

/// How long a request waits before it is parked, and how long a client may take to release one. Long compared with a
/// queue that only evens out a burst, short compared with human patience.
pub const PARK: Duration = Duration::from_millis(50);

/// Interval between two scans; a client is told of many requests at once.
const TICK: Duration = Duration::from_millis(25);

/// Requests to examine after [`PARK`].
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// The start of the wait, and the token. Entries whose request has changed since are skipped.
    line: VecDeque<(Time, u64)>,
    /// Requests that arrived in this turn and whose service has no worker, in the form of `line`.
    fresh: Vec<(Time, u64)>,
    timer: Option<TimerKey>,
}

impl Parking {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timer(&self) -> Option<TimerKey> {
        let waits = !self.line.is_empty() || !self.fresh.is_empty();
        assert_eq!(self.timer.is_some(), waits);
        self.timer
    }
}

/// Ids of requests in a message, by client.
pub(super) type RidsByClient<F> = BTreeMap<ClientKey, Vec<F>>;

impl<F: Frame> Broker<F> {
    /// Schedules the examination of a request that has just begun to wait, if it is still in the queue.
    pub(super) fn watch(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        // After an attempt at a lost worker, a waiting request is not known to be unstarted.
        let started = request.retried > 0 || request.uncertain;
        let State::Queued(queued) = &mut request.state else {
            return;
        };
        let client = self.clients.get(request.client);
        // A parked request is known to wait, whatever happened before.
        let is_open = queued.park() == ParkState::Open;
        if started && is_open || !client.is_some_and(|client| client.parks()) {
            return;
        }
        queued.since = now;
        let service = request.service;
        let token = self.requests.token(key);
        if self.has_nobody(now, service) {
            self.parking.fresh.push((now, token));
            return self.look_at(now);
        }
        self.stand(now, token);
    }

    /// Whether the service has no worker and had none recently.
    fn has_nobody(&mut self, now: Time, service: ServiceKey) -> bool {
        let service = self.services.get_mut(service);
        service.workers == 0 && service.depth(now) == 0
    }

    pub(super) fn stand(&mut self, now: Time, token: u64) {
        self.parking.line.push_back((now, token));
        if self.parking.timer.is_none() {
            self.look_at(now + PARK);
        }
    }

    /// Sets the timer, unless it fires earlier anyway.
    fn look_at(&mut self, at: Time) {
        if self.parking.timer.is_some_and(|timer| timer.at() <= at) {
            return;
        }
        let later = self.parking.timer.take();
        self.cancel_timer(later);
        self.parking.timer = Some(self.deadlines.set(at, Timer::Parking));
    }

    /// The request, if it has been waiting without a change since then.
    fn waiting(&self, since: Time, token: u64) -> Option<(RequestKey, ServiceKey)> {
        let key = self.requests.by_token(token)?;
        let request = self.requests.get(key)?;
        match &request.state {
            State::Queued(queued) if queued.since == since => Some((key, request.service)),
            _ => None,
        }
    }

    /// Parks or sets aside the requests that have waited for [`PARK`].
    pub(super) fn parking_due(&mut self, now: Time) {
        self.parking.timer = None;
        let mut told = RidsByClient::new();
        let mut services: Vec<ServiceKey> = Vec::new();
        let mut known: Vec<ServiceKey> = Vec::new();
        let mut near: HashSet<RequestKey> = HashSet::new();
        for (since, token) in std::mem::take(&mut self.parking.fresh) {
            let Some((key, service)) = self.waiting(since, token) else {
                continue;
            };
            if self.services.get_mut(service).workers > 0 {
                self.watch(now, key);
            } else if self.park_one(now, key, false, &mut told) && !services.contains(&service) {
                services.push(service);
            }
        }
        while let Some(&(since, token)) = self.parking.line.front()
            && since + PARK <= now
        {
            self.parking.line.pop_front();
            let Some((key, service)) = self.waiting(since, token) else {
                continue;
            };
            if !known.contains(&service) {
                known.push(service);
                self.find_near(now, service, &mut near);
            }
            if self.park_one(now, key, near.contains(&key), &mut told)
                && !services.contains(&service)
            {
                services.push(service);
            }
        }
        if let Some(&(since, _)) = self.parking.line.front() {
            let at = (since + PARK).max(now + TICK);
            let old = self.parking.timer.take();
            self.cancel_timer(old);
            self.parking.timer = Some(self.deadlines.set(at, Timer::Parking));
        }
        for (client, rids) in told {
            rids_to_frames(rids.iter().map(|rid| &**rid), |rids| {
                self.send_client(client, ToClient::Parked { rids });
            });
        }
        for service in services {
            self.dispatch(now, service);
        }
    }

    /// Collects the requests whose turn is near. They would be asked for as soon as they were parked.
    fn find_near(&mut self, now: Time, service: ServiceKey, near: &mut HashSet<RequestKey>) {
        let entry = self.services.get_mut(service);
        let depth = entry.depth(now);
        let mut next = entry.queue.first();
        for _ in 0..depth {
            let Some(key) = next else {
                return;
            };
            near.insert(key);
            next = entry.queue.next(key, &self.requests);
        }
    }

    /// Handles one request that has waited for [`PARK`]. Returns true if its state has changed.
    fn park_one(
        &mut self,
        now: Time,
        key: RequestKey,
        near: bool,
        told: &mut RidsByClient<F>,
    ) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        let State::Queued(queued) = &request.state else {
            return false;
        };
        let service = self.services.get_mut(request.service);
        match queued.park() {
            ParkState::Parked => return false,
            ParkState::Open | ParkState::Released if near => {
                self.watch(now, key);
                return false;
            }
            ParkState::Open | ParkState::Released => {
                let rid = request.rid.clone();
                told.entry(request.client).or_default().push(rid);
                let park = ParkState::Parked;
                service.queue.set_park(key, park, now, &mut self.requests);
            }
            ParkState::Asked => {
                if let Some(client) = self.clients.get_mut(request.client) {
                    client.is_mute = true;
                }
                let asked = queued.since;
                service.queue.set_aside(key, asked, &mut self.requests);
            }
        }
        true
    }

    /// Clears the schedule when no request is left.
    pub(super) fn close_parking(&mut self) {
        self.parking.line.clear();
        self.parking.fresh.clear();
        let timer = self.parking.timer.take();
        self.cancel_timer(timer);
    }
}
