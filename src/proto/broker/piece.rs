//! A piece of work on very many items, which is done in pieces so that other peers do not wait.

use super::keys::{ClientKey, RequestKey};
use super::requests::Request;
use crate::proto::Time;

/// Maximum of requests in one piece.
pub(super) const PIECE: usize = 128;

/// What is left of a piece: it ends after [`PIECE`] items, or earlier if these took very much work.
#[derive(Debug)]
pub(super) struct Piece {
    items: usize,
    /// Units of work at which it ends.
    until: u32,
}

impl Piece {
    /// Given the units of work so far.
    pub(super) fn new(work: u32) -> Self {
        Piece {
            items: PIECE,
            until: work.saturating_add(PIECE as u32),
        }
    }

    /// Whether there is room for one more item, given the units of work so far. The first one always has room.
    pub(super) fn has_room(&mut self, work: u32) -> bool {
        let has_room = self.items == PIECE || self.items > 0 && work < self.until;
        self.items = self.items.saturating_sub(1);
        has_room
    }
}

/// The rest of the requests that a client had at a time. The last one is next.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) client: ClientKey,
    pub(super) requests: Vec<RequestKey>,
    pub(super) since: Time,
}

impl Earlier {
    /// Whether the entry of a request still belongs to one of them.
    pub(super) fn has<F>(&self, request: &Request<F>) -> bool {
        request.client == self.client && request.arrived <= self.since
    }
}
