//! MMI, <https://rfc.zeromq.org/spec/8/>: services that the broker itself answers, for clients of
//! every dialect. `mmi.service` is the standard's; the others are extensions, and answer with JSON.
//!
//! No answer takes long, and none is made for each who asks: lists come in pages, a page is made a
//! few times in [`FRESH`] at most, and the bytes of an answer are shared by all who get it.

use super::Broker;
use super::access::Principal;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::members::{Scalar, members};
use crate::wire::{Body, Encoding, Frame};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer is as good as new.
const FRESH: Duration = Duration::from_millis(20);

/// The same of answers that are of everything, and for each byte of them: making one takes a small part of that.
const METRICS_FRESH: Duration = Duration::from_millis(250);
const FRESH_FOR_A_BYTE: Duration = Duration::from_nanos(200);

/// So many bytes of an answer are made in the time of a unit of work.
const UNIT: usize = 1024;

/// How many answers are made in [`FRESH`], and kept.
const MOST: usize = 6;

/// The same of answers about one service, which are short.
const MOST_OF_ONE: usize = 32;

/// The longest question.
const MAX_QUESTION: usize = 4096;

/// Whether a service is one that the broker keeps to itself.
pub(super) fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(b"mmi.")
}

/// The service by which peers of PIGATO ask who is there. A worker may serve it instead of the broker.
const DIRECTORY: &[u8] = b"$dir";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Services,
    Workers,
    Clients,
    Metrics,
    Events,
    Stats,
    Directory,
    Identities,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Query {
    list: List,
    page: usize,
    /// Of this service alone.
    service: Option<Vec<u8>>,
    /// For somebody who does not see everything.
    viewer: Option<Arc<Principal>>,
}

/// What was answered lately: to what, the answer, and until when it is good.
#[derive(Debug)]
pub(super) struct Answers<F>(Vec<(Query, F, Time)>);

impl<F> Default for Answers<F> {
    fn default() -> Self {
        Answers(Vec::new())
    }
}

impl<F> Answers<F> {
    fn forget_old(&mut self, now: Time) {
        self.0.retain(|(.., until)| now < *until);
    }
}

impl<F: Frame> Broker<F> {
    /// Whether the broker answers requests to this service by itself.
    pub(super) fn is_own(&self, service: &[u8]) -> bool {
        match service.first() {
            Some(b'm') => is_reserved(service),
            Some(b'$') => service == DIRECTORY && !self.services.is_served(service),
            _ => false,
        }
    }

    pub(super) fn answer_mmi(
        &mut self,
        now: Time,
        service: &[u8],
        body: Body<F>,
    ) -> Result<Body<F>, Code> {
        // Nothing that is asked is longer, and reading it takes time.
        let body = match body.bytes.len() <= MAX_QUESTION {
            true => body,
            false => Body::json(F::from(&b"null"[..])),
        };
        let list = match service {
            b"mmi.services" => List::Services,
            b"mmi.workers" => List::Workers,
            b"mmi.clients" => List::Clients,
            b"mmi.metrics" => List::Metrics,
            b"mmi.events" => List::Events,
            b"mmi.stats" => List::Stats,
            b"mmi.directory" => List::Directory,
            DIRECTORY => List::Identities,
            b"mmi.service" => {
                let name = name_of(body);
                let viewer = self.viewer();
                let sees = viewer.is_none_or(|viewer| self.sees(&viewer, &name));
                let code: &[u8] = match sees && self.services.is_served(&name) {
                    true => b"200",
                    false => b"404",
                };
                return Ok(Body::json(F::from(code)));
            }
            _ => return Ok(Body::json(F::from(&b"501"[..]))),
        };
        let mut query = Query {
            list,
            page: 0,
            service: None,
            viewer: None,
        };
        match list {
            List::Services | List::Workers => {
                (query.page, query.service) = question_in(&body);
                query.viewer = self.viewer();
            }
            // The number of the last event that is known.
            List::Events => {
                query.page = number_in(&body).unwrap_or(usize::MAX);
                query.viewer = self.viewer();
            }
            List::Identities => {
                let is_all = body.bytes.is_empty() || body.is_null();
                query.service = (!is_all).then(|| name_of(body));
                query.viewer = self.viewer();
            }
            List::Directory => query.viewer = self.viewer(),
            List::Clients | List::Metrics | List::Stats => {}
        }
        self.answer_list(now, query).map(Body::json)
    }

    fn answer_list(&mut self, now: Time, query: Query) -> Result<F, Code> {
        self.answers.forget_old(now);
        let mut made = self.answers.0.iter();
        if let Some(made) = made.find(|made| made.0 == query) {
            return Ok(made.1.clone());
        }
        let of_one = query.service.is_some();
        let most = if of_one { MOST_OF_ONE } else { MOST };
        let made = self.answers.0.iter();
        let alike = made.filter(|made| made.0.service.is_some() == of_one);
        if alike.count() >= most {
            return Err(Code::QueueFull);
        }
        let Query {
            list,
            page,
            service,
            viewer,
        } = &query;
        let (viewer, service) = (viewer.as_ref(), service.as_deref());
        let bytes = |answer: Value| answer.to_string().into_bytes();
        let answer = match list {
            List::Services => self.list_services(now, *page, service, viewer),
            List::Workers => match service {
                Some(service) => bytes(self.list_instances(now, *page, service, viewer)),
                None => self.list_workers(now, *page, viewer),
            },
            List::Clients => bytes(self.client_stats(now, &self.peers_view())),
            List::Metrics => bytes(self.stats_for(now, &self.peers_view())),
            List::Events => {
                let known = (*page < usize::MAX).then_some(*page as u64);
                bytes(self.list_events(known, viewer))
            }
            List::Stats => bytes(self.list_stats()),
            List::Directory => bytes(self.list_directory(viewer)),
            List::Identities => bytes(self.list_identities(service, viewer)),
        };
        self.count_work(answer.len() / UNIT);
        let of_bytes = FRESH_FOR_A_BYTE * u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let until = match list {
            List::Metrics | List::Directory | List::Identities => now + METRICS_FRESH.max(of_bytes),
            _ => now + FRESH,
        };
        let answer = F::from(answer);
        self.answers.0.push((query, answer.clone(), until));
        Ok(answer)
    }

    /// Rules have changed, and so may have what a user sees.
    pub(super) fn forget_answers(&mut self) {
        self.answers.0.clear();
    }

    fn list_stats(&self) -> Value {
        let [requests, workers, clients, services] = self.load();
        json!({
            "services": services,
            "workers": workers,
            "clients": clients,
            "requests": requests,
            "requestsTotal": self.counters.requests,
            "expiredTotal": self.counters.expired,
            "badMessagesTotal": self.counters.bad_messages,
            "slowPeersTotal": self.counters.slow_peers,
            "dialects": self.dialect_stats("messagesTotal"),
        })
    }
}

/// The service that is asked about: a string, or the first frame.
fn name_of<F: Frame>(body: Body<F>) -> Vec<u8> {
    if body.encoding == Encoding::Json
        && let Ok(name) = serde_json::from_slice::<String>(&body.bytes)
    {
        return name.into_bytes();
    }
    let first = body.into_frames().into_iter().next();
    first.map(|frame| frame.to_vec()).unwrap_or_default()
}

/// The number that the question brings.
fn number_in<F: Frame>(body: &Body<F>) -> Option<usize> {
    std::str::from_utf8(&body.bytes).ok()?.parse().ok()
}

/// A page, or a service and a page: a number, a name as a string, or an object of both.
fn question_in<F: Frame>(body: &Body<F>) -> (usize, Option<Vec<u8>>) {
    if let Some(page) = number_in(body) {
        return (page, None);
    }
    if let Ok(name) = serde_json::from_slice::<String>(&body.bytes) {
        return (0, Some(name.into_bytes()));
    }
    let (mut page, mut service) = (0, None);
    members(&body.bytes, |name, value| match (name, value) {
        ("page", Scalar::Unsigned(n)) => page = usize::try_from(n).unwrap_or(usize::MAX),
        ("service", Scalar::Text(name)) => service = Some(name.into_bytes()),
        _ => {}
    });
    (page, service)
}
