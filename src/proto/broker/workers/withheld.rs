//! The acknowledgements that are withheld from a worker.

use crate::proto::broker::keys::ClientKey;
use crate::wire::omdp::Ack;

/// Maximum of noted clients of a worker. Replies to further clients are kept as long as those to the noted ones.
const MAX_KEPT_FOR: usize = 64;

/// The withheld acknowledgements of a worker.
#[derive(Debug, Default)]
pub(in crate::proto::broker) struct Withheld {
    /// Clients that may have lacked replies of this worker for some time. The acknowledgement is withheld while the
    /// last of them lacks replies.
    clients: Vec<ClientKey>,
    /// Replies that were counted before the newer ones. When the newer ones exceed a limit, these are acknowledged, so
    /// the latest replies are always kept.
    older: Ack,
}

impl Withheld {
    /// Notes a client. `lacks` tells which of those before are still to be kept.
    pub(in crate::proto::broker) fn note(
        &mut self,
        client: ClientKey,
        lacks: impl Fn(ClientKey) -> bool,
    ) {
        if self.clients.contains(&client) {
            return;
        }
        if self.clients.len() >= MAX_KEPT_FOR {
            self.clients.retain(|&each| lacks(each));
        }
        if self.clients.len() < MAX_KEPT_FOR {
            self.clients.push(client);
        }
    }

    /// Takes what is to be acknowledged, of these and the `newer` replies.
    pub(in crate::proto::broker) fn take(
        &mut self,
        newer: &mut Ack,
        lacks: impl Fn(ClientKey) -> bool,
    ) -> Option<Ack> {
        while let Some(&last) = self.clients.last() {
            if !lacks(last) {
                self.clients.pop();
            } else if newer.is_much() {
                let older = std::mem::replace(&mut self.older, std::mem::take(newer));
                return (older.messages > 0).then_some(older);
            } else {
                return None;
            }
        }
        let older = std::mem::take(&mut self.older);
        newer.messages += older.messages;
        newer.bytes = newer.bytes.saturating_add(older.bytes);
        newer.take()
    }

    /// Whether there are no clients.
    pub(in crate::proto::broker) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Forgets what is to be acknowledged on a connection that has ended.
    pub(super) fn forget(&mut self) {
        self.older.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: fn(ClientKey) -> bool = |key| key.0 % 2 == 0;

    fn ack(messages: u32, bytes: u32) -> Ack {
        Ack { messages, bytes }
    }

    #[test]
    fn everything_is_acknowledged_when_no_client_lacks_replies() {
        let mut withheld = Withheld::default();
        for client in [2, 1, 3] {
            withheld.note(ClientKey(client), AWAY);
        }
        let mut newer = ack(70, 9);
        assert_eq!(withheld.take(&mut newer, AWAY), None);
        assert_eq!(withheld.take(&mut newer, |_| false), Some(ack(70, 9)));
        assert_eq!(withheld.take(&mut newer, AWAY), None);
        assert!(withheld.clients.is_empty());
    }

    #[test]
    fn the_latest_replies_are_kept_however_large() {
        let mut withheld = Withheld::default();
        withheld.note(ClientKey(2), AWAY);
        let mut newer = ack(1, 200_000_000);
        assert_eq!(withheld.take(&mut newer, AWAY), None);
        newer.count(1000);
        assert_eq!(withheld.take(&mut newer, AWAY), None);
        newer.count(100_000_000);
        assert_eq!(withheld.take(&mut newer, AWAY), Some(ack(1, 200_000_000)));
        newer.count(5);
        let rest = ack(3, 100_001_005);
        assert_eq!(withheld.take(&mut newer, |_| false), Some(rest));
    }

    #[test]
    fn a_full_list_keeps_those_that_lack_replies() {
        let mut withheld = Withheld::default();
        for client in 0..1000 {
            withheld.note(ClientKey(client), AWAY);
        }
        assert_eq!(withheld.clients.len(), MAX_KEPT_FOR);
        assert!(withheld.clients.iter().filter(|&&key| AWAY(key)).count() >= MAX_KEPT_FOR - 1);
        assert!(withheld.clients.contains(&ClientKey(0)));
    }
}
