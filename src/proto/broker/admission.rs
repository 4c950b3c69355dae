//! Admission: every request enters here, in any dialect, whether it is new or resumed from an
//! earlier broker. An admitted request is never refused later.

mod new_request;

use super::fanout::Refusal;
use super::incoming::{IncomingRequest, RequestHead};
use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::metrics::COUNTS;
use super::outcome::End;
use super::query::Answer;
use super::requests::{Content, NewRequest, Queued, State};
use super::resume_answers::Resumed;
use super::tasks::Task;
use super::{Broker, fanout, mmi};
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::omdp::{Past, Recall};
use crate::wire::{Body, Dialect, Frame, Malformed};
use new_request::charge_of;

impl<F: Frame> Broker<F> {
    pub(super) fn admit(
        &mut self,
        from: &[u8],
        request: IncomingRequest<F>,
    ) -> Result<(), Malformed> {
        match request.past {
            None => self.admit_new(from, request),
            Some(past) => self.admit_resumed(from, request, past),
        }
    }

    /// Admits a request that its client resumes. A request that no broker on this connection had is searched for.
    #[inline(never)]
    fn admit_resumed(
        &mut self,
        from: &[u8],
        request: IncomingRequest<F>,
        past: Past,
    ) -> Result<(), Malformed> {
        // A client must have sent its hello first.
        let Some(client) = self.cx.clients.find(from) else {
            return Ok(());
        };
        let service = &request.head.service;
        let is_own = mmi::is_own(&self.cx.services, service);
        if is_own && fanout::all_of(service).is_none() {
            // A second execution gives an equivalent answer.
            self.replies.logs.take(client, &request.head.rid);
            return self.admit_new(from, request);
        }
        match self.replies.resume(&mut self.cx, client, request, past)? {
            Resumed::Done => {}
            Resumed::GoesOn(key) => self.go_on(key, past),
            Resumed::Broken(key) => self.end(key, End::Failed(Code::BrokerLost)),
            Resumed::New(request) => return self.admit_new(from, request),
            // The answers to a fan-out that another broker has passed on cannot be known.
            Resumed::Unknown(request) if is_own => {
                self.refuse(from, request.head, Code::BrokerLost);
            }
            Resumed::Unknown(request) => self.admit_unknown(from, client, request, past),
        }
        Ok(())
    }

    /// Admits a request that another broker had, and begins the search for it.
    fn admit_unknown(
        &mut self,
        from: &[u8],
        client: ClientKey,
        request: IncomingRequest<F>,
        past: Past,
    ) {
        let IncomingRequest {
            head,
            content,
            terms,
            routing,
            recall,
            ..
        } = request;
        let charged = charge_of(&head, &content);
        if let Err(over) = self.cx.charge_request(client, charged) {
            // The request may have run at an earlier broker; this is not known.
            self.refuse(from, head, Code::BrokerLost);
            return self.over_limit(from, over);
        }
        let (service, routing) = self.cx.require_home(&head.service, routing);
        self.cx.count_request(service, content.size());
        let new = NewRequest {
            client,
            rid: head.rid,
            service,
            routing,
            content,
            terms,
            retried: 0,
            deadline: None,
            charged,
        };
        self.search(new, past, recall);
    }

    fn search(&mut self, new: NewRequest<F>, past: Past, recall: Option<Box<Recall>>) {
        let key = self.cx.requests.next_key();
        let search = self.cx.new_search(key, past);
        let service = new.service;
        self.cx.insert_request(new, State::Searching(search));
        let queue = &mut self.cx.services.get_mut(service).queue;
        queue.enter_beside(key, &mut self.cx.requests);
        self.on_resume(key, past);
        if let Some(known) = recall
            && self.recalls.add(&mut self.cx, key, *known)
        {
            self.cannot_have_started(key);
        }
    }

    fn admit_new(&mut self, from: &[u8], request: IncomingRequest<F>) -> Result<(), Malformed> {
        let IncomingRequest {
            mut head,
            content,
            mut terms,
            routing,
            retried,
            ..
        } = request;
        let known = self.cx.clients.find(from);
        if let Some(client) = known.and_then(|key| self.cx.clients.get_mut(key)) {
            client.beats.heard(self.cx.now);
            client.cut_off = false;
        } else if head.extended && self.given_up.has_peer(from) {
            return Ok(());
        }
        if mmi::is_own(&self.cx.services, &head.service) {
            self.admit_own(from, head, content, terms);
            return Ok(());
        }
        let client = known.unwrap_or_else(|| self.cx.require_client(from, head.dialect));
        self.name_request(client, &mut head, &mut terms, content.size())?;
        let (service, routing) = self.cx.require_home(&head.service, routing);
        let is_choosy = routing.as_ref().is_some_and(|routing| routing.is_choosy());
        let refused = match self.cx.is_out_of_reach(service, routing.as_deref()) {
            true => Some(Code::NoWorker),
            false => self
                .queue_limits
                .check(&mut self.cx, service, &content, terms, is_choosy),
        };
        if let Some(code) = refused {
            self.cx.count_request(service, content.size());
            self.refuse(from, head, as_known(code, retried));
            self.release_refused(client, service);
            return Ok(());
        }
        let charged = charge_of(&head, &content);
        if let Err(over) = self.cx.charge_request(client, charged) {
            self.cx.count_request(service, content.size());
            self.refuse(from, head, as_known(Code::QueueFull, retried));
            self.release_refused(client, service);
            self.over_limit(from, over);
            return Ok(());
        }
        let new = NewRequest {
            client,
            rid: head.rid,
            service,
            routing,
            content,
            terms,
            retried,
            deadline: None,
            charged,
        };
        self.queue_new(new);
        Ok(())
    }

    /// Admits a request to a service of the broker itself.
    #[inline(never)]
    fn admit_own(&mut self, from: &[u8], head: RequestHead<F>, content: Content<F>, terms: Terms) {
        if fanout::all_of(&head.service).is_some() {
            return self.admit_fan_out(from, head, content, terms);
        }
        self.answer_mmi(from, head, content.body);
    }

    fn admit_fan_out(
        &mut self,
        from: &[u8],
        head: RequestHead<F>,
        content: Content<F>,
        terms: Terms,
    ) {
        let authorizer = &self.authorizer;
        match self
            .cx
            .admit_fan_out(authorizer, from, head, content, terms)
        {
            Ok(fan_out) => self.start(Task::FanOut(fan_out)),
            Err(Refusal::Malformed) => self.cx.report_bad(from, "invalid name or id"),
            Err(Refusal::Denied(head)) => self.refuse(from, head, Code::Denied),
            Err(Refusal::OverLimit(head, (client, service), over)) => {
                self.refuse(from, head, Code::QueueFull);
                self.release_refused(client, service);
                self.over_limit(from, over);
            }
        }
    }

    /// Gives a request of MDP, which has no ids, an id and its terms. Other requests must have an id that is not in
    /// use: a second one would make both ends ambiguous.
    #[inline]
    fn name_request(
        &mut self,
        client: ClientKey,
        head: &mut RequestHead<F>,
        terms: &mut Terms,
        size: usize,
    ) -> Result<(), Malformed> {
        if let Dialect::Mdp(_) = head.dialect {
            self.cx.count_work(size / CONVERTED);
            *terms = self.cx.config.expiry.into();
            self.last_rid += 1;
            // As text, because a worker of 0.0.92 converts it to text.
            head.rid = F::from(self.last_rid.to_string().into_bytes());
            return Ok(());
        }
        if let Some(entry) = self.cx.clients.get_mut(client) {
            entry.sends_extensions |= head.extended;
            entry.dialect = head.dialect;
        }
        let (clients, requests) = (&self.cx.clients, &self.cx.requests);
        match clients.request(client, &head.rid, requests) {
            Some(_) => Err(Malformed::Name),
            None => Ok(()),
        }
    }

    fn answer_mmi(&mut self, from: &[u8], head: RequestHead<F>, body: Body<F>) {
        let mut answers = std::mem::take(&mut self.answers);
        let answer = answers.answer(&self.reader(self.cx.now), from, head, body);
        self.answers = answers;
        match answer {
            Answer::Now(head, body, work) => {
                self.cx.count_work(work);
                self.answer_own(from, head, body);
            }
            Answer::Later { is_begun } => {
                if is_begun {
                    self.put_off(Task::Survey);
                }
            }
            Answer::Refused(head, code) => self.refuse(from, head, code),
        }
    }

    /// Releases the service and the client of a refused request, if nothing else holds them.
    pub(super) fn release_refused(&mut self, client: ClientKey, service: ServiceKey) {
        self.cx.services.release(service);
        let client = self.cx.clients.release(client);
        self.close_client(client);
    }

    #[inline]
    fn queue_new(&mut self, new: NewRequest<F>) {
        let service = new.service;
        let request = self
            .cx
            .insert_request(new, State::Queued(Queued::default()));
        self.enqueue(request, service);
    }

    /// Puts an admitted request into its queue and dispatches.
    fn enqueue(&mut self, request: RequestKey, service: ServiceKey) {
        self.cx.route(request);
        let entry = self.cx.services.get_mut(service);
        let bytes = entry.queue.push_back(request, &mut self.cx.requests);
        if COUNTS {
            entry.meter.requested(bytes);
            self.cx.counters.requests += 1;
        }
        self.dispatch(service);
        self.parking.watch(&mut self.cx, request);
    }
}

/// Bytes that are converted between dialects in one unit of work.
const CONVERTED: usize = 1024;

/// The code of a refusal. A request that may have run before gets a code that does not claim the
/// opposite.
fn as_known(code: Code, retried: u8) -> Code {
    match retried {
        0 => code,
        _ => Code::BrokerLost,
    }
}
