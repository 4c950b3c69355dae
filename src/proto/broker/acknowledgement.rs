//! Acknowledgements to workers, which keep their replies until then. One is withheld while a client may lack replies of
//! the worker: if this broker dies meanwhile, only the worker has them.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::roster::stamp;
use super::workers::Worker;
use crate::wire::Frame;
use crate::wire::omdp::{Ack, ToWorker};

/// Maximum of clients that are noted as those for which a worker keeps its replies. Further ones share the protection of
/// these.
const MAX_KEPT_FOR: usize = 64;

/// The withheld acknowledgements of a worker.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    /// Clients that may have lacked replies of this worker for some time. The last one that still does decides.
    clients: Vec<ClientKey>,
    /// The older replies, apart from those that are counted since. When the newer ones are much, these are acknowledged,
    /// so the latest replies are always kept, however large each is.
    older: Ack,
}

impl Withheld {
    /// Notes a client. `lacks` tells which of those before are still to be kept.
    fn note(&mut self, client: ClientKey, lacks: impl Fn(ClientKey) -> bool) {
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
    fn take(&mut self, newer: &mut Ack, lacks: impl Fn(ClientKey) -> bool) -> Option<Ack> {
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
}

impl Worker {
    /// Forgets what is to be acknowledged on a connection that has ended.
    pub(super) fn owes_no_acknowledgement(&mut self) {
        self.unacknowledged.take();
        self.withheld.older.take();
    }
}

impl<F: Frame> Context<F> {
    /// Counts a reply for the acknowledgement. A worker keeps its replies until they are acknowledged.
    pub(super) fn acknowledge(&mut self, key: WorkerKey, bytes: usize) {
        let worker = self.workers.get_mut(key);
        if let Some(worker) = worker.filter(|worker| worker.hello.is_some())
            && worker.unacknowledged.count(bytes)
            && let Some(ack) = self.take_ack(key)
        {
            let message = self.ack_for(key, ack);
            self.send_worker(key, message);
        }
    }

    /// Takes the acknowledgement for a worker, if there is anything to acknowledge and it is not withheld.
    pub(super) fn take_ack(&mut self, key: WorkerKey) -> Option<Ack> {
        let worker = self.workers.get_mut(key)?;
        if worker.withheld.clients.is_empty() {
            return worker.unacknowledged.take();
        }
        let clients = &self.clients;
        let lacks = |key| clients.get(key).is_some_and(|each| each.lacks_replies());
        worker.withheld.take(&mut worker.unacknowledged, lacks)
    }

    /// Notes that the client of this request may lack a reply for some time.
    #[cold]
    pub(super) fn keep_at_worker(&mut self, request: RequestKey) {
        let worker = self.requests.worker(request);
        let Some(client) = self.requests.get(request).map(|request| request.client) else {
            return;
        };
        if let Some(worker) = worker.and_then(|key| self.workers.get_mut(key)) {
            let clients = &self.clients;
            let lacks = |key| clients.get(key).is_some_and(|each| each.lacks_replies());
            worker.withheld.note(client, lacks);
        }
    }

    /// Adds the time to an acknowledgement, for workers that record it.
    pub(super) fn ack_for(&self, key: WorkerKey, ack: Ack) -> ToWorker<F> {
        let worker = self.workers.get(key);
        let is_asked = worker.is_some_and(Worker::is_asked);
        let stamp = is_asked.then(|| stamp(self.now));
        ToWorker::Ack { ack, stamp }
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
