//! Bytes that the driver keeps for peers: messages of a peer that wait for its turn, see [`turns`](super::turns), and
//! messages to a peer that does not take them. This module charges them to the peer.

use super::accounts::Scope;
use super::keys::AccountKey;
use super::{Broker, RoutingId};
use crate::proto::Time;
use crate::proto::table::Table;
use crate::wire::Frame;

/// Bytes of each kind that are not charged to a peer, so that a peer whose account is full still gets an answer to each
/// request of a burst. Also the limit for peers with one large message under way.
const FREE: usize = 256 * 1024;

/// Bytes that may wait for a peer although a limit is reached that other peers may have filled.
const INNOCENT: usize = 1024 * 1024;

/// Bytes that the driver keeps for one peer, beyond [`FREE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) account: AccountKey,
    /// Messages from the peer that wait for its turn.
    sent: usize,
    /// Messages to the peer that it does not take.
    ready: usize,
}

impl Kept {
    pub(super) fn bytes(&self) -> usize {
        self.sent + self.ready
    }
}

/// The account and the charge of each peer with such messages.
pub(super) type Backlogs = Table<RoutingId, Kept>;

impl<F: Frame> Broker<F> {
    /// Units of work of the latest message beyond the first, see [`turns`](super::turns).
    #[inline]
    pub fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.work)
    }

    /// Adds to the units of [`take_work`](Self::take_work), for work that takes longer than a request.
    pub(super) fn count_work(&mut self, units: usize) {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.work = self.work.saturating_add(units);
    }

    /// Charges the current backlog of a peer, in bytes. Returns false if it is too large: the peer is banned, and the
    /// driver discards the backlog.
    pub fn handle_backlog(&mut self, now: Time, peer: &[u8], bytes: usize) -> bool {
        self.charge_kept(
            now,
            peer,
            |kept| kept.sent = bytes.saturating_sub(FREE),
            true,
        )
        .is_ok()
    }

    /// Charges the messages that wait for this peer to take them, in bytes. Returns false if they are too many: the
    /// driver then calls [`handle_overflow`](Self::handle_overflow).
    pub fn handle_ready(&mut self, now: Time, peer: &[u8], bytes: usize) -> bool {
        let due = bytes.saturating_sub(FREE);
        if due == 0 && self.backlogs.is_empty() {
            return true;
        }
        let mine = |scope| matches!(scope, Scope::Peer | Scope::User);
        match self.charge_kept(now, peer, |kept| kept.ready = due, false) {
            Ok(()) => true,
            Err(scope) => bytes <= INNOCENT && !mine(scope),
        }
    }

    fn charge_kept(
        &mut self,
        now: Time,
        peer: &[u8],
        set: impl FnOnce(&mut Kept),
        send_off: bool,
    ) -> Result<(), Scope> {
        let known = self.backlogs.get(peer).copied();
        let mut kept = known.unwrap_or(Kept {
            account: AccountKey(usize::MAX),
            sent: 0,
            ready: 0,
        });
        let before = kept.bytes();
        set(&mut kept);
        let after = kept.bytes();
        if after <= before {
            if known.is_some() && after == 0 {
                self.accounts.close(kept.account, before);
                self.backlogs.remove(peer);
            } else if known.is_some() {
                self.accounts.credit(kept.account, before - after);
                self.backlogs.insert(peer.into(), kept);
            }
            return Ok(());
        }
        self.speak_for(peer);
        if known.is_none() {
            kept.account = self.open_account(&peer.into());
        }
        let charged = self.accounts.charge(kept.account, after - before);
        match charged {
            Ok(()) => {
                self.backlogs.insert(peer.into(), kept);
            }
            Err(over) => {
                if known.is_none() {
                    self.accounts.close(kept.account, 0);
                }
                self.over_limit(now, peer, over);
                if send_off {
                    self.send_off(now, peer, over.scope);
                    self.handle_backlog(now, peer, 0);
                }
            }
        }
        self.speak_for(&[]);
        charged.map_err(|over| over.scope)
    }
}
