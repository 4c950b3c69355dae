//! Answers of MMI over all services and workers, which are made in pieces. Clients that ask meanwhile get the same
//! answer.

use super::access::principal::Principal;
use super::answers::{List, Query};
use super::incoming::{Incoming, IncomingRequest, RequestHead};
use super::keys::{ServiceKey, WorkerKey};
use super::requests::Content;
use super::snapshot::{Reader, Taking};
use super::stats::{AbsentStats, ServiceStats, WorkerStats};
use super::tasks::Task;
use super::{Broker, RoutingId};
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::json::{Text, bytes_of};
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use serde::Serialize;
use std::ops::Bound;
use std::sync::Arc;

/// Maximum of clients that wait for one answer.
const ASKERS: usize = 64;

/// Maximum of names in one piece.
const NAMES: usize = 512;

/// Services without workers that take the time of one name.
const LOOKS: usize = 8;

/// A client that waits for an answer.
#[derive(Debug)]
struct Asker<F> {
    from: RoutingId,
    /// Its user. Another one may have its name by the time of the answer.
    user: Option<Arc<Principal>>,
    head: RequestHead<F>,
}

/// An answer that is being made.
#[derive(Debug)]
pub(super) struct Survey<F> {
    pub(super) query: Query,
    askers: Vec<Asker<F>>,
    making: Making,
}

impl<F: Frame> Survey<F> {
    /// The requests for the answer, with their senders and their users.
    pub(super) fn into_requests(
        self,
    ) -> impl Iterator<Item = (RoutingId, Option<Arc<Principal>>, Incoming<F>)> {
        // Questions for answers that are made in pieces have no content.
        let content = || Content {
            body: Body::json(F::from(&b"null"[..])),
            opts: None,
        };
        let request = move |head| IncomingRequest {
            head,
            content: content(),
            terms: Terms::default(),
            routing: None,
            past: None,
            recall: None,
            retried: 0,
        };
        let askers = self.askers.into_iter();
        askers.map(move |Asker { from, user, head }| (from, user, Incoming::Request(request(head))))
    }
}

/// The state of an answer that is being made.
#[derive(Debug)]
pub(super) enum Making {
    Metrics(Box<Metrics>),
    Names(Names),
}

impl Making {
    pub(super) fn new<F: Frame>(reader: &Reader<'_, F>, query: &Query) -> Self {
        match query.list {
            List::Metrics => Making::Metrics(Box::new(Metrics {
                taking: reader.begin(),
                services: Vec::new(),
                absent: Vec::new(),
                workers: Vec::new(),
            })),
            _ => Making::Names(Names {
                last: reader.journal.last(),
                at: 0,
                open: None,
                json: Vec::new(),
            }),
        }
    }

    /// Makes a piece. Returns the answer after the last one.
    pub(super) fn go_on<F: Frame>(
        &mut self,
        reader: &Reader<'_, F>,
        query: &Query,
    ) -> Option<Vec<u8>> {
        match self {
            Making::Metrics(metrics) => metrics.go_on(reader),
            Making::Names(names) => {
                let is_done = names.go_on(reader, query.viewer.as_ref());
                is_done.then(|| names.answer(reader, query.list))
            }
        }
    }
}

/// The answer of `mmi.metrics`. The entries become JSON in the pieces.
#[derive(Debug)]
pub(super) struct Metrics {
    taking: Taking,
    services: Vec<u8>,
    absent: Vec<u8>,
    workers: Vec<u8>,
}

impl Metrics {
    fn go_on<F: Frame>(&mut self, reader: &Reader<'_, F>) -> Option<Vec<u8>> {
        let view = reader.peers_view();
        let goes_on = reader.take_more(&view, &mut self.taking);
        let (services, absent, workers) = self.taking.drain();
        append::<ServiceStats>(&mut self.services, services);
        append::<AbsentStats>(&mut self.absent, absent);
        append::<WorkerStats>(&mut self.workers, workers);
        if goes_on {
            return None;
        }
        let taking = std::mem::replace(&mut self.taking, reader.begin());
        let rest = reader.finish(&view, taking);
        let lists = [&self.services[..], &self.absent, &self.workers];
        Some(rest.with_lists(lists))
    }
}

/// Appends entries to the JSON of a list.
fn append<T: Serialize>(json: &mut Vec<u8>, entries: Vec<T>) {
    for entry in entries {
        if !json.is_empty() {
            json.push(b',');
        }
        json.extend(bytes_of(&entry));
    }
}

/// The answers of `mmi.directory` and `$dir`: all services with the names of their workers.
#[derive(Debug)]
pub(super) struct Names {
    /// The number of the latest event at the beginning.
    last: u64,
    /// The index of the next service.
    at: usize,
    /// The service whose workers are being listed, and the latest one.
    open: Option<(Arc<[u8]>, WorkerKey)>,
    json: Vec<u8>,
}

impl Names {
    /// Lists some names. Returns true after the last one.
    fn go_on<F: Frame>(&mut self, reader: &Reader<'_, F>, viewer: Option<&Arc<Principal>>) -> bool {
        let services = &reader.cx.services;
        let mut room = NAMES * LOOKS;
        while self.at < services.end() && room > 0 {
            let service = services.at(self.at);
            let service = service.filter(|service| service.workers > 0);
            let Some(service) = service.filter(|service| reader.may_see(viewer, &service.name))
            else {
                self.close();
                room -= 1;
                continue;
            };
            if self
                .open
                .as_ref()
                .is_some_and(|(name, _)| !Arc::ptr_eq(name, &service.name))
            {
                // Another service has the place now.
                self.close();
                continue;
            }
            let begin = match &self.open {
                Some((_, latest)) => Bound::Excluded(*latest),
                None => {
                    let comma = if self.json.is_empty() { "" } else { "," };
                    self.json.extend_from_slice(comma.as_bytes());
                    self.json.extend(bytes_of(&Text(&service.name)));
                    self.json.extend_from_slice(b":[");
                    Bound::Unbounded
                }
            };
            let workers = reader.cx.workers.serving(ServiceKey(self.at));
            let mut is_first = begin == Bound::Unbounded;
            let mut latest = None;
            for &key in workers
                .range((begin, Bound::Unbounded))
                .take((room / LOOKS).max(1))
            {
                if !std::mem::take(&mut is_first) {
                    self.json.push(b',');
                }
                let id = reader.cx.workers.get(key).map(|worker| &worker.id);
                self.json.extend(bytes_of(&id.map(Text)));
                latest = Some(key);
                room = room.saturating_sub(LOOKS);
            }
            room = room.saturating_sub(LOOKS);
            match latest {
                Some(latest) if workers.last() != Some(&latest) => {
                    self.open = Some((service.name.clone(), latest));
                }
                _ => {
                    self.json.push(b']');
                    self.open = None;
                    self.at += 1;
                }
            }
        }
        self.at >= services.end()
    }

    /// Ends the list of the workers of a service, and goes to the next one.
    fn close(&mut self) {
        if self.open.take().is_some() {
            self.json.push(b']');
        } else {
            self.at += 1;
        }
    }

    fn answer<F: Frame>(&mut self, reader: &Reader<'_, F>, list: List) -> Vec<u8> {
        let names = [b"{", &self.json[..], b"}"].concat();
        if list != List::Directory {
            return names;
        }
        let head = bytes_of(&reader.cx.config.session);
        let last = self.last.to_string();
        let parts: [&[u8]; 7] = [
            br#"{"broker":"#,
            &head,
            br#","last":"#,
            last.as_bytes(),
            br#","services":"#,
            &names,
            b"}",
        ];
        parts.concat()
    }
}

impl<F: Frame> Broker<F> {
    /// Answers a request of a client by a survey, which is begun if it is not being made.
    #[cold]
    pub(super) fn survey(&mut self, query: Query, from: &[u8], head: RequestHead<F>) {
        let mut surveys = std::mem::take(&mut self.answers.surveys);
        let known = surveys.iter_mut().find(|survey| survey.query == query);
        let user = self.cx.speaker.clone();
        let asker = Asker {
            from: from.into(),
            user,
            head,
        };
        let mut refused = None;
        match known {
            Some(survey) => {
                // A request that is resumed has one answer.
                let is_it =
                    |other: &Asker<F>| *other.from == *from && *other.head.rid == *asker.head.rid;
                let is_same = |other: &Asker<F>| is_it(other) && !asker.head.rid.is_empty();
                survey.askers.retain(|other| !is_same(other));
                match survey.askers.len() < ASKERS {
                    true => survey.askers.push(asker),
                    false => refused = Some(asker),
                }
            }
            None => {
                let making = Making::new(&self.reader(self.cx.now), &query);
                surveys.push(Survey {
                    query,
                    askers: vec![asker],
                    making,
                });
                self.put_off(Task::Survey);
            }
        }
        self.answers.surveys = surveys;
        if let Some(asker) = refused {
            self.refuse(from, asker.head, Code::QueueFull);
        }
    }

    /// Makes a piece of the first survey. Returns false if its answer was sent.
    pub(super) fn survey_more(&mut self) -> bool {
        let mut surveys = std::mem::take(&mut self.answers.surveys);
        let now = self.cx.now;
        let answer = surveys.first_mut().map(|survey| {
            let reader = self.reader(now);
            survey.making.go_on(&reader, &survey.query)
        });
        let Some(Some(answer)) = answer else {
            let is_left = answer.is_some();
            self.answers.surveys = surveys;
            return is_left;
        };
        let Survey { query, askers, .. } = surveys.remove(0);
        self.answers.surveys = surveys;
        let answer = F::from(answer);
        self.answers.keep(now, query, answer.clone());
        for Asker { from, user, head } in askers {
            if self.authorizer.principal_of(&from) == user {
                let body = Body::json(answer.clone());
                self.replies
                    .respond(&mut self.cx, &from, head, ReplyKind::Final, body);
            }
        }
        false
    }
}
