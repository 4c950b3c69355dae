//! MMI, <https://rfc.zeromq.org/spec/8/>: services that the broker itself answers, in every dialect. `mmi.service` is
//! defined by the standard; the others are extensions and answer with JSON.
//! [`answers`](super::answers) bounds their cost.

use super::Broker;
use super::answers::{Known, List, Query};
use super::entries::Totals;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::json::bytes_of;
use crate::wire::members::{Scalar, members};
use crate::wire::{Body, Encoding, Frame};

/// Bytes of an answer that take one unit of work.
const UNIT: usize = 1024;

/// Maximum length of a question, in bytes.
const MAX_QUESTION: usize = 4096;

/// Whether a name is reserved for the broker.
pub(super) fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(b"mmi.")
}

/// The service for which peers of PIGATO ask. A worker may serve it in place of the broker.
const DIRECTORY: &[u8] = b"$dir";

impl<F: Frame> Broker<F> {
    /// Whether the broker itself answers requests to this service.
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
        // No valid question is longer, and parsing takes time.
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
            // `page` is the number of the latest event that the client knows.
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
        match self.answers.find(now, &query) {
            Known::Answer(answer) => return Ok(answer),
            Known::TooMany => return Err(Code::QueueFull),
            Known::Nothing => {}
        }
        let Query {
            list,
            page,
            service,
            viewer,
        } = &query;
        let (viewer, service) = (viewer.as_ref(), service.as_deref());
        let answer = match list {
            List::Services => self.list_services(now, *page, service, viewer),
            List::Workers => match service {
                Some(service) => self.list_instances(now, *page, service, viewer),
                None => self.list_workers(now, *page, viewer),
            },
            List::Clients => bytes_of(&self.client_stats(now, &self.peers_view())),
            List::Metrics => bytes_of(&self.stats_for(now, &self.peers_view())),
            List::Events => {
                let known = (*page < usize::MAX).then_some(*page as u64);
                self.list_events(now, known, viewer)
            }
            List::Stats => bytes_of(&self.totals()),
            List::Directory => bytes_of(&self.directory(viewer)),
            List::Identities => self.list_identities(service, viewer),
        };
        self.count_work(answer.len() / UNIT);
        let answer = F::from(answer);
        self.answers.keep(now, query, answer.clone());
        Ok(answer)
    }

    fn totals(&self) -> Totals {
        let [requests, workers, clients, services] = self.load();
        let dialects = self.dialect_stats().into_iter();
        Totals {
            services,
            workers,
            clients,
            requests,
            requests_total: self.counters.requests,
            expired_total: self.counters.expired,
            bad_messages_total: self.counters.bad_messages,
            slow_peers_total: self.counters.slow_peers,
            dialects: dialects.map(|(name, of)| (name, of.into())).collect(),
        }
    }
}

/// The service that the client asks for: a JSON string, or the first frame.
fn name_of<F: Frame>(body: Body<F>) -> Vec<u8> {
    if body.encoding == Encoding::Json
        && let Ok(name) = serde_json::from_slice::<String>(&body.bytes)
    {
        return name.into_bytes();
    }
    let first = body.into_frames().into_iter().next();
    first.map(|frame| frame.to_vec()).unwrap_or_default()
}

/// The number in the client's question.
fn number_in<F: Frame>(body: &Body<F>) -> Option<usize> {
    std::str::from_utf8(&body.bytes).ok()?.parse().ok()
}

/// The page and the service in the client's question: a number, a string, or an object with both.
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
