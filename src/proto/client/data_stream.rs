//! The stream that is a request's data, on the client's side.
//!
//! [`stream_state`](super::stream_state) has its state. A stream whose broker was lost continues where it was: when the request has
//! been found, this side asks for NEED again and sends what follows.

use super::pending::{Stage, Tell};
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, Need};
use crate::wire::{Body, Frame, Malformed};

impl<F: Frame> Client<F> {
    /// Adds a chunk to a request's data; `counted` is its cost as counted by the application. A chunk that is too
    /// large ends the request.
    pub fn chunk(&mut self, now: Time, id: u64, body: Body<F>, counted: u32) {
        let takes = self
            .link
            .peer()
            .is_none_or(|broker| broker.takes(body.bytes.len()));
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.extend(now);
        let Some(input) = request.data_stream.as_mut().filter(|input| input.goes_on()) else {
            return;
        };
        if !takes {
            self.forget(id, Tell::Cancelled);
            return self.fail(id, Code::RequestTooLarge);
        }
        input.add(body, counted);
        self.flush_input(id);
    }

    /// Ends the stream of a request's data.
    pub fn end_input(&mut self, now: Time, id: u64) {
        if let Some(request) = self.requests.get_mut(&id)
            && let Some(input) = request.data_stream.as_mut()
        {
            input.end();
            request.extend(now);
            self.flush_input(id);
        }
    }

    /// Handles a worker's NEED.
    pub(super) fn on_need(&mut self, now: Time, rid: &[u8], need: Need) {
        let Some(id) = self.parse_rid(rid) else {
            return;
        };
        let Some(request) = self
            .requests
            .get_mut(&id)
            .filter(|each| each.stage.is_with_broker())
        else {
            return;
        };
        let Some(input) = request.data_stream.as_mut() else {
            return self.notices.push(ClientNotice::Fault(Malformed::Extension));
        };
        let knew = input.needs_no_more();
        let taken = input.take(need);
        let found = matches!(request.stage, Stage::Resuming { .. });
        request.stage = Stage::Sent;
        request.extend(now);
        self.link.answered();
        let Some(credit) = taken else {
            // The stream cannot continue at this offset.
            self.notices.push(ClientNotice::Fault(Malformed::Extension));
            self.forget(id, Tell::Cancelled);
            return self.fail(id, Code::BrokerLost);
        };
        if let Some(bytes) = credit {
            self.notices.push(ClientNotice::Credit { id, bytes });
        }
        if need.enough && !knew {
            self.notices.push(ClientNotice::Enough { id });
        }
        if found {
            self.tell_read(id);
            if !need.again {
                self.ask_need(id);
            }
        }
        self.flush_input(id);
    }

    /// Asks where to continue after the request was found again.
    pub(super) fn ask_need(&mut self, id: u64) {
        if let Some(request) = self.requests.get_mut(&id)
            && let Some(input) = request.data_stream.as_mut()
        {
            input.close();
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::AskNeed { rid });
        }
    }

    fn flush_input(&mut self, id: u64) {
        let rid = self.rid(id);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(input) = request.data_stream.as_mut() else {
            return;
        };
        if !matches!(request.stage, Stage::Sent) {
            return;
        }
        while let Some((at, body)) = input.next() {
            self.transmits.push(ClientMessage::Chunk {
                rid: rid.clone(),
                last: body.is_none(),
                body: body.unwrap_or_else(|| Body::json(F::from(&[][..]))),
                at,
            });
        }
    }
}
