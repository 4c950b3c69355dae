//! What the broker does when its rules have changed.

use super::Access;
use crate::proto::Time;
use crate::proto::broker::action::Action;
use crate::proto::broker::context::Context;
use crate::proto::broker::keys::{ClientKey, RequestKey, WorkerKey};
use crate::proto::broker::outcome::End;
use crate::proto::broker::survey::Survey;
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
        // What their senders may see may have changed. Tasks that are left over end with their next pieces.
        let asked = surveys.into_iter().flat_map(Survey::into_requests);
        for (from, user, request) in asked {
            if self.authorizer.is_admitted(&from) && self.authorizer.principal_of(&from) == user {
                self.cx.speaker = user;
                self.handle_decoded(&from, request);
                self.cx.speaker = None;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::BrokerConfig;
    use crate::proto::broker::access::principal::Principal;
    use crate::proto::broker::access::rules::{Credentials, Grant, Pattern};
    use std::collections::HashMap;
    use std::time::Duration;

    /// Everyone may serve everything, and call what has this name.
    fn access(call: &str) -> Arc<Access> {
        let mut credentials = Credentials::default();
        credentials.listed.insert("key".into());
        Arc::new(Access {
            credentials,
            users: HashMap::new(),
            others: Grant {
                serve: vec![Pattern::new("w*")],
                call: vec![Pattern::new(call)],
            },
            ask: None,
        })
    }

    #[test]
    fn who_waits_for_a_list_is_told_what_the_new_rules_allow() {
        let mut broker: Broker<Vec<u8>> = Broker::new(BrokerConfig::default());
        let mut now = Time::ZERO + Duration::from_secs(1);
        broker.set_access(now, access("*"));
        let who = Principal {
            credential: "key".into(),
            user: "user".into(),
            metadata: String::new(),
        };
        let who = who.to_text();
        let say = |broker: &mut Broker<Vec<u8>>, from: &str, text: &str| {
            let mut frames = text.split('|').map(|frame| frame.into()).collect();
            broker.handle_message_of(now, from.as_bytes(), Some(&who), &mut frames);
        };
        for n in 0..200 {
            say(&mut broker, &format!("w{n}"), &format!("W|1|w{n}"));
        }
        say(&mut broker, "c", "C|2|mmi.metrics|r1|null|{}");
        say(&mut broker, "c", "C|2|mmi.directory|r2|null|{}");
        assert_eq!(broker.tasks.len(), 2);
        broker.drain_transmits().for_each(drop);
        now = broker.next_deadline().expect("they are made in pieces");
        broker.handle_timeout(now);
        broker.set_access(now, access("mmi.d*"));
        while broker.tasks.len() > 0 {
            now = broker.next_deadline().expect("a piece is left");
            broker.handle_timeout(now);
        }
        let answers = broker.drain_transmits().map(|transmit| {
            let mut frames = Vec::new();
            transmit.encode(&mut frames);
            String::from_utf8_lossy(&frames.concat()).into_owned()
        });
        let answers: Vec<String> = answers.filter(|text| text.starts_with('C')).collect();
        let of = |rid: &str| {
            let mut found = answers.iter().filter(|text| text.contains(rid));
            let answer = found.next().expect("an answer");
            assert!(found.next().is_none(), "{rid}");
            answer
        };
        assert!(of("r1").contains("DENIED"), "{}", of("r1"));
        assert!(of("r2").contains("services"));
        assert!(broker.answers.surveys.is_empty());
    }
}
