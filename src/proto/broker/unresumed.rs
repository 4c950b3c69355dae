//! The end of the requests that a client has not resumed after its return, in pieces.

use super::Broker;
use super::context::Context;
use super::keys::ClientKey;
use super::rids::Rids;
use super::tasks::{Cancellation, Task};
use crate::wire::Frame;

impl<F: Frame> Broker<F> {
    /// Cancels the requests that a client has not resumed at the end of its RESUMEs. Those of a connection that is
    /// already known to be broken were not answered, so nothing is forgotten.
    pub(super) fn on_all_resumed(&mut self, key: ClientKey) {
        let client = self.cx.clients.get(key);
        if client.is_none_or(|client| client.absence.is_some()) {
            return;
        }
        self.replies.logs.forget_lost(key);
        self.replies.logs.release(&mut self.cx, key);
        let Some(client) = self.cx.clients.get(key) else {
            return;
        };
        self.start(Task::Unresumed {
            rest: Cancellation::new(key, client.unresumed.iter().collect()),
            returned: client.returned,
        });
        self.recalls.ask_for_client(&mut self.cx, key);
        self.take_up(key);
    }

    /// Ends some requests that a client has not resumed. Returns false if none is left.
    pub(super) fn end_unresumed(&mut self, rest: &mut Cancellation, returned: u64) -> bool {
        let client = rest.client;
        let entry = self.cx.clients.get(client);
        if entry.is_none_or(|client| client.returned != returned) {
            return false;
        }
        let is_unresumed = |cx: &Context<F>, key| {
            let request = cx.requests.get(key);
            request.is_some_and(|request| request.client == client)
                && cx.clients.is_unresumed(key, &cx.requests)
        };
        let is_left = self.cancel_some(rest, |client| &client.unresumed, is_unresumed);
        if !is_left && let Some(client) = self.cx.clients.get_mut(client) {
            client.unresumed = Rids::default();
        }
        is_left
    }
}
