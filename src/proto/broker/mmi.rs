//! MMI, <https://rfc.zeromq.org/spec/8/>: services that the broker itself answers, in every dialect. `mmi.service` is
//! defined by the standard; the others are extensions and answer with JSON.
//! [`answers`](super::answers) bounds their cost.

use super::answers::{Answers, Known};
use super::homes::COMPARED;
use super::incoming::RequestHead;
use super::mmi_entries::Totals;
use super::principal::Principal;
use super::query::{Answer, DIRECTORY, List, Query};
use super::services::Services;
use super::snapshot::Reader;
use super::survey::Making;
use crate::proto::code::Code;
use crate::wire::json::bytes_of;
use crate::wire::members::{Scalar, members};
use crate::wire::sizes::MAX_SERVICE;
use crate::wire::{Body, Encoding, Frame};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of an answer that take one unit of work.
const UNIT: usize = 1024;

/// Services or workers that are looked at in one unit of work.
const LOOKS: usize = 512;

/// Maximum of services and workers in an answer that is made at once.
const AT_ONCE: usize = 64;

/// Maximum length of a question, in bytes.
const MAX_QUESTION: usize = 4096;

/// Whether a name is reserved for the broker.
pub(super) fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(b"mmi.")
}

/// Whether the broker itself answers requests to this service.
pub(super) fn is_own(services: &Services, service: &[u8]) -> bool {
    match service.first() {
        Some(b'm') => is_reserved(service),
        Some(b'$') => service == DIRECTORY && !services.is_served(service),
        _ => false,
    }
}

impl<F: Frame> Answers<F> {
    /// Answers a request.
    pub(super) fn answer(
        &mut self,
        reader: &Reader<'_, F>,
        from: &[u8],
        head: RequestHead<F>,
        body: Body<F>,
    ) -> Answer<F> {
        // No valid question is longer, and parsing takes time.
        let body = match body.bytes.len() <= MAX_QUESTION {
            true => body,
            false => Body::json(F::from(&b"null"[..])),
        };
        let Some(list) = List::named(&head.service) else {
            let name = name_of(body);
            let is_served = &*head.service == b"mmi.service" && reader.tells_of(&name);
            let work = reader.cx.services.comparisons(&name) / COMPARED;
            let text: &[u8] = match &*head.service {
                b"mmi.service" if is_served => b"200",
                b"mmi.service" => b"404",
                _ => b"501",
            };
            return Answer::Now(head, Body::json(F::from(text)), work);
        };
        let query = reader.query(list, body);
        match self.find(reader.now, &query) {
            Known::Answer(answer) => return Answer::Now(head, Body::json(answer), 0),
            Known::TooMany => return Answer::Refused(head, Code::QueueFull),
            Known::Soon => return self.survey(reader, query, from, head),
            Known::Nothing => {}
        }
        let is_whole = list.is_whole() && query.service.is_none();
        if is_whole && reader.looked_at(&query) > AT_ONCE {
            return self.survey(reader, query, from, head);
        }
        let answer = reader.answer(&query);
        let work = answer.len() / UNIT + reader.looked_at(&query) / LOOKS;
        let answer = F::from(answer);
        self.keep(reader.now, query, answer.clone());
        Answer::Now(head, Body::json(answer), work)
    }
}

impl<F: Frame> Reader<'_, F> {
    fn viewer(&self) -> Option<Arc<Principal>> {
        self.authorizer.viewer(self.cx.speaker.as_ref())
    }

    /// Whether a service has workers, as far as the sender may know.
    fn tells_of(&self, name: &[u8]) -> bool {
        let viewer = self.viewer();
        let sees = viewer.is_none_or(|viewer| self.authorizer.sees(&viewer, name));
        sees && name.len() <= MAX_SERVICE && self.cx.services.is_served(name)
    }

    /// The parameters of an answer to this question.
    fn query(&self, list: List, body: Body<F>) -> Query {
        let (mut page, mut service) = (0, None);
        match list {
            List::Services | List::Workers => (page, service) = question_in(&body),
            // The number of the latest event that the client knows.
            List::Events => page = number_in(&body).unwrap_or(usize::MAX),
            List::Identities => {
                let is_all = body.bytes.is_empty() || body.is_null();
                service = (!is_all).then(|| name_of(body));
            }
            List::Directory | List::Clients | List::Metrics | List::Stats => {}
        }
        let is_of_all = matches!(list, List::Clients | List::Metrics | List::Stats);
        Query {
            list,
            page,
            service,
            viewer: (!is_of_all).then(|| self.viewer()).flatten(),
        }
    }

    /// How many services or workers an answer looks at.
    fn looked_at(&self, query: &Query) -> usize {
        let [_, workers, _, services] = self.cx.load();
        match query.list {
            List::Services | List::Workers if query.service.is_some() => 0,
            List::Services => services,
            List::Workers => workers,
            List::Identities if query.service.is_some() => 0,
            List::Metrics | List::Directory | List::Identities => services + workers,
            List::Clients | List::Events | List::Stats => 0,
        }
    }

    fn answer(&self, query: &Query) -> Vec<u8> {
        let Query {
            list,
            page,
            service,
            viewer,
        } = query;
        let (viewer, service) = (viewer.as_ref(), service.as_deref());
        match list {
            List::Services => self.list_services(*page, service, viewer),
            List::Workers => match service {
                Some(service) => self.list_instances(*page, service, viewer),
                None => self.list_workers(*page, viewer),
            },
            List::Clients => bytes_of(&self.client_stats(&self.peers_view())),
            List::Events => {
                let known = (*page < usize::MAX).then_some(*page as u64);
                self.list_events(known, viewer)
            }
            List::Stats => bytes_of(&self.totals()),
            List::Identities if service.is_some() => {
                self.list_identities(service.unwrap_or_default(), viewer)
            }
            List::Metrics | List::Directory | List::Identities => {
                let mut making = Making::new(self, query);
                loop {
                    if let Some(answer) = making.go_on(self, query) {
                        return answer;
                    }
                }
            }
        }
    }

    fn totals(&self) -> Totals {
        let [requests, workers, clients, services] = self.cx.load();
        let mut dialects = BTreeMap::new();
        // Not collected, which would be a sort.
        for (name, stats) in self.dialect_stats() {
            dialects.insert(name, stats.into());
        }
        Totals {
            services,
            workers,
            clients,
            requests,
            requests_total: self.cx.counters.requests,
            expired_total: self.cx.counters.expired,
            bad_messages_total: self.cx.counters.bad_messages,
            slow_peers_total: self.cx.counters.slow_peers,
            dialects,
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
