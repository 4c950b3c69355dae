//! Parked requests whose turn is near: clients are asked to let them go. See [`super::parking`].

use super::Broker;
use super::clients::ClientKey;
use super::parking::{Gate, Told};
use super::requests::{Place, RequestKey};
use super::services::ServiceKey;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids, rids_to_frame};

impl<F: Frame> Broker<F> {
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

    /// Out of the way of the others, until its client answers.
    pub(super) fn set_aside(&mut self, key: RequestKey) {
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
}
