//! Release of parked requests: clients are asked for those whose turn is near. See
//! [`super::parking`].

use super::context::Context;
use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::parking::{Parking, RidsByClient, tell};
use super::requests::{ParkState, State};
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, rids};

/// The depth to which each of very many lanes is searched at least.
const OF_LANE: usize = 64;

/// Steps in a queue that take one unit of work.
const STEPS: usize = 64;

/// The tasks of the broker after a client has released requests.
#[derive(Default)]
pub(super) struct Released {
    /// Services to dispatch.
    pub(super) services: Vec<ServiceKey>,
    /// Requests that were set aside, and go back to the queue.
    pub(super) back: Vec<RequestKey>,
}

impl Parking {
    /// Asks clients for the parked requests at the front of the queue. Returns true if a request was set aside; that many
    /// may be at most.
    pub(super) fn ask_ahead<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        service: ServiceKey,
        room: &mut usize,
    ) -> bool {
        let Some(entry) = cx.services.find_mut(service) else {
            return false;
        };
        let mut moved = entry.queue.has_aside() && hold_back(cx, service, room);
        let entry = cx.services.get_mut(service);
        let Some(depth) = entry.ask_depth(cx.now) else {
            return moved;
        };
        let mut told = RidsByClient::new();
        let firsts = entry.firsts_to_ask(&cx.requests, &cx.workers);
        let depth = depth.min(OF_LANE.max(depth / firsts.len().max(1)));
        for first in firsts {
            moved |= self.ask_for(cx, service, first, (depth, room), &mut told);
        }
        tell(cx, &told, |rids| ToClient::Unpark { rids });
        moved
    }

    /// Asks for the parked requests at the front of one lane.
    fn ask_for<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        service: ServiceKey,
        first: RequestKey,
        (depth, room): (usize, &mut usize),
        told: &mut RidsByClient<F>,
    ) -> bool {
        let mut moved = false;
        let mut next = Some(first);
        let mut seen = 0;
        while let Some(key) = next.filter(|_| seen < depth && *room > 0) {
            next = cx.requests.next(key);
            let parked = cx.requests.park(key) == Some(ParkState::Parked);
            let Some(request) = cx.requests.get(key).filter(|_| parked) else {
                seen += 1;
                continue;
            };
            let client = request.client;
            let mute = cx.clients.get(client).is_some_and(|c| c.did_not_release);
            told.entry(client).or_default().push(request.rid.clone());
            let queue = &mut cx.services.get_mut(service).queue;
            if mute {
                queue.set_aside(key, cx.now, &mut cx.requests);
                moved = true;
                *room -= 1;
                continue;
            }
            queue.set_park(key, ParkState::Asked, cx.now, &mut cx.requests);
            let token = cx.requests.token(key);
            self.examine_later(cx, token);
            seen += 1;
        }
        cx.count_work(seen / STEPS);
        moved
    }

    /// Handles GO: the client releases requests.
    pub(super) fn release<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        client: ClientKey,
        frame: &[u8],
    ) -> Released {
        if let Some(client) = cx.clients.get_mut(client) {
            client.did_not_release = false;
        }
        let mut released = Released::default();
        let mut last_asked = Time::ZERO;
        for rid in rids(frame) {
            let Some(key) = cx.clients.request(client, rid, &cx.requests) else {
                continue;
            };
            let Some(request) = cx.requests.get(key) else {
                continue;
            };
            let service = request.service;
            let asked = match &request.state {
                State::Queued(queued) if queued.park() == ParkState::Asked => queued.since,
                State::SetAside(aside) => {
                    released.back.push(key);
                    aside.asked
                }
                _ => continue,
            };
            last_asked = last_asked.max(asked);
            let entry = cx.services.get_mut(service);
            entry.lookahead.answered(cx.now.since(asked));
            entry.queue.end_aside(key, &cx.requests);
            let park = ParkState::Released;
            entry.queue.set_park(key, park, cx.now, &mut cx.requests);
            self.watch(cx, key);
            if !released.services.contains(&service) {
                released.services.push(service);
            }
        }
        // It answers in the order in which it is asked, unless it means another one.
        for &service in &released.services {
            let queue = &mut cx.services.get_mut(service).queue;
            queue.pass_over(client, last_asked, &cx.requests);
        }
        released
    }
}

/// Sets requests aside that could start, but would overtake earlier ones of their clients, which are to be released
/// first: a client whose answers take long has its requests in order, too. Returns whether there were any.
#[cold]
fn hold_back<F: Frame>(cx: &mut Context<F>, service: ServiceKey, room: &mut usize) -> bool {
    let mut told = RidsByClient::new();
    while *room > 0
        && let entry = cx.services.get_mut(service)
        && !entry.ready.is_empty()
        && let Some(first) = entry.first_with_worker(&cx.requests, &cx.workers)
        && cx.requests.park(first).is_some_and(ParkState::may_start)
        && entry.queue.would_overtake(first, &cx.requests)
        && let Some(request) = cx.requests.get(first)
    {
        let rids = told.entry(request.client).or_default();
        rids.push(request.rid.clone());
        entry.queue.set_aside(first, cx.now, &mut cx.requests);
        *room -= 1;
    }
    let moved = !told.is_empty();
    tell(cx, &told, |rids| ToClient::Parked { rids });
    tell(cx, &told, |rids| ToClient::Unpark { rids });
    moved
}
