//! The questions of MMI that have lists as their answers.

use super::incoming::RequestHead;
use super::principal::Principal;
use crate::proto::code::Code;
use crate::wire::Body;
use std::sync::Arc;

/// The service for which peers of PIGATO ask. A worker may serve it in place of the broker.
pub(super) const DIRECTORY: &[u8] = b"$dir";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Services,
    Workers,
    Clients,
    Metrics,
    Events,
    Stats,
    Directory,
    Identities,
}

impl List {
    /// The list that has this name.
    pub(super) fn named(service: &[u8]) -> Option<Self> {
        Some(match service {
            b"mmi.services" => List::Services,
            b"mmi.workers" => List::Workers,
            b"mmi.clients" => List::Clients,
            b"mmi.metrics" => List::Metrics,
            b"mmi.events" => List::Events,
            b"mmi.stats" => List::Stats,
            b"mmi.directory" => List::Directory,
            DIRECTORY => List::Identities,
            _ => return None,
        })
    }

    /// Whether its answer is over all services, and not paged.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, List::Metrics | List::Directory | List::Identities)
    }
}

/// The parameters of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) list: List,
    pub(super) page: usize,
    /// Restricts the answer to this service.
    pub(super) service: Option<Vec<u8>>,
    /// Restricts the answer to what this principal may see.
    pub(super) viewer: Option<Arc<Principal>>,
}

/// What the broker does about a question.
pub(super) enum Answer<F> {
    /// It answers now; the units of work that it took.
    Now(RequestHead<F>, Body<F>, usize),
    /// The answer is made in pieces by a survey, which is begun now or before.
    Later {
        is_begun: bool,
    },
    Refused(RequestHead<F>, Code),
}
