//! Answers of MMI over all services and workers, which are made in pieces. Clients that ask meanwhile get the same
//! answer.

mod making;

use super::RoutingId;
use super::access::principal::Principal;
use super::answers::{Answers, Query};
use super::incoming::{Incoming, IncomingRequest, RequestHead};
use super::mmi::Answer;
use super::requests::Content;
use super::snapshot::Reader;
use crate::proto::code::Code;
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
}

/// The state of the first survey after one more piece.
pub(super) enum Surveyed<F> {
    GoesOn,
    /// There is none.
    Nothing,
    /// It is over. The answer, and the clients that get it.
    Made(F, Vec<Asker<F>>),
}

impl<F: Frame> Answers<F> {
    /// Adds a request to the survey that answers it. Begins the survey if it is not being made.
    #[cold]
    pub(super) fn survey(
        &mut self,
        reader: &Reader<'_, F>,
        query: Query,
        from: &[u8],
        head: RequestHead<F>,
    ) -> Answer<F> {
        let asker = Asker {
            from: from.into(),
            user: reader.cx.speaker.clone(),
            head,
        };
        let mut known = self.surveys.iter_mut();
        if let Some(survey) = known.find(|survey| survey.query == query) {
            // A request that is resumed has one answer.
            survey.askers.retain(|other| !other.is(&asker));
            if survey.askers.len() >= ASKERS {
                return Answer::Refused(asker.head, Code::QueueFull);
            }
            survey.askers.push(asker);
            return Answer::Later { is_begun: false };
        }
        let making = Making::new(reader, &query);
        self.surveys.push(Survey {
            query,
            askers: vec![asker],
            making,
        });
        Answer::Later { is_begun: true }
    }

    /// Makes a piece of the first survey.
    pub(super) fn go_on(&mut self, reader: &Reader<'_, F>) -> Surveyed<F> {
        let Some(survey) = self.surveys.first_mut() else {
            return Surveyed::Nothing;
        };
        let Some(answer) = survey.making.go_on(reader, &survey.query) else {
            return Surveyed::GoesOn;
        };
        let Survey {
            query, mut askers, ..
        } = self.surveys.remove(0);
        let answer = F::from(answer);
        self.keep(reader.now, query, answer.clone());
        askers.retain(|asker| reader.authorizer.principal_of(&asker.from) == asker.user);
        Surveyed::Made(answer, askers)
    }
}
