//! The end of requests: every request ends here, whether it was admitted or not, and is counted by the
//! [`tally`](super::tally). Two kinds are not counted: questions to the broker itself ([`Broker::answer_own`]), and requests
//! that the broker leaves to the next one when it stops ([`handover`](super::handover)).

use super::Broker;
use super::incoming::RequestHead;
use super::keys::{RequestKey, ServiceKey};
use super::outcome::{End, text_of};
use super::requests::State;
use super::tasks::{Ending, Task};
use super::workers::Owed;
use crate::proto::code::Code;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Frame};

impl<F: Frame> Broker<F> {
    /// Ends an admitted request, and dispatches.
    pub(super) fn end(&mut self, key: RequestKey, end: End<F>) {
        let Some(service) = self.conclude(key, end, true) else {
            return;
        };
        self.dispatch(service);
        self.cx.services.release(service);
        self.end_dependents();
    }

    /// Ends a request that was assigned to a worker but is not sent to it. The caller dispatches.
    pub(super) fn end_unsent(&mut self, key: RequestKey, end: End<F>) {
        self.conclude(key, end, false);
        self.end_dependents();
    }

    /// The exit of every admitted request: replies to its client, frees its worker, which is told if it was sent the
    /// request and has not answered it, and forgets the request. Returns its service.
    #[inline(always)]
    fn conclude(&mut self, key: RequestKey, end: End<F>, was_sent: bool) -> Option<ServiceKey> {
        let request = self.cx.requests.get(key)?;
        let (service, worker) = (request.service, request.worker());
        let replied = self.tally.count_end(&mut self.cx, key, &end);
        let answered = matches!(end, End::Answered(..));
        match end {
            End::Answered(kind, body) => self.replies.reply(&mut self.cx, key, kind, body),
            End::Failed(code) => {
                self.replies
                    .reply(&mut self.cx, key, ReplyKind::OwnError, text_of(code))
            }
            End::Cancelled | End::ExpiredAtClient => {}
        }
        let Some(worker) = worker else {
            self.cx.leave_queue(key);
            self.forget_request(key);
            return Some(service);
        };
        let cancelled =
            (was_sent && !answered).then(|| (self.cx.requests.token(key), self.owed(key)));
        self.cx.unassign(worker, key);
        self.forget_request(key);
        if let Some(entry) = self.cx.workers.get_mut(worker) {
            match cancelled {
                None if answered => {
                    entry.pace.end();
                    entry.ended += u64::from(replied);
                }
                None => {}
                Some((token, _)) if entry.hello.is_some() => {
                    self.cx.send_worker(worker, ToWorker::Cancel { token });
                }
                Some((_, owed)) => entry.owe(owed),
            }
            self.line_up(worker);
        }
        Some(service)
    }

    /// Refuses a request. Nothing is kept of it.
    pub(super) fn refuse(&mut self, from: &[u8], head: RequestHead<F>, code: Code) {
        self.tally.count_refusal(&mut self.cx, from, &head, code);
        self.replies
            .respond(&mut self.cx, from, head, ReplyKind::OwnError, text_of(code));
    }

    /// Answers a question to the broker itself, which is no request of a service.
    pub(super) fn answer_own(&mut self, from: &[u8], head: RequestHead<F>, body: Body<F>) {
        self.replies
            .respond(&mut self.cx, from, head, ReplyKind::Final, body);
    }

    /// Ends very many requests in pieces, the first of them now.
    pub(super) fn end_all(&mut self, mut tokens: Vec<u64>, ending: Ending) {
        // The last one is next.
        tokens.reverse();
        self.start(Task::Ends { tokens, ending });
    }

    /// Ends a request that is one of many.
    pub(super) fn end_one_of(&mut self, token: u64, ending: Ending) {
        let Some(key) = self.cx.requests.by_token(token) else {
            return;
        };
        match ending {
            Ending::Cancelled => self.end(key, End::Cancelled),
            Ending::WorkerLost => self.end(key, End::Failed(Code::WorkerLost)),
        }
    }

    fn owed(&self, key: RequestKey) -> Option<Owed> {
        let request = self.cx.requests.get(key)?;
        let client = self.cx.clients.get(request.client)?;
        Some(Owed {
            client: client.id.clone(),
            rid: (&*request.name_without_token()).into(),
        })
    }

    /// The last step of every end: removes the request and all that refers to it.
    fn forget_request(&mut self, key: RequestKey) {
        let Some(request) = self.cx.requests.remove(key) else {
            return;
        };
        self.cx
            .deadlines
            .cancel(request.deadline.as_ref().map(|deadline| deadline.timer));
        self.cx.forget_search(&request.state);
        if self.cx.requests.len() == 0 {
            self.parking.close(&mut self.cx);
        }
        self.replies.collected.forget(key);
        if let Some(client) = self.cx.clients.get_mut(request.client) {
            self.cx.accounts.release(client.account, request.charged);
            if let State::Assigned(assigned) = &request.state {
                client.unread -= assigned.unread;
            }
        }
        let client = self
            .cx
            .clients
            .remove_request(request.client, key, &request.rid);
        self.close_client(client);
        self.dependents.note(&request);
    }

    /// Ends a request for which there is no worker.
    #[cold]
    pub(super) fn end_for_nobody(&mut self, key: RequestKey) {
        if let Some(request) = self.cx.requests.get(key) {
            let code = request.code_for_nobody();
            self.end(key, End::Failed(code));
        }
    }

    /// Ends a request in a queue if no worker can get it.
    pub(super) fn end_unplaceable(&mut self, key: RequestKey) {
        if let Some(code) = self.cx.unplaceable(key) {
            self.end(key, End::Failed(code));
        }
    }

    /// Ends requests that depend on ended requests.
    #[inline]
    pub(super) fn end_dependents(&mut self) {
        if !self.dependents.is_empty() {
            self.end_all_dependents();
        }
    }

    #[cold]
    fn end_all_dependents(&mut self) {
        if let Some(tokens) = self.dependents.take_many_orphans() {
            let ending = Ending::Cancelled;
            self.put_off(Task::Ends { tokens, ending });
        }
        while let Some(token) = self.dependents.next_orphan() {
            self.end_one_of(token, Ending::Cancelled);
        }
        while let Some(whole) = self.dependents.next_gathered(&mut self.cx) {
            self.end_gathering(whole);
        }
    }

    /// Ends a fan-out after its last copy.
    pub(super) fn end_gathering(&mut self, key: RequestKey) {
        let nothing = Body::json(F::from(&b"null"[..]));
        self.end(key, End::Answered(ReplyKind::Final, nothing));
    }
}
