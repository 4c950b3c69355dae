//! Backlogs: messages of a peer that wait for its turn, see [`turns`](super::turns). The driver keeps them; this
//! module charges them to the peer.

use super::keys::AccountKey;
use super::{Broker, RoutingId};
use crate::proto::Time;
use crate::proto::table::Table;
use crate::wire::Frame;

/// Bytes of each backlog that are not charged, so that a peer whose account is full still gets an answer to each
/// request of a burst. Also the limit for peers with one large message under way.
const FREE: usize = 256 * 1024;

/// The account and the charge of each backlog.
pub(super) type Backlogs = Table<RoutingId, (AccountKey, usize)>;

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
        let due = bytes.saturating_sub(FREE);
        if let Some((account, charged)) = self.backlogs.remove(peer) {
            match due {
                0 => {
                    self.accounts.close(account, charged);
                    return true;
                }
                _ => self.accounts.credit(account, charged),
            }
            return self.charge_backlog(now, peer, account, due);
        }
        if due == 0 {
            return true;
        }
        self.speak_for(peer);
        let account = self.open_account(&peer.into());
        self.charge_backlog(now, peer, account, due)
    }

    fn charge_backlog(
        &mut self,
        now: Time,
        peer: &[u8],
        account: AccountKey,
        bytes: usize,
    ) -> bool {
        self.speak_for(peer);
        let charged = self.accounts.charge(account, bytes);
        match charged {
            Ok(()) => {
                self.backlogs.insert(peer.into(), (account, bytes));
            }
            Err(over) => {
                self.accounts.close(account, 0);
                self.over_limit(now, peer, over);
                self.send_off(now, peer, over.scope);
            }
        }
        self.speak_for(&[]);
        charged.is_ok()
    }
}
