//! The reply to a request: its parts, its end, and the credit for read parts.

use super::pending::{Stage, Tell};
use super::retry::Cause;
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, ReplyKind};
use crate::wire::{Body, Frame};

impl<F: Frame> Client<F> {
    pub(super) fn on_reply(&mut self, now: Time, kind: ReplyKind, rid: &[u8], body: Body<F>) {
        // No request: it has ended, or belongs to an earlier life. Replies and cancellations may cross.
        let Some(id) = self.parse_rid(rid) else {
            return;
        };
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        // A broker that has not noticed the end of an earlier connection sends it; parts before it
        // may be missing.
        if !request.stage.is_with_broker() {
            return;
        }
        self.link.answered();
        let found = matches!(request.stage, Stage::Resuming { .. });
        if !kind.is_last() {
            request.stage = Stage::Sent;
            request.received = request.received.saturating_add(1);
            request.extend(now);
            if found {
                self.tell_read(id);
                self.ask_need(id);
            }
        } else {
            if request.retry.is_some()
                && let Some(cause) = Cause::of(kind, &body)
                && self.is_made_again(now, id, cause)
            {
                return;
            }
            self.forget(id, Tell::Nothing);
        }
        self.notices.push(match kind {
            ReplyKind::OwnError => ClientNotice::Failed {
                id,
                code: serde_json::from_slice(&body.bytes)
                    .unwrap_or_else(|_| Code::BadReply.as_str().into()),
            },
            kind => ClientNotice::Reply { id, kind, body },
        });
        if !self.unknown.is_empty() && self.link.peer().is_none() {
            self.give_up_all_unknown(now);
        }
    }

    /// Credits bytes of partials that the application has read, see [`flow`](crate::proto::flow).
    /// Reading also counts as a sign of life of the reply.
    pub fn credit(&mut self, now: Time, id: u64, bytes: u32) {
        let Some(request) = self.requests.get_mut(&id).filter(|_| bytes > 0) else {
            return;
        };
        request.extend(now);
        request.read += u64::from(bytes);
        self.tell_read(id);
    }

    /// Sends credit for read parts. While the broker is lost or searches for the request,
    /// nothing is sent: RESUME states the total, and the rest is sent when the request is found.
    pub(super) fn tell_read(&mut self, id: u64) {
        let knows = self.link.peer().is_some_and(|broker| broker.flow);
        if let Some(request) = self.requests.get_mut(&id).filter(|_| knows)
            && matches!(request.stage, Stage::Sent)
            && request.read > request.told
        {
            let bytes = u32::try_from(request.read - request.told).unwrap_or(u32::MAX);
            request.told += u64::from(bytes);
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::Credit { rid, bytes });
        }
    }
}
