//! The requests of detached peers at the end of the grace time, and before. [`detached`](super::detached)
//! determines the length of that time.

use super::absence::LINGER;
use super::clients::{Client, Started};
use super::context::Context;
use super::given_up_clients::{started, started_among};
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::piece::{Earlier, PIECE};
use super::reply_log::ReplyLogs;
use super::workers::Worker;
use super::{BrokerConfig, Departure, RoutingId};
use crate::wire::Frame;
use std::time::Duration;

/// Maximum of requests of a client that are examined without pieces at the end of its grace time, and in one piece.
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
    pub(super) started: Started,
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
    let grace = config.reconnect_grace + client.beats.distance();
    let (may_live, span) = match client.absence?.why {
        Departure::Silence => (true, LINGER),
        why @ Departure::Broken => {
            let span = config.unnoticed_loss(why, hello) + grace;
            (true, span)
        }
        Departure::Connection => {
            let late = config.delay(Departure::Silence, hello);
            let span = config.patience(hello) + late + grace;
            // The heartbeat of a hello may be of any length.
            (false, span.min(LINGER.max(grace)))
        }
        _ => return None,
    };
    Some(Lingering { may_live, span })
}

/// The result of a piece.
pub(super) enum Looked {
    /// Further requests are to be looked at.
    More,
    /// The client has returned meanwhile, or was removed.
    Over,
    /// The client stays away for longer, and these requests are withdrawn: also those that have started if the second
    /// value is set.
    Lingers(Earlier, bool),
    /// Nothing goes on.
    Lost,
}

impl GraceEnd {
    /// Begins with the requests of an absent client.
    pub(super) fn new<F: Frame>(cx: &mut Context<F>, key: ClientKey) -> Option<Self> {
        let client = cx.clients.get(key)?;
        let look = GraceEnd {
            client: key,
            id: client.id.clone(),
            left: client.requests.iter().collect(),
            ending: Vec::new(),
            goes_on: false,
            started: Started::default(),
        };
        match look.is_long() {
            true => cx.clients.set_looked_at(key, true),
            false => cx.count_work(look.left.len() / EXAMINED),
        }
        Some(look)
    }

    /// Whether they are too many to be looked at at once.
    pub(super) fn is_long(&self) -> bool {
        self.left.len() > AT_ONCE
    }

    /// Looks at some requests. After the last one, they go on or end.
    pub(super) fn go_on<F: Frame>(&mut self, cx: &mut Context<F>, logs: &ReplyLogs<F>) -> Looked {
        let (key, now) = (self.client, cx.now);
        let Some(client) = cx.clients.get(key) else {
            return Looked::Over;
        };
        let is_over = client.absence.is_some_and(|absence| absence.until <= now);
        if !is_over || client.leaving || client.id != self.id {
            if client.id == self.id {
                cx.clients.set_looked_at(key, false);
            }
            return Looked::Over;
        }
        let lingering = lingering(&cx.config, client);
        self.sort_some(cx, lingering.is_some_and(|lingering| lingering.may_live));
        if !self.left.is_empty() {
            return Looked::More;
        }
        cx.clients.set_looked_at(key, false);
        let withdrawn = lingering.and_then(|lingering| self.extend_absence(cx, logs, lingering));
        withdrawn.map_or(Looked::Lost, |(all, running)| Looked::Lingers(all, running))
    }

    /// Determines which of some requests end, and which go on.
    fn sort_some<F: Frame>(&mut self, cx: &Context<F>, may_live: bool) {
        let begin = self.left.len().saturating_sub(LOOKS);
        for key in self.left.drain(begin..) {
            let request = cx.requests.get(key);
            let Some(request) = request.filter(|request| request.client == self.client) else {
                continue;
            };
            let worker = request.worker().and_then(|key| cx.workers.get(key));
            let ends = match may_live {
                true => request.has_never_started(),
                false => worker.is_none_or(|worker| worker.absence.is_none()),
            };
            match ends {
                true => self.ending.push(key),
                false => self.goes_on = true,
            }
            self.started.extend(started(request));
        }
    }

    /// Lets requests of an absent client go on at the end of its grace time. Returns the others, which are withdrawn;
    /// `None` if nothing goes on.
    ///
    /// | reported end | requests that go on |
    /// |---|---|
    /// | silence: the process lives, or its end would have been reported | all that may have started |
    /// | a reset connection, until the client has noticed it | all that may have started |
    /// | a closed connection | those whose worker is absent as well, and cannot be told |
    fn extend_absence<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        logs: &ReplyLogs<F>,
        Lingering { may_live, span }: Lingering,
    ) -> Option<(Earlier, bool)> {
        let (key, now) = (self.client, cx.now);
        let has_replies = may_live && logs.rids(key).next().is_some();
        // The connection of a client with very many that end has ended for all of them.
        let most = if may_live { usize::MAX } else { PIECE };
        if !self.goes_on && !has_replies || self.ending.len() > most {
            return None;
        }
        let client = cx.clients.get_mut(key)?;
        if !client.absence.as_mut()?.linger(now, span) {
            return None;
        }
        let mut requests = std::mem::take(&mut self.ending);
        if !may_live {
            if !client.log_is_incomplete {
                let known = client.started.get_or_insert_default();
                known.extend(started_among(&cx.requests, requests.iter().copied()));
            }
            cx.requests.sort_to_end(&mut requests);
            // The last one is next.
            requests.reverse();
        }
        cx.count_work(requests.len().min(PIECE));
        let all = Earlier {
            client: key,
            requests,
            since: now,
        };
        Some((all, !may_live))
    }
}

impl<F: Frame> Context<F> {
    /// The requests with `retry` of a detached worker, which go to another worker if there is one. Replies of the
    /// detached worker to these requests are ignored if it returns.
    pub(super) fn early_retries(&mut self, key: WorkerKey) -> Vec<(RequestKey, bool)> {
        let absent = self.workers.get_mut(key);
        if let Some(absence) = absent.and_then(|worker| worker.absence.as_mut()) {
            absence.retries_at = None;
        }
        let Some(worker) = self.workers.get(key) else {
            return Vec::new();
        };
        let is_there = |other: &Worker| other.absence.is_none();
        let mut others = self.workers.serving(worker.service).iter();
        if !others.any(|&key| self.workers.get(key).is_some_and(is_there)) {
            return Vec::new();
        }
        let running = worker.running.iter();
        let retried = running.filter(|&request| self.may_retry(request));
        retried.map(|request| (request, true)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Time;
    use crate::proto::broker::{Broker, Outgoing};
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
        let known = broker.given_up.take(&mut broker.cx, "life.2", None);
        let (started, _) = known.expect("it may return");
        assert!(begun.iter().all(|rid| started.contains_key(&rid[..])));
    }
}
