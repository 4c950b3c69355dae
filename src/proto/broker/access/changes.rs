//! What the broker does when its rules have changed.

use super::Access;
use crate::proto::Time;
use crate::proto::broker::action::Action;
use crate::proto::broker::context::Context;
use crate::proto::broker::keys::{ClientKey, RequestKey, WorkerKey};
use crate::proto::broker::outcome::End;
use crate::proto::broker::{Broker, Departure, RoutingId};
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, ToWorker};
use std::sync::Arc;

impl<F: Frame> Context<F> {
    fn worker_and_service(&self, key: WorkerKey) -> Option<(RoutingId, Action, Box<[u8]>)> {
        let worker = self.workers.get(key)?;
        let action = match self.services.is_pattern(worker.service) {
            true => Action::ServePattern,
            false => Action::Serve,
        };
        Some((
            worker.id.clone(),
            action,
            (&*self.services.name(worker.service)).into(),
        ))
    }
}

impl<F: Frame> Broker<F> {
    /// Replaces the rules. Clients that the new rules do not admit are disconnected, and so are workers that they do
    /// not allow to serve their service.
    pub fn set_access(&mut self, now: Time, access: Arc<Access>) {
        self.cx.now = now;
        self.authorizer.questions.forget_answers();
        self.answers.clear();
        let surveys = std::mem::take(&mut self.answers.surveys);
        let again = surveys
            .into_iter()
            .map(|survey| survey.again(&self.reader(self.cx.now)));
        self.answers.surveys = again.collect();
        for known in self.authorizer.known.values_mut() {
            known.admitted = access.admits(&known.principal);
            known.dismissed &= !known.admitted;
        }
        self.authorizer.access = Some(access);
        for pending in self.authorizer.questions.take_all() {
            self.cx.deadlines.cancel(pending.timer);
            // The new rules may decide without a question.
            self.replay(pending.messages);
        }
        for key in self.cx.workers.keys() {
            if let Some((worker, action, service)) = self.cx.worker_and_service(key)
                && !self.authorizer.still_serves(&worker, action, &service)
            {
                self.cx.send_worker(key, ToWorker::Disconnect);
                self.remove_worker(key, Departure::Denied);
            }
        }
        for key in self.cx.clients.keys() {
            let id = self.cx.clients.get(key).map(|client| client.id.clone());
            if id.is_some_and(|id| !self.authorizer.is_admitted(&id)) {
                self.dismiss_client(key);
            }
        }
    }

    fn dismiss_client(&mut self, key: ClientKey) {
        // As with a lost broker: under these rules the client cannot resume its requests.
        let requests = self
            .cx
            .clients
            .get(key)
            .map(|client| client.requests.iter());
        let requests: Vec<RequestKey> = requests.into_iter().flatten().collect();
        for request in requests {
            self.end(request, End::Failed(Code::BrokerLost));
        }
        if self.cx.clients.is_extended(key) {
            self.cx.send_client(key, ToClient::Disconnect);
        }
        self.drop_client(key);
    }
}
