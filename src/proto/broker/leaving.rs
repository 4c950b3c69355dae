//! Clients that are gone with very many requests. Their requests end in several turns, so that other peers do not
//! wait.

use super::keys::ClientKey;
use crate::proto::deadlines::TimerKey;
use std::collections::VecDeque;

/// Clients that are gone, each with the tokens of its requests that have not ended yet.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    clients: VecDeque<(ClientKey, Vec<u64>)>,
    /// The timer of the next turn; there is one as long as a client is left.
    pub(super) timer: Option<TimerKey>,
}

/// The next task.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The request of this token ends.
    End(u64),
    /// The client has no requests left, and is removed.
    Remove(ClientKey),
}

impl Leaving {
    /// Adds a client with the tokens of its requests; the last one ends first.
    pub(super) fn add(&mut self, client: ClientKey, tokens: Vec<u64>) {
        self.clients.push_back((client, tokens));
    }

    pub(super) fn next(&mut self) -> Option<Next> {
        let (client, tokens) = self.clients.front_mut()?;
        let client = *client;
        match tokens.pop() {
            Some(token) => Some(Next::End(token)),
            None => {
                self.clients.pop_front();
                Some(Next::Remove(client))
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Number of clients.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_in_order_after_their_requests() {
        let mut leaving = Leaving::default();
        leaving.add(ClientKey(1), vec![12, 11]);
        leaving.add(ClientKey(2), vec![]);
        let all: Vec<Next> = std::iter::from_fn(|| leaving.next()).collect();
        let expected = [
            Next::End(11),
            Next::End(12),
            Next::Remove(ClientKey(1)),
            Next::Remove(ClientKey(2)),
        ];
        assert_eq!(all, expected);
        assert!(leaving.is_empty());
    }
}
