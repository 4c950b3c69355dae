//! Admission: every request enters here, in any dialect, whether it is new or resumed from an
//! earlier broker. An admitted request is never refused later.

mod resumed;

use super::accounts::{OverLimit, REQUEST};
use super::context::Context;
use super::incoming::{IncomingRequest, RequestHead};
use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::metrics::COUNTS;
use super::mmi::Answer;
use super::requests::{Content, Deadline, NewRequest, Queued, Routing, State};
use super::{Broker, Timer, fanout, mmi};
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Dialect, Frame, Malformed};

impl<F: Frame> Context<F> {
    /// The home of a request, and its constraints.
    pub(super) fn require_home(
        &mut self,
        asked: &[u8],
        routing: Option<Box<Routing>>,
    ) -> (ServiceKey, Option<Box<Routing>>) {
        if let Some(name) = routing.as_ref().and_then(|r| r.worker.as_deref())
            && let Some(home) = self.pinned_home(name, asked)
        {
            let is_own = self.services.is(home, asked, false);
            let mut routing = routing.unwrap_or_default();
            routing.asked = (!is_own).then(|| asked.into());
            return (home, Some(routing));
        }
        let own = self.services.require(asked);
        match self.services.needs_home(own) {
            false => (own, routing),
            true => self.place(own, routing),
        }
    }

    /// Whether the named worker is not registered for this service.
    fn is_out_of_reach(&self, service: ServiceKey, routing: Option<&Routing>) -> bool {
        let Some(name) = routing.and_then(|routing| routing.worker.as_deref()) else {
            return false;
        };
        let worker = self
            .workers
            .find(name)
            .and_then(|key| self.workers.get(key));
        worker.is_none_or(|worker| worker.service != service)
    }

    /// Counts a request that is not put into a queue.
    #[inline]
    pub(super) fn count_request(&mut self, service: ServiceKey, bytes: usize) {
        if COUNTS {
            self.counters.requests += 1;
            self.services.get_mut(service).meter.requested(bytes);
        }
    }

    pub(super) fn charge_request(
        &mut self,
        client: ClientKey,
        bytes: usize,
    ) -> Result<(), OverLimit> {
        match self.clients.get(client) {
            Some(client) => self.accounts.charge(client.account, bytes),
            None => Ok(()),
        }
    }

    // Inlined, so that the request is constructed once.
    #[inline(always)]
    pub(super) fn insert_request(&mut self, mut new: NewRequest<F>, state: State) -> RequestKey {
        let now = self.now;
        let client = new.client;
        new.deadline = new.terms.idle().map(|idle| {
            let at = now + idle;
            let timer = Timer::Request(self.requests.next_key());
            Deadline {
                idle,
                latest: new.terms.deadline.map(|left| now + left),
                at,
                timer: self.deadlines.set(at, timer),
            }
        });
        let request = self.requests.insert(now, new, state);
        self.clients.add(client, request, &self.requests);
        request
    }
}

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
        } else if head.extended && self.forgotten.has_peer(from) {
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
                .gauge
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
            return self.admit_all(from, head, content, terms);
        }
        self.answer_mmi(from, head, content.body);
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
            entry.extended |= head.extended;
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
        let answer = answers.answer(&self.reader(self.cx.now), &head.service, body);
        self.answers = answers;
        match answer {
            Answer::Now(body, work) => {
                self.cx.count_work(work);
                self.replies
                    .respond(&mut self.cx, from, head, ReplyKind::Final, body);
            }
            Answer::Later(query) => self.survey(query, from, head),
            Answer::Refused(code) => self.refuse(from, head, code),
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

/// The bytes charged for keeping a request.
fn charge_of<F: Frame>(head: &RequestHead<F>, content: &Content<F>) -> usize {
    REQUEST + content.size() + head.rid.len() + head.service.len()
}

/// The code of a refusal. A request that may have run before gets a code that does not claim the
/// opposite.
fn as_known(code: Code, retried: u8) -> Code {
    match retried {
        0 => code,
        _ => Code::BrokerLost,
    }
}
