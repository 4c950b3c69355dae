//! The end of the requests that a client has not resumed after its return, in pieces.

use super::Broker;
use super::context::Context;
use super::keys::{ClientKey, RequestKey};
use super::outcome::End;
use super::rids::Rids;
use super::tasks::{PIECE, Task};
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
        let rest = Task::Unresumed {
            client: key,
            returned: client.returned,
            requests: client.unresumed.iter().collect(),
            running: Vec::new(),
        };
        self.start(rest);
        self.recalls.ask_for_client(&mut self.cx, key);
    }

    /// Ends some requests that a client has not resumed: first those that wait, then those that run, from the latest to
    /// the first, so that the end of one does not start another one. Returns false if none is left.
    pub(super) fn end_unresumed(
        &mut self,
        client: ClientKey,
        returned: u64,
        requests: &mut Vec<RequestKey>,
        running: &mut Vec<u64>,
    ) -> bool {
        let entry = self.cx.clients.get(client);
        if entry.is_none_or(|client| client.returned != returned) {
            return false;
        }
        let is_left = |cx: &Context<F>, key: RequestKey| {
            let request = cx.requests.get(key);
            request.is_some_and(|request| request.client == client)
                && cx.clients.is_unresumed(key, &cx.requests)
        };
        let (mut room, are_waiting) = (PIECE, !requests.is_empty());
        while room > 0
            && let Some(key) = requests.pop()
        {
            room -= 1;
            if !is_left(&self.cx, key) {
                continue;
            }
            match self.cx.requests.worker(key) {
                Some(_) => running.push(self.cx.requests.token(key)),
                None => self.end(key, End::Cancelled),
            }
        }
        if !requests.is_empty() {
            return true;
        }
        if are_waiting {
            running.sort_unstable();
        }
        while room > 0
            && let Some(token) = running.pop()
        {
            room -= 1;
            if let Some(key) = self
                .cx
                .requests
                .by_token(token)
                .filter(|&key| is_left(&self.cx, key))
            {
                self.end(key, End::Cancelled);
            }
        }
        if !running.is_empty() {
            return true;
        }
        // Further attempts renew tokens.
        let entry = self.cx.clients.get(client);
        requests.extend(entry.into_iter().flat_map(|client| client.unresumed.iter()));
        requests.retain(|&key| is_left(&self.cx, key));
        if requests.is_empty()
            && let Some(client) = self.cx.clients.get_mut(client)
        {
            client.unresumed = Rids::default();
        }
        !requests.is_empty()
    }
}
