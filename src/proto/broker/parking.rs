//! Requests that have waited for long, or will, are parked with their clients.
//!
//! When a broker dies, nobody can know which of the requests in its queue had been given to a
//! worker. So a client is told of those that have waited for [`PARK`] that they have not, and that
//! they won't be before it says so: they are *parked*. So are those that come while their service has
//! no worker, at the end of the turn in which they came: after the death of a broker the next one has
//! clients before it has workers. It can give them to the next broker, to run
//! once. When the turn of a parked request is near, the broker asks for it back, and the client lets
//! it go; from then on it may run, and the client counts it among those that it can't know of.
//!
//! | park state | in the queue                                 | next                                      |
//! |------------|----------------------------------------------|-------------------------------------------|
//! | Open       | may be given to a worker                     | after [`PARK`], without any worker at once: Parked; the client is told |
//! | Parked     | not before the client lets it go             | its turn is near: Asked; the client is asked |
//! | Asked      | nor that                                     | the client answers: Released              |
//! |            |                                              | after [`PARK`]: set aside until it does   |
//! | Released   | may be given to a worker                     | as Open                                   |
//!
//! What is asked for is in [`super::lookahead`]; what has its turn that soon is not parked in the
//! first place. A client that does not answer costs the others one wait; what else it has parked is
//! set aside as its turn comes. Requests of clients that did not say that they can be told are never
//! parked, nor is anything that finds a worker in time. How clients are asked is in
//! [`super::unparking`].

use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::requests::{ParkState, State};
use super::{Broker, Timer};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids_to_frames};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

/// How long a request waits before it is parked, and how long a client may take to let it go. Long
/// against what a queue takes that only evens out a burst, short against what people wait for.
pub const PARK: Duration = Duration::from_millis(50);

/// Between two looks at who has waited for long; clients are told of many requests at once.
const TICK: Duration = Duration::from_millis(25);

/// What is to be looked at after [`PARK`].
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// Since when, and the token; those that have moved on meanwhile are passed over.
    line: VecDeque<(Time, u64)>,
    /// The same of those that came in this turn, and have nobody to wait for.
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

/// Requests to tell clients of, by client.
pub(super) type Told<F> = BTreeMap<ClientKey, Vec<F>>;

impl<F: Frame> Broker<F> {
    /// Looks after a request that has just begun to wait, if it is still in the queue.
    pub(super) fn watch(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        // It had started before, with a worker that was lost: that it waits says nothing.
        let started = request.retried > 0 || request.uncertain;
        let State::Queued(queued) = &mut request.state else {
            return;
        };
        let client = self.clients.get(request.client);
        if started || !client.is_some_and(|client| client.parks()) {
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

    /// Whether there is no worker, and has been none lately.
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

    /// Not later than that.
    fn look_at(&mut self, at: Time) {
        if self.parking.timer.is_some_and(|timer| timer.at() <= at) {
            return;
        }
        let later = self.parking.timer.take();
        self.cancel_timer(later);
        self.parking.timer = Some(self.deadlines.set(at, Timer::Parking));
    }

    /// The request, if it still waits as it did then.
    fn waiting(&self, since: Time, token: u64) -> Option<(RequestKey, ServiceKey)> {
        let key = self.requests.by_token(token)?;
        let request = self.requests.get(key)?;
        match &request.state {
            State::Queued(queued) if queued.since == since => Some((key, request.service)),
            _ => None,
        }
    }

    /// Some have waited for long.
    pub(super) fn parking_due(&mut self, now: Time) {
        self.parking.timer = None;
        let mut told = Told::new();
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

    /// Requests whose turn is near: if they were parked, they would be asked for at once.
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

    /// One that has waited for long. True if it is not what it was.
    fn park_one(&mut self, now: Time, key: RequestKey, near: bool, told: &mut Told<F>) -> bool {
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

    /// Nothing waits any more, and nobody is to be told of it.
    pub(super) fn close_parking(&mut self) {
        self.parking.line.clear();
        self.parking.fresh.clear();
        let timer = self.parking.timer.take();
        self.cancel_timer(timer);
    }
}
