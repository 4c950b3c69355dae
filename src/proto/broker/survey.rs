//! Answers of MMI over all services and workers, which are made in pieces. Clients that ask meanwhile get the same
//! answer.

mod making;

use super::RoutingId;
use super::incoming::{Incoming, IncomingRequest, RequestHead};
use super::principal::Principal;
use super::query::Query;
use super::requests::Content;
use super::snapshot::Reader;
use crate::wire::{Body, Frame};
pub(super) use making::Making;
use std::sync::Arc;

/// Maximum of clients that wait for one answer.
const ASKERS: usize = 64;

/// A client that waits for an answer.
#[derive(Debug)]
pub(super) struct Asker<F> {
    pub(super) from: RoutingId,
    /// Its user. Another one may have its name by the time of the answer.
    user: Option<Arc<Principal>>,
    pub(super) head: RequestHead<F>,
}

impl<F: Frame> Asker<F> {
    pub(super) fn new(user: Option<Arc<Principal>>, from: &[u8], head: RequestHead<F>) -> Self {
        let from = from.into();
        Asker { from, user, head }
    }

    /// Whether it is the same request, resumed by its client.
    fn is(&self, other: &Self) -> bool {
        let is_same = *self.from == *other.from && *self.head.rid == *other.head.rid;
        is_same && !self.head.rid.is_empty()
    }
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
        let request = move |head| IncomingRequest::plain(head, content());
        let askers = self.askers.into_iter();
        askers.map(move |Asker { from, user, head }| (from, user, Incoming::Request(request(head))))
    }

    /// Begins an answer, for its first client.
    pub(super) fn new(reader: &Reader<'_, F>, query: Query, asker: Asker<F>) -> Self {
        Survey {
            making: Making::new(reader, &query),
            query,
            askers: vec![asker],
        }
    }

    /// Adds a client that waits for the same answer. Returns it if there are too many.
    pub(super) fn add(&mut self, asker: Asker<F>) -> Result<(), Asker<F>> {
        // A request that is resumed has one answer.
        self.askers.retain(|other| !other.is(&asker));
        if self.askers.len() >= ASKERS {
            return Err(asker);
        }
        self.askers.push(asker);
        Ok(())
    }

    /// Makes a piece. Returns the answer after the last one.
    pub(super) fn go_on(&mut self, reader: &Reader<'_, F>) -> Option<Vec<u8>> {
        self.making.go_on(reader, &self.query)
    }

    /// The query, and the clients that get the answer: those that still have their users.
    pub(super) fn end(self, reader: &Reader<'_, F>) -> (Query, Vec<Asker<F>>) {
        let mut askers = self.askers;
        askers.retain(|asker| reader.authorizer.principal_of(&asker.from) == asker.user);
        (self.query, askers)
    }
}
