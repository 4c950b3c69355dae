//! Bytes that the driver keeps for peers: messages of a peer that wait for its turn, see [`turns`](super::turns), and
//! messages to a peer that does not take them. This module charges them to the peer, and messages that are not complete.

use super::RoutingId;
use super::accounts::{Accounts, OverLimit};
use super::context::Context;
use super::keys::AccountKey;
use crate::proto::table::Table;
use crate::wire::Frame;

/// Maximum of bytes of each kind that are not charged to a peer, so that a peer whose account is full still gets an answer to each
/// request of a burst. Also the limit for peers with one large message under way.
pub(super) const FREE: usize = 256 * 1024;

/// The same for a message that is not complete.
const FREE_OF_UNFINISHED: usize = 64 * 1024;

/// Where messages wait.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// They came from the peer and wait for its turn.
    From,
    /// They go to the peer, which does not take them.
    To,
    /// One comes from the peer, and is not complete.
    Unfinished,
}

impl Way {
    fn free(self) -> usize {
        match self {
            Way::From | Way::To => FREE,
            Way::Unfinished => FREE_OF_UNFINISHED,
        }
    }
}

/// The account of a peer, and what it was charged for the messages of each way.
#[derive(Debug, Clone, Copy)]
struct Kept {
    account: AccountKey,
    bytes: [usize; 3],
}

impl Kept {
    fn sum(&self) -> usize {
        self.bytes.iter().sum()
    }
}

/// The peers with such messages. An entry has a charge, and exists as long as there is one.
#[derive(Debug, Default)]
pub(super) struct TransportCharges(Table<RoutingId, Kept>);

impl TransportCharges {
    /// The charge for what waits, beyond what is free.
    fn charge(accounts: &Accounts, way: Way, bytes: usize) -> usize {
        bytes.saturating_sub(accounts.free(way.free()))
    }

    /// Whether these bytes have to be charged: they are more than the peer was charged for.
    fn grows(&self, accounts: &Accounts, peer: &[u8], way: Way, bytes: usize) -> bool {
        let known = self.0.get(peer).map_or(0, |kept| kept.bytes[way as usize]);
        TransportCharges::charge(accounts, way, bytes) > known
    }

    /// Charges the growth to the peer, whose user and address are given. Changes nothing if a limit would be exceeded.
    fn grow(
        &mut self,
        accounts: &mut Accounts,
        peer: &[u8],
        (user, address): (Option<&str>, Option<&str>),
        way: Way,
        bytes: usize,
    ) -> Result<(), OverLimit> {
        let due = TransportCharges::charge(accounts, way, bytes);
        if let Some(kept) = self.0.get_mut(peer) {
            let known = &mut kept.bytes[way as usize];
            accounts.charge(kept.account, due - *known)?;
            *known = due;
            return Ok(());
        }
        let id: RoutingId = peer.into();
        let account = accounts.open(&id, user, address);
        if let Err(over) = accounts.charge(account, due) {
            accounts.close(account, 0);
            return Err(over);
        }
        let mut kept = Kept {
            account,
            bytes: [0; 3],
        };
        kept.bytes[way as usize] = due;
        self.0.insert(id, kept);
        Ok(())
    }

    /// Credits the bytes that do not wait any more.
    pub(super) fn shrink(&mut self, accounts: &mut Accounts, peer: &[u8], way: Way, bytes: usize) {
        let Some(kept) = self.0.get_mut(peer) else {
            return;
        };
        let known = &mut kept.bytes[way as usize];
        // Less may be free than when it was charged.
        let due = TransportCharges::charge(accounts, way, bytes).min(*known);
        let surplus = std::mem::replace(known, due) - due;
        accounts.release(kept.account, surplus);
        if kept.sum() == 0 {
            accounts.close(kept.account, 0);
            self.0.remove(peer);
        }
    }

    /// Charges or credits the change of the waiting bytes of a peer, the speaker. Changes nothing if a limit would be exceeded.
    pub(super) fn update<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        peer: &[u8],
        way: Way,
        bytes: usize,
    ) -> Result<(), OverLimit> {
        if !self.grows(&cx.accounts, peer, way, bytes) {
            self.shrink(&mut cx.accounts, peer, way, bytes);
            return Ok(());
        }
        let user = cx.speaker.as_ref().map(|speaker| &*speaker.user);
        let who = (user, cx.addresses.network_of(peer));
        self.grow(&mut cx.accounts, peer, who, way, bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The charges of all peers, and their accounts.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn charges(&self) -> impl Iterator<Item = (AccountKey, usize)> {
        self.0.values().map(|kept| (kept.account, kept.sum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::accounts::{HeldLimits, Scope};

    const NOBODY: (Option<&str>, Option<&str>) = (None, None);

    fn accounts(peer: usize) -> Accounts {
        Accounts::new(HeldLimits {
            peer,
            ..HeldLimits::NONE
        })
    }

    #[test]
    fn each_way_has_a_free_part_and_one_account_has_both() {
        let (mut charges, mut accounts) = (TransportCharges::default(), accounts(100));
        assert!(!charges.grows(&accounts, b"p", Way::From, FREE));
        for (way, bytes) in [(Way::From, 30), (Way::To, 40)] {
            assert!(charges.grows(&accounts, b"p", way, FREE + bytes));
            let grown = charges.grow(&mut accounts, b"p", NOBODY, way, FREE + bytes);
            assert_eq!(grown, Ok(()));
        }
        assert_eq!((accounts.len(), accounts.total()), (1, 70));
        let over = charges.grow(&mut accounts, b"p", NOBODY, Way::To, FREE + 71);
        assert_eq!(over.map_err(|over| over.held), Err(70));
        assert_eq!(accounts.total(), 70);
        charges.shrink(&mut accounts, b"p", Way::To, FREE + 10);
        assert_eq!(accounts.total(), 40);
        charges.shrink(&mut accounts, b"p", Way::To, 0);
        assert!(!charges.is_empty());
        charges.shrink(&mut accounts, b"p", Way::From, FREE);
        assert!(charges.is_empty());
        assert_eq!((accounts.len(), accounts.total()), (0, 0));
    }

    #[test]
    fn a_peer_whose_first_charge_is_refused_has_no_entry() {
        let (mut charges, mut accounts) = (TransportCharges::default(), accounts(10));
        let over = charges.grow(&mut accounts, b"p", NOBODY, Way::From, FREE + 11);
        assert_eq!(over.map_err(|over| over.scope), Err(Scope::Peer));
        assert!(charges.is_empty());
        assert_eq!(accounts.len(), 0);
        charges.shrink(&mut accounts, b"p", Way::From, 0);
    }

    #[test]
    fn a_charge_from_when_more_was_free_is_credited_as_it_was_made() {
        let mut accounts = Accounts::new(HeldLimits {
            total: 8 * FREE,
            ..HeldLimits::NONE
        });
        let mut charges = TransportCharges::default();
        let grow = |charges: &mut TransportCharges, accounts: &mut Accounts, bytes| {
            charges.grow(accounts, b"p", NOBODY, Way::From, bytes)
        };
        assert_eq!(grow(&mut charges, &mut accounts, FREE + 10), Ok(()));
        assert_eq!(accounts.total(), 10);
        accounts.note_connections(2);
        charges.shrink(&mut accounts, b"p", Way::From, FREE + 5);
        assert_eq!(accounts.total(), 10);
        assert_eq!(grow(&mut charges, &mut accounts, FREE + 20), Ok(()));
        assert_eq!(accounts.total(), FREE / 2 + 20);
        charges.shrink(&mut accounts, b"p", Way::From, 0);
        assert_eq!((accounts.total(), accounts.len()), (0, 0));
    }
}
