//! Requests that have waited for long are parked with their clients.
//!
//! When a broker dies, nobody can know which of the requests in its queue had been given to a
//! worker. So a client is told of those that have waited for [`PARK`] that they have not, and that
//! they won't be before it says so: they are *parked*. It can give them to the next broker, to run
//! once. When the turn of a parked request is near, the broker asks for it back, and the client lets
//! it go; from then on it may run, and the client counts it among those that it can't know of.
//!
//! | gate   | in the queue                                 | next                                      |
//! |--------|----------------------------------------------|-------------------------------------------|
//! | Open   | may be given to a worker                     | after [`PARK`]: Parked; the client is told |
//! | Parked | not before the client lets it go             | its turn is near: Asked; the client is asked |
//! | Asked  | nor that                                     | the client answers: Open                  |
//! |        |                                              | after [`PARK`]: set aside until it does   |
//!
//! What is asked for is what workers have room for, and what the service works off in the time that
//! an answer takes; what stands there is not parked in the first place. A client that does not answer costs the others one wait; what else it has parked
//! is set aside as its turn comes. Requests of clients that did not say that they can be told are
//! never parked, nor is anything that finds a worker in time.

use super::clients::ClientKey;
use super::requests::{Place, RequestKey};
use super::services::ServiceKey;
use super::{Broker, Timer};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids, rids_to_frame};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long a request waits before it is parked, and how long a client may take to let it go. Long
/// against what a queue takes that only evens out a burst, short against what people wait for.
pub const PARK: Duration = Duration::from_millis(50);

/// Between two looks at who has waited for long; clients are told of many requests at once.
const TICK: Duration = Duration::from_millis(25);

/// Whether a request in a queue may be given to a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Open,
    Parked,
    Asked,
}

/// What is to be looked at after [`PARK`].
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// Since when, and the token; those that have moved on meanwhile are passed over.
    line: VecDeque<(Time, u64)>,
    timer: Option<TimerKey>,
    /// Counts the looks at the line.
    looks: u32,
}

impl Parking {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timer(&self) -> Option<TimerKey> {
        assert_eq!(self.timer.is_some(), !self.line.is_empty());
        self.timer
    }
}

/// How many requests a service has given out lately.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Time,
    count: usize,
    before: usize,
    /// How long a client took for its answer, the latest time.
    trip: Duration,
    /// How many more are asked for since workers were left without any: what it gives out is no
    /// measure of what it could.
    starved: usize,
}

/// Over which a rate is taken.
const WINDOW: Duration = Duration::from_millis(50);

impl Rate {
    pub(super) fn count(&mut self, now: Time) {
        self.turn(now);
        self.count += 1;
    }

    fn turn(&mut self, now: Time) {
        let passed = now.since(self.since);
        if passed >= WINDOW {
            let lately = passed < 2 * WINDOW;
            self.before = if lately { self.count } else { 0 };
            self.starved = if lately { self.starved / 2 } else { 0 };
            self.count = 0;
            self.since = now;
        }
    }

    /// Workers have nothing to do, and nothing is asked for.
    fn starve(&mut self, now: Time) {
        self.turn(now);
        self.starved = (8 * self.starved).clamp(8, 4096);
    }

    /// How many it gives out before clients have answered, for sure; none if it is slow.
    pub(super) fn ahead(&mut self, now: Time) -> usize {
        self.turn(now);
        let lately = self.count.max(self.before);
        if lately <= 2 {
            return self.starved;
        }
        let span = (2 * self.trip).clamp(3 * WINDOW / 4, 5 * WINDOW);
        self.starved + lately * span.as_micros() as usize / WINDOW.as_micros() as usize
    }
}

/// Requests to tell clients of, by client.
type Told<F> = BTreeMap<ClientKey, Vec<F>>;

impl<F: Frame> Broker<F> {
    /// Looks after a request that has just begun to wait, if it is still in the queue.
    pub(super) fn watch(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let parks = self.clients.get(request.client);
        if request.place != Place::Queue || !parks.is_some_and(|client| client.parks()) {
            return;
        }
        // It had started before, with a worker that was lost: that it waits says nothing.
        if request.retried > 0 || request.uncertain {
            return;
        }
        request.since = now;
        let token = self.requests.token(key);
        self.stand(now, token);
    }

    fn stand(&mut self, now: Time, token: u64) {
        self.parking.line.push_back((now, token));
        if self.parking.timer.is_none() {
            self.parking.timer = Some(self.deadlines.set(now + PARK, Timer::Parking));
        }
    }

    /// Some have waited for long.
    pub(super) fn parking_due(&mut self, now: Time) {
        self.parking.timer = None;
        self.parking.looks = self.parking.looks.wrapping_add(1);
        let mut told = Told::new();
        let mut services: Vec<ServiceKey> = Vec::new();
        let mut known: Vec<ServiceKey> = Vec::new();
        while let Some(&(since, token)) = self.parking.line.front()
            && since + PARK <= now
        {
            self.parking.line.pop_front();
            let Some(key) = self.requests.by_token(token) else {
                continue;
            };
            let Some(request) = self.requests.get(key) else {
                continue;
            };
            let service = request.service;
            if request.place != Place::Queue || request.since != since {
                continue;
            }
            if !known.contains(&service) {
                known.push(service);
                self.mark_near(now, service);
            }
            if self.park_one(now, key, &mut told) && !services.contains(&service) {
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
            let rids = rids_to_frame(rids.iter().map(|rid| &**rid));
            self.send_client(client, ToClient::Parked { rids });
        }
        for service in services {
            self.dispatch(now, service);
        }
    }

    /// Those whose turn is near would be asked for at once.
    fn mark_near(&mut self, now: Time, service: ServiceKey) {
        let entry = self.services.get_mut(service);
        let near = entry.near(now);
        let mut next = entry.queue.first();
        for _ in 0..near {
            let Some(request) = next.and_then(|key| self.requests.get_mut(key)) else {
                return;
            };
            request.near = self.parking.looks;
            next = next.and_then(|key| self.requests.next(key));
        }
    }

    /// One that has waited for long. True if it is not what it was.
    fn park_one(&mut self, now: Time, key: RequestKey, told: &mut Told<F>) -> bool {
        let Some(request) = self.requests.get_mut(key) else {
            return false;
        };
        let service = self.services.get_mut(request.service);
        match request.gate {
            Gate::Parked => return false,
            Gate::Open if request.near == self.parking.looks => {
                self.watch(now, key);
                return false;
            }
            Gate::Open => {
                service.cleared -= usize::from(std::mem::take(&mut request.cleared));
                service.parked += 1;
                request.gate = Gate::Parked;
                let rid = request.rid.clone();
                told.entry(request.client).or_default().push(rid);
            }
            Gate::Asked => {
                if let Some(client) = self.clients.get_mut(request.client) {
                    client.is_mute = true;
                }
                self.set_aside(key);
            }
        }
        true
    }

    /// Out of the way of the others, until its client answers.
    fn set_aside(&mut self, key: RequestKey) {
        self.leave_queue(key);
        if let Some(request) = self.requests.get_mut(key) {
            request.place = Place::Aside;
            request.gate = Gate::Asked;
        }
        self.enter_aside(key);
    }

    /// It waits beside the queue of its service.
    pub(super) fn enter_aside(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            let service = self.services.get_mut(request.service);
            service.aside += 1;
            service.queue.enter_aside(key, &mut self.requests);
        }
    }

    pub(super) fn leave_aside(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            let service = self.services.get_mut(request.service);
            service.aside -= 1;
            service.queue.leave_aside(key, &mut self.requests);
        }
    }

    /// Asks clients for what is at the front of the queue. True if something there was set aside.
    pub(super) fn ask_ahead(&mut self, now: Time, service: ServiceKey) -> bool {
        let entry = self.services.get_mut(service);
        if entry.parked == 0 {
            return false;
        }
        if entry.cleared == 0 && entry.has_idle() {
            entry.rate.starve(now);
        }
        let want = entry.near(now);
        if want == 0 || entry.cleared * 4 > want * 3 {
            return false;
        }
        let mut told = Told::new();
        let mut aside = Vec::new();
        let mut next = entry.queue.first();
        let mut seen = 0;
        while let Some(key) = next.filter(|_| seen < want) {
            next = self.requests.next(key);
            let Some(request) = self.requests.get_mut(key) else {
                break;
            };
            let mute = self.clients.get(request.client);
            let mute = mute.is_some_and(|client| client.is_mute);
            if request.gate == Gate::Parked {
                let rid = request.rid.clone();
                told.entry(request.client).or_default().push(rid);
                if mute {
                    aside.push(key);
                    continue;
                }
                request.gate = Gate::Asked;
                request.cleared = true;
                request.since = now;
                let entry = self.services.get_mut(service);
                entry.parked -= 1;
                entry.cleared += 1;
                let token = self.requests.token(key);
                self.stand(now, token);
            }
            seen += 1;
        }
        for &key in &aside {
            self.set_aside(key);
        }
        for (client, rids) in told {
            let rids = rids_to_frame(rids.iter().map(|rid| &**rid));
            self.send_client(client, ToClient::Unpark { rids });
        }
        !aside.is_empty()
    }

    /// A client lets requests go.
    pub(super) fn on_go(&mut self, now: Time, client: ClientKey, frame: &[u8]) {
        if let Some(client) = self.clients.get_mut(client) {
            client.is_mute = false;
        }
        let mut services: Vec<ServiceKey> = Vec::new();
        let mut back = Vec::new();
        for rid in rids(frame) {
            let Some(key) = self.clients.request(client, rid, &self.requests) else {
                continue;
            };
            let Some(request) = self.requests.get_mut(key) else {
                continue;
            };
            if request.gate != Gate::Asked {
                continue;
            }
            let service = request.service;
            request.gate = Gate::Open;
            self.services.get_mut(service).rate.trip = now.since(request.since);
            if request.place == Place::Aside {
                back.push(key);
            }
            self.watch(now, key);
            if !services.contains(&service) {
                services.push(service);
            }
        }
        // From the last to the first, so that the first is at the very front in the end.
        for &key in back.iter().rev() {
            self.leave_aside(key);
            if let Some(request) = self.requests.get(key) {
                let service = self.services.get_mut(request.service);
                service.queue.push_front(key, &mut self.requests);
            }
            self.watch(now, key);
        }
        for service in services {
            self.dispatch(now, service);
        }
    }

    /// Takes a request out of the queue that it is in, however that ends.
    pub(super) fn leave_queue(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let service = self.services.get_mut(request.service);
        service.cleared -= usize::from(std::mem::take(&mut request.cleared));
        service.parked -= usize::from(request.gate == Gate::Parked);
        request.gate = Gate::Open;
        service.queue.unlink(key, &mut self.requests);
    }

    /// Nothing waits any more, and nobody is to be told of it.
    pub(super) fn close_parking(&mut self) {
        self.parking.line.clear();
        let timer = self.parking.timer.take();
        self.cancel_timer(timer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_slowly_is_not_asked_for_ahead() {
        let mut rate = Rate::default();
        let mut now = Time::ZERO;
        for _ in 0..10 {
            now = now + Duration::from_millis(60);
            rate.count(now);
            assert_eq!(rate.ahead(now), 0);
        }
        for _ in 0..200 {
            now = now + Duration::from_micros(500);
            rate.count(now);
        }
        let ahead = rate.ahead(now);
        assert!((60..=80).contains(&ahead), "{ahead}");
        assert_eq!(rate.ahead(now + 3 * WINDOW), 0);
    }
}
