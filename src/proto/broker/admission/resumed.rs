//! Admission of requests that their client resumes. A request that no broker on this connection had is searched for.

use super::charge_of;
use crate::proto::broker::incoming::IncomingRequest;
use crate::proto::broker::requests::{NewRequest, State};
use crate::proto::broker::returned::Resumed;
use crate::proto::broker::{Broker, fanout, mmi};
use crate::proto::code::Code;
use crate::wire::omdp::{Past, Recall};
use crate::wire::{Frame, Malformed};

impl<F: Frame> Broker<F> {
    #[inline(never)]
    pub(super) fn admit_resumed(
        &mut self,
        from: &[u8],
        request: IncomingRequest<F>,
        past: Past,
    ) -> Result<(), Malformed> {
        // A client must have sent its hello first.
        let Some(client) = self.cx.clients.find(from) else {
            return Ok(());
        };
        if mmi::is_own(&self.cx.services, &request.head.service) {
            if fanout::all_of(&request.head.service).is_some() {
                match self.resume_known(client, request, past)? {
                    Resumed::Done => {}
                    Resumed::New(request) => return self.admit_new(from, request),
                    // The answers that another broker has passed on cannot be known.
                    Resumed::Unknown(request) => self.refuse(from, request.head, Code::BrokerLost),
                }
                return Ok(());
            }
            // Executed again, it gives an equivalent answer.
            self.replies.logs.take(client, &request.head.rid);
            return self.admit_new(from, request);
        }
        match self.resume_known(client, request, past)? {
            Resumed::Done => Ok(()),
            Resumed::New(request) => self.admit_new(from, request),
            Resumed::Unknown(request) => {
                let charged = charge_of(&request.head, &request.content);
                if let Err(over) = self.cx.charge_request(client, charged) {
                    // The request may have run at an earlier broker; this is not known.
                    self.refuse(from, request.head, Code::BrokerLost);
                    self.over_limit(from, over);
                    return Ok(());
                }
                let (service, routing) =
                    self.cx.require_home(&request.head.service, request.routing);
                self.cx.count_request(service, request.content.size());
                self.search(
                    NewRequest {
                        client,
                        rid: request.head.rid,
                        service,
                        routing,
                        content: request.content,
                        terms: request.terms,
                        retried: 0,
                        deadline: None,
                        charged,
                    },
                    past,
                    request.recall,
                );
                Ok(())
            }
        }
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
}
