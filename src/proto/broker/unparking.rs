//! Release of parked requests: clients are asked for those whose turn is near. See
//! [`super::parking`].

use super::Broker;
use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::parking::RidsByClient;
use super::requests::{ParkState, State};
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids, rids_to_frames};

impl<F: Frame> Broker<F> {
    /// Asks clients for the parked requests at the front of the queue. Returns true if a request
    /// was set aside.
    pub(super) fn ask_ahead(&mut self, now: Time, service: ServiceKey) -> bool {
        let Some(entry) = self.services.find_mut(service) else {
            return false;
        };
        let Some(depth) = entry.ask_depth(now) else {
            return false;
        };
        let mut told = RidsByClient::new();
        let mut moved = false;
        for first in entry.firsts_with_workers(&self.workers) {
            moved |= self.ask_for(now, service, first, depth, &mut told);
        }
        for (client, rids) in told {
            rids_to_frames(rids.iter().map(|rid| &**rid), |rids| {
                self.send_client(client, ToClient::Unpark { rids });
            });
        }
        moved
    }

    /// Asks for the parked requests at the front of one lane.
    fn ask_for(
        &mut self,
        now: Time,
        service: ServiceKey,
        first: RequestKey,
        depth: usize,
        told: &mut RidsByClient<F>,
    ) -> bool {
        let mut moved = false;
        let mut next = Some(first);
        let mut seen = 0;
        while let Some(key) = next.filter(|_| seen < depth) {
            next = self.requests.next(key);
            let parked = self.requests.park(key) == Some(ParkState::Parked);
            let Some(request) = self.requests.get(key).filter(|_| parked) else {
                seen += 1;
                continue;
            };
            let client = request.client;
            let mute = self.clients.get(client).is_some_and(|c| c.is_mute);
            told.entry(client).or_default().push(request.rid.clone());
            let queue = &mut self.services.get_mut(service).queue;
            if mute {
                queue.set_aside(key, now, &mut self.requests);
                moved = true;
                continue;
            }
            queue.set_park(key, ParkState::Asked, now, &mut self.requests);
            let token = self.requests.token(key);
            self.stand(now, token);
            seen += 1;
        }
        moved
    }

    /// Handles GO: the client releases requests.
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
            let Some(request) = self.requests.get(key) else {
                continue;
            };
            let service = request.service;
            let asked = match &request.state {
                State::Queued(queued) if queued.park() == ParkState::Asked => queued.since,
                State::SetAside(aside) => {
                    back.push(key);
                    aside.asked
                }
                _ => continue,
            };
            let entry = self.services.get_mut(service);
            entry.lookahead.answered(now.since(asked));
            let park = ParkState::Released;
            entry.queue.set_park(key, park, now, &mut self.requests);
            self.watch(now, key);
            if !services.contains(&service) {
                services.push(service);
            }
        }
        self.count_work(frame.len() / 64);
        // In reverse, so that the first request ends up at the front.
        for &key in back.iter().rev() {
            // A request that was named twice has been put back already.
            if matches!(
                self.requests.get(key).map(|r| &r.state),
                Some(State::SetAside(_))
            ) {
                self.leave_queue(key);
                self.requeue(now, key);
            }
        }
        for service in services {
            self.dispatch(now, service);
        }
    }
}
