//! Conversion between the messages of the machines and MDP. The machines use the messages of OMDP,
//! a superset of MDP's; a message that MDP lacks is not sent.

use super::*;
use crate::wire::ext::RequestData;
use crate::wire::{Body, Malformed, omdp};

impl<F: Frame> ToWorker<F> {
    /// Converts a broker's message to a worker; `None` if MDP lacks it.
    pub fn from_neutral(message: omdp::ToWorker<F>) -> Option<Self> {
        match message {
            omdp::ToWorker::Request { client, body, .. } => Some(ToWorker::Request {
                client,
                body: body.into_frames(),
            }),
            omdp::ToWorker::Heartbeat => Some(ToWorker::Heartbeat),
            omdp::ToWorker::Disconnect => Some(ToWorker::Disconnect),
            _ => None,
        }
    }

    /// Converts a message for a local worker. It needs no request id, because an MDP worker has one
    /// request at a time.
    pub fn into_neutral(self) -> omdp::ToWorker<F> {
        match self {
            ToWorker::Request { client, body } => omdp::ToWorker::Request {
                client,
                rid: F::from(&b""[..]),
                body: Body::from_frames(body).into_value(),
                extra: None,
            },
            ToWorker::Heartbeat => omdp::ToWorker::Heartbeat,
            ToWorker::Disconnect => omdp::ToWorker::Disconnect,
        }
    }
}

impl<F: Frame> WorkerMessage<F> {
    /// Converts a message of a local worker; `None` if MDP lacks it.
    pub fn from_neutral(message: omdp::WorkerMessage<F>) -> Option<Self> {
        match message {
            omdp::WorkerMessage::Ready { service, .. } => Some(WorkerMessage::Ready { service }),
            omdp::WorkerMessage::Reply {
                kind, client, body, ..
            } => Some(WorkerMessage::Reply {
                last: kind.is_last(),
                client,
                body: reply_frames(kind, body),
            }),
            omdp::WorkerMessage::Heartbeat => Some(WorkerMessage::Heartbeat),
            omdp::WorkerMessage::Disconnect => Some(WorkerMessage::Disconnect),
            _ => None,
        }
    }
}

impl<F: Frame> ClientRequest<F> {
    /// Converts a message of a local client; `None` if it is not a request.
    pub fn from_neutral(message: omdp::ClientMessage<F>) -> Option<Self> {
        let omdp::ClientMessage::Request {
            service, data, ext, ..
        } = message
        else {
            return None;
        };
        let body = match ext.map(|ext| ext.data) {
            Some(RequestData::Binary) => Body::binary(data),
            _ => Body::json(data),
        };
        Some(ClientRequest {
            service,
            body: body.into_frames(),
        })
    }
}

impl<F: Frame> ClientReply<F> {
    /// Converts a message for a local client.
    pub fn into_neutral(self) -> (omdp::ReplyKind, Body<F>) {
        let (kind, body) = reply_of(self.last, self.body);
        (kind, body.into_value())
    }
}

/// The frames of a reply.
pub fn reply_frames<F: Frame>(kind: omdp::ReplyKind, body: Body<F>) -> Vec<F> {
    match kind.is_error() {
        true => body.into_error_frames(kind),
        false => body.into_frames(),
    }
}

/// The kind and body of a reply with these frames.
pub fn reply_of<F: Frame>(last: bool, frames: Vec<F>) -> (omdp::ReplyKind, Body<F>) {
    match last {
        true => Body::from_final(frames),
        false => (omdp::ReplyKind::Partial, Body::from_frames(frames)),
    }
}

/// Decodes a message of the broker for a local worker. `frames` is empty afterwards.
pub fn decode_for_worker<F: Frame>(
    dialect: Dialect,
    frames: &mut Vec<F>,
) -> Result<omdp::ToWorker<F>, Malformed> {
    ToWorker::decode(dialect, frames).map(ToWorker::into_neutral)
}
