//! The end of the grace time of detached peers, and what happens to their requests before.

use super::absence::{Absence, LINGER};
use super::clients::{Client, Started};
use super::forgotten::{started, started_among};
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::tasks::{PIECE, Task};
use super::workers::Worker;
use super::{Broker, BrokerConfig, Departure, RoutingId};
use crate::wire::Frame;
use std::time::Duration;

/// Maximum of requests of a client that are looked at at once at the end of its grace time, and in one piece.
const AT_ONCE: usize = 4 * PIECE;
const LOOKS: usize = 8 * PIECE;

/// Requests of an absent client that are examined in one unit of work.
const EXAMINED: usize = 8;

/// What the requests of an absent client are at the end of its grace time.
#[derive(Debug)]
pub(super) struct GraceEnd {
    pub(super) client: ClientKey,
    id: RoutingId,
    /// Those that are still to be looked at.
    left: Vec<RequestKey>,
    /// Those that end.
    ending: Vec<RequestKey>,
    /// Whether others go on.
    goes_on: bool,
    /// Those that a worker may have started.
    started: Started,
}

/// How an absent client lingers after its grace time if some of its requests go on.
#[derive(Clone, Copy)]
struct Lingering {
    /// Whether its process may live.
    may_live: bool,
    /// The whole absence.
    span: Duration,
}

fn lingering(config: &BrokerConfig, client: &Client) -> Option<Lingering> {
    let hello = client.hello.as_ref();
    let (may_live, span) = match client.absence?.why {
        Departure::Silence => (true, LINGER),
        why @ Departure::Broken => {
            let span = config.blindness(why, hello) + config.reconnect_grace;
            (true, span)
        }
        Departure::Connection => {
            let late = config.delay(Departure::Silence, hello);
            let span = config.patience(hello) + late + config.reconnect_grace;
            // The heartbeat of a hello may be of any length.
            (false, span.min(LINGER.max(config.reconnect_grace)))
        }
        _ => return None,
    };
    Some(Lingering { may_live, span })
}

impl<F: Frame> Broker<F> {
    /// Gives the requests with `retry` of a detached worker to another worker, if there is one. Replies of the
    /// detached worker to these requests are ignored if it returns.
    pub(super) fn retry_early(&mut self, key: WorkerKey) {
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        if let Some(absence) = &mut worker.absence {
            absence.retries_at = None;
        }
        let service = worker.service;
        let running: Vec<RequestKey> = worker.running.iter().collect();
        let workers = &self.cx.workers;
        let is_there = |other: &Worker| other.absence.is_none();
        let mut others = workers.serving(service).iter();
        if self.stopping || !others.any(|&key| workers.get(key).is_some_and(is_there)) {
            return;
        }
        if running.len() > PIECE {
            let retried = running.into_iter();
            let retried = retried.filter(|&request| self.cx.may_retry(request));
            let retried = retried.map(|request| (request, true)).collect();
            let task = self.take_back(key, retried);
            return self.put_off(task);
        }
        // In reverse, so that the first request ends up at the front.
        for request in running.into_iter().rev() {
            if self.cx.may_retry(request) {
                self.cx.free_slot(key, request);
                self.retry(request);
            }
        }
        self.dispatch(service);
    }

    /// Removes a detached worker at the end of the grace time.
    pub(super) fn worker_did_not_return(&mut self, key: WorkerKey) {
        if let Some(worker) = self.cx.workers.get(key)
            && let Some(Absence { why, .. }) = worker.absence
        {
            let id = worker.id.clone();
            self.remove_worker(key, why);
            self.forget_peer(&id);
        }
    }

    /// Ends the grace time of an absent client. Very many requests are looked at in pieces.
    pub(super) fn end_grace(&mut self, key: ClientKey) {
        let Some(client) = self.cx.clients.get(key) else {
            return;
        };
        let mut look = GraceEnd {
            client: key,
            id: client.id.clone(),
            left: client.requests.iter().collect(),
            ending: Vec::new(),
            goes_on: false,
            started: Started::default(),
        };
        if look.left.len() > AT_ONCE {
            self.cx.clients.set_looked_at(key, true);
            return self.put_off(Task::GraceEnd(Box::new(look)));
        }
        self.cx.count_work(look.left.len() / EXAMINED);
        while self.look_at_ending(&mut look) {}
    }

    /// Looks at some requests of an absent client at the end of its grace time. After the last one, they go on or end.
    /// Returns false after the last one.
    pub(super) fn look_at_ending(&mut self, look: &mut GraceEnd) -> bool {
        let key = look.client;
        let (now, config) = (self.cx.now, &self.cx.config);
        let Some(client) = self.cx.clients.get(key) else {
            return false;
        };
        let is_over = client.absence.is_some_and(|absence| absence.until <= now);
        if !is_over || client.leaving || client.id != look.id {
            // It has returned meanwhile, or was removed.
            if client.id == look.id {
                self.cx.clients.set_looked_at(key, false);
            }
            return false;
        }
        let lingering = lingering(config, client);
        let may_live = lingering.is_some_and(|lingering| lingering.may_live);
        let (requests, workers) = (&self.cx.requests, &self.cx.workers);
        let begin = look.left.len().saturating_sub(LOOKS);
        for request_key in look.left.drain(begin..) {
            let Some(request) = requests.get(request_key) else {
                continue;
            };
            if request.client != key {
                continue;
            }
            let worker = request.worker().and_then(|key| workers.get(key));
            let ends = match may_live {
                true => request.has_never_started(),
                false => worker.is_none_or(|worker| worker.absence.is_none()),
            };
            match ends {
                true => look.ending.push(request_key),
                false => look.goes_on = true,
            }
            look.started.extend(started(request));
        }
        if !look.left.is_empty() {
            return true;
        }
        self.cx.clients.set_looked_at(key, false);
        if !lingering.is_some_and(|lingering| self.extend_absence(look, lingering)) {
            self.client_did_not_return(key, std::mem::take(&mut look.started));
        } else if let Some(client) = self.cx.clients.get(key)
            && client.timer.is_none()
        {
            self.cx.arm_client(key);
        }
        false
    }

    /// Lets requests of an absent client go on at the end of its grace time, and withdraws the others. Returns false if
    /// nothing goes on.
    ///
    /// The process of a silent client has not ended, or the end of the connection would have been reported: all that may
    /// have started go on. So they do if the connection was reset, until the client has noticed it. If the connection was
    /// closed, those go on whose worker is absent as well: nobody who is connected would hear of their end.
    fn extend_absence(&mut self, look: &mut GraceEnd, lingering: Lingering) -> bool {
        let (key, now) = (look.client, self.cx.now);
        let Lingering { may_live, span } = lingering;
        let has_replies = may_live && self.replies.logs.rids(key).next().is_some();
        // The connection of a client with very many that end has ended for all of them.
        let most = if may_live { usize::MAX } else { PIECE };
        if !look.goes_on && !has_replies || look.ending.len() > most {
            return false;
        }
        let Some(client) = self.cx.clients.get_mut(key) else {
            return false;
        };
        if !client.absence.as_mut().is_some_and(|a| a.linger(now, span)) {
            return false;
        }
        let mut ending = std::mem::take(&mut look.ending);
        if !may_live {
            if !client.log_is_incomplete {
                let requests = &self.cx.requests;
                let known = client.started.get_or_insert_default();
                known.extend(started_among(requests, ending.iter().copied()));
            }
            self.cx.requests.sort_to_end(&mut ending);
            // The last one is next.
            ending.reverse();
        }
        self.cx.count_work(ending.len().min(PIECE));
        self.start(Task::Withdrawn {
            client: key,
            requests: ending,
            since: now,
            running: !may_live,
        });
        true
    }

    /// Removes a detached client at the end of the grace time.
    fn client_did_not_return(&mut self, key: ClientKey, started: Started) {
        if let Some(client) = self.cx.clients.get(key)
            && let Some(Absence { why, .. }) = client.absence
        {
            let id = client.id.clone();
            self.lose_client_with(key, why, started);
            self.forget_peer(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Time;
    use crate::proto::broker::Outgoing;
    use crate::wire::omdp::ToWorker;

    #[test]
    fn what_starts_while_the_requests_of_a_client_are_looked_at_counts_as_started() {
        let mut broker: Broker<Vec<u8>> = Broker::new(BrokerConfig {
            reconnect_grace: Duration::from_secs(1),
            ..BrokerConfig::default()
        });
        let mut now = Time::ZERO + Duration::from_secs(1);
        let say = |broker: &mut Broker<Vec<u8>>, now, from: &[u8], text: &str| {
            let mut frames = text.split('|').map(|frame| frame.into()).collect();
            broker.handle_message(now, from, &mut frames);
        };
        let hello = r#"{"heartbeat":60000,"liveness":3,"omdp":1,"session":"life.1"}"#;
        say(&mut broker, now, b"c", &format!("C|1|{hello}"));
        for n in 0..1200 {
            say(&mut broker, now, b"c", &format!("C|2|s|r{n}|1|{{}}"));
        }
        broker.handle_gone(now, b"c");
        // To the end of the grace time, and the first piece.
        let mut pieces = 0;
        while pieces < 2 {
            now = broker.next_deadline().expect("the grace time ends");
            broker.handle_timeout(now);
            pieces += broker.tasks.len();
        }
        assert_eq!(broker.load()[0], 1200);
        broker.drain_transmits().for_each(drop);
        let hello = r#"{"concurrency":10,"heartbeat":60000,"liveness":3,"omdp":1,"session":""}"#;
        say(&mut broker, now, b"w", &format!("W|1|s|{hello}"));
        let begun = broker
            .drain_transmits()
            .filter_map(|transmit| match transmit.message {
                Outgoing::Worker(ToWorker::Request { rid, .. }) => Some(rid),
                _ => None,
            });
        let begun: Vec<Vec<u8>> = begun.collect();
        assert!(begun.len() >= 10);
        while broker.tasks.len() > 0 {
            now = broker.next_deadline().expect("a piece is left");
            broker.handle_timeout(now);
        }
        broker.audit();
        assert_eq!(broker.load(), [0, 1, 0, 1]);
        assert!(!broker.cx.clients.are_leaving());
        let known = broker.forgotten.take(&mut broker.cx, "life.2", None);
        let (started, _) = known.expect("it may return");
        assert!(begun.iter().all(|rid| started.contains_key(&rid[..])));
    }
}
