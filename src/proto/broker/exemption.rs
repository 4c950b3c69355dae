//! The one incomplete message that may exceed limits of held bytes that peers share. It is the reply of a worker: the
//! reply frees what its request makes the broker keep, and if it were refused, neither would ever be free.

use super::RoutingId;
use crate::proto::Time;
use std::time::Duration;

/// Bytes of the message that have to arrive within the patience; otherwise another worker gets the exemption.
const PROGRESS: usize = 1024 * 1024;

/// The exemption. There is one in the whole broker, because its bytes are not charged.
#[derive(Debug, Default)]
pub(super) struct Exemption {
    holder: Option<Holder>,
    /// A peer that lost the exemption to another one; the driver drops its message.
    lost: Option<RoutingId>,
}

#[derive(Debug)]
struct Holder {
    peer: RoutingId,
    /// Received bytes at the last check of the progress.
    bytes: usize,
    at: Time,
    /// Whether a message of another worker was refused meanwhile.
    is_wanted: bool,
}

impl Exemption {
    /// Whether this peer has the exemption for this number of bytes. It gets the exemption if no other peer has it, or the
    /// message of the other one hardly grows.
    pub(super) fn covers(
        &mut self,
        now: Time,
        patience: Duration,
        peer: &[u8],
        bytes: usize,
    ) -> bool {
        let new = || Holder {
            peer: peer.into(),
            bytes,
            at: now,
            is_wanted: false,
        };
        let holder = self.holder.get_or_insert_with(new);
        if *holder.peer != *peer {
            // It may send nothing any more, so it is not asked.
            if now.since(holder.at) >= patience && self.lost.is_none() {
                let before = std::mem::replace(holder, new());
                self.lost = Some(before.peer);
                return true;
            }
            holder.is_wanted = true;
            return false;
        }
        // Less is there if it is another message.
        if bytes < holder.bytes || bytes >= holder.bytes + PROGRESS {
            (holder.bytes, holder.at) = (bytes, now);
        }
        let is_kept = !holder.is_wanted || now.since(holder.at) < patience;
        if !is_kept {
            self.holder = None;
        }
        is_kept
    }

    /// Handles that all of the peer's message is charged, or that there is none.
    pub(super) fn end(&mut self, peer: &[u8]) {
        if self
            .holder
            .as_ref()
            .is_some_and(|holder| *holder.peer == *peer)
        {
            self.holder = None;
        }
    }

    pub(super) fn take_lost(&mut self) -> Option<RoutingId> {
        self.lost.take()
    }
}
