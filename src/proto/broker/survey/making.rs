//! Makes the answers over all services and workers, piece by piece.

use crate::proto::broker::keys::{ServiceKey, WorkerKey};
use crate::proto::broker::principal::Principal;
use crate::proto::broker::query::{List, Query};
use crate::proto::broker::services::Service;
use crate::proto::broker::snapshot::{Reader, Taking};
use crate::proto::broker::stats::{AbsentStats, ServiceStats, WorkerStats};
use crate::wire::Frame;
use crate::wire::json::{Text, bytes_of};
use serde::Serialize;
use std::ops::Bound;
use std::sync::Arc;

/// Maximum of names in one piece.
const NAMES: usize = 512;

/// Services without workers that take the time of one name.
const LOOKS: usize = 8;

/// The state of an answer that is being made.
#[derive(Debug)]
pub(in crate::proto::broker) enum Making {
    Metrics(Box<Metrics>),
    Names(Names),
}

impl Making {
    pub(in crate::proto::broker) fn new<F: Frame>(reader: &Reader<'_, F>, query: &Query) -> Self {
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
    pub(in crate::proto::broker) fn go_on<F: Frame>(
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
pub(in crate::proto::broker) struct Metrics {
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
pub(in crate::proto::broker) struct Names {
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
            match service.filter(|service| reader.may_see(viewer, &service.name)) {
                Some(service) if self.is_for(service) => room = self.list(reader, service, room),
                _ => {
                    self.close();
                    room -= 1;
                }
            }
        }
        self.at >= services.end()
    }

    /// Whether the list that is open, if any, is that of this service: another one may have the place now.
    fn is_for(&self, service: &Service) -> bool {
        let open = self.open.as_ref();
        open.is_none_or(|(name, _)| Arc::ptr_eq(name, &service.name))
    }

    /// Lists workers of a service. Returns what is left of the room.
    fn list<F: Frame>(&mut self, reader: &Reader<'_, F>, service: &Service, room: usize) -> usize {
        let begin = match &self.open {
            Some((_, latest)) => Bound::Excluded(*latest),
            None => {
                self.json.extend((!self.json.is_empty()).then_some(b','));
                self.json.extend(bytes_of(&Text(&service.name)));
                self.json.extend_from_slice(b":[");
                Bound::Unbounded
            }
        };
        let workers = reader.cx.workers.serving(ServiceKey(self.at));
        let some = workers.range((begin, Bound::Unbounded));
        let (mut latest, mut listed) = (None, 0);
        for &key in some.take((room / LOOKS).max(1)) {
            if begin != Bound::Unbounded || latest.is_some() {
                self.json.push(b',');
            }
            let id = reader.cx.workers.get(key).map(|worker| &worker.id);
            self.json.extend(bytes_of(&id.map(Text)));
            latest = Some(key);
            listed += 1;
        }
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
        room.saturating_sub((listed + 1) * LOOKS)
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
