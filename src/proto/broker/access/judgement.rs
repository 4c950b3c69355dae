//! The judgement on a message. If the rules leave an action open, the application is asked, and the message waits for
//! the answer.

use super::Authorizer;
use super::questions::{PendingMessage, Question};
use super::rules::Verdict;
use crate::proto::broker::accounts::OverLimit;
use crate::proto::broker::action::Action;
use crate::proto::broker::context::Context;
use crate::proto::broker::keys::{Timer, WorkerKey};
use crate::proto::broker::reply_log::ReplyLogs;
use crate::proto::broker::{BrokerEvent, Incoming, RoutingId};
use crate::wire::omdp::WorkerMessage;
use crate::wire::{Dialect, Frame, pigato};
use std::time::Duration;

/// The result for a message.
pub(in crate::proto::broker) enum Judgement {
    Pass,
    Deny,
    /// It waits for the answer to this question, for this time at most.
    Ask(Question, Duration),
}

impl<F: Frame> Authorizer<F> {
    /// Judges a message of the current speaker.
    pub(in crate::proto::broker) fn judge(
        &mut self,
        cx: &mut Context<F>,
        logs: &ReplyLogs<F>,
        from: &[u8],
        message: &Incoming<F>,
    ) -> Judgement {
        let (Some(access), Some(principal)) = (&self.access, &cx.speaker) else {
            return Judgement::Pass;
        };
        let Some((mut action, service)) = message.wants() else {
            self.withdraw(cx, from, message);
            return Judgement::Pass;
        };
        if let Incoming::Worker(WorkerMessage::Ready { hello: None, .. }) = message
            && cx.config.dialects.contains(Dialect::Pigato)
            && pigato::is_pattern(service)
        {
            // It serves the pattern if it turns out to speak PIGATO.
            action = Action::ServePattern;
        }
        let patience = match access.judge(&principal.user, action, service) {
            Verdict::Yes => return Judgement::Pass,
            Verdict::No => return Judgement::Deny,
            Verdict::Ask(patience) => patience,
        };
        let question = Question {
            principal: principal.clone(),
            action,
            service: (&**service).into(),
        };
        match self.questions.answer(&question) {
            Some(true) => Judgement::Pass,
            Some(false) => Judgement::Deny,
            // The request was permitted when it was made. The question is skipped, because a request that is not
            // resumed in time ends.
            None if cx.is_known(logs, from, message) => Judgement::Pass,
            None if self.questions.is_full(&question.principal.user) => Judgement::Deny,
            None => Judgement::Ask(question, patience),
        }
    }

    /// Keeps a message until its question is answered. Returns it if a limit would be exceeded.
    pub(in crate::proto::broker) fn keep(
        &mut self,
        cx: &mut Context<F>,
        from: &[u8],
        (question, patience): (Question, Duration),
        message: Incoming<F>,
    ) -> Result<(), (Incoming<F>, OverLimit)> {
        let from: RoutingId = from.into();
        let account = cx.open_account(&from);
        let charged = message.held();
        if let Err(over) = cx.accounts.charge(account, charged) {
            cx.accounts.close(account, 0);
            return Err((message, over));
        }
        let message = PendingMessage {
            from,
            message,
            account,
            charged,
        };
        let time = |id| cx.deadlines.set(cx.now + patience, Timer::Question(id));
        let asked = question.clone();
        if let Some(id) = self.questions.wait(question, message, time) {
            cx.out.tell(BrokerEvent::Authorize {
                id,
                user: asked.principal.user.as_str().into(),
                metadata: asked.principal.metadata.as_str().into(),
                action: asked.action,
                service: asked.service.into(),
            });
        }
        Ok(())
    }
}

impl<F: Frame> Context<F> {
    /// Whether the message is the RESUME of a request that this broker has, or of whose reply it keeps messages.
    fn is_known(&self, logs: &ReplyLogs<F>, from: &[u8], message: &Incoming<F>) -> bool {
        let Incoming::Request(request) = message else {
            return false;
        };
        let client = self.clients.find(from);
        let client = client.filter(|_| request.past.is_some());
        let rid = &request.head.rid;
        client.is_some_and(|key| {
            let open = self.clients.request(key, rid, &self.requests);
            open.is_some() || logs.keeps(key, rid)
        })
    }

    /// The actions for which a worker needs permission.
    pub(in crate::proto::broker) fn worker_and_service(
        &self,
        key: WorkerKey,
    ) -> Option<(RoutingId, Action, Box<[u8]>)> {
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
