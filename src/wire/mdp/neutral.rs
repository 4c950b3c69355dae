//! What the machines say, in MDP, and the other way round. The machines speak the terms of OMDP,
//! which has all that MDP has and more; what is more has no form here and is not sent.

use super::*;
use crate::wire::ext::RequestData;
use crate::wire::{Body, Malformed, omdp};

impl<F: Frame> ToWorker<F> {
    /// What a broker has to say to a worker; `None` if MDP can't.
    pub fn from_neutral(message: omdp::ToWorker<F>) -> Option<Self> {
        match message {
            omdp::ToWorker::Request { client, body, .. } => Some(ToWorker::Request {
                client,
                body: body.into_frames(),
            }),
            omdp::ToWorker::Heartbeat => Some(ToWorker::Heartbeat),
            omdp::ToWorker::Disconnect => Some(ToWorker::Disconnect),
            omdp::ToWorker::Welcome { .. }
            | omdp::ToWorker::NameTaken { .. }
            | omdp::ToWorker::RequestHeartbeat { .. }
            | omdp::ToWorker::Cancel { .. }
            | omdp::ToWorker::Resume(_)
            | omdp::ToWorker::Disclaim { .. }
            | omdp::ToWorker::Credit { .. } => None,
        }
    }

    /// What a worker of ours is told. There are no request ids: a worker has one request.
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
    /// What a worker of ours has to say; `None` if MDP can't.
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
            omdp::WorkerMessage::Return { .. } | omdp::WorkerMessage::Claim { .. } => None,
        }
    }
}

impl<F: Frame> ClientRequest<F> {
    /// What a client of ours has to say; `None` if MDP can't: it knows requests alone.
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
    /// What a client of ours is told.
    pub fn into_neutral(self) -> (omdp::ReplyKind, Body<F>) {
        let (kind, body) = reply_of(self.last, self.body);
        (kind, body.into_value())
    }
}

/// The frames of a reply, whatever it is.
pub fn reply_frames<F: Frame>(kind: omdp::ReplyKind, body: Body<F>) -> Vec<F> {
    match kind.is_error() {
        true => body.into_error_frames(kind),
        false => body.into_frames(),
    }
}

/// What these frames of a reply are.
pub fn reply_of<F: Frame>(last: bool, frames: Vec<F>) -> (omdp::ReplyKind, Body<F>) {
    match last {
        true => Body::from_final(frames),
        false => (omdp::ReplyKind::Partial, Body::from_frames(frames)),
    }
}

/// A message of the broker for a worker of ours.
pub fn decode_for_worker<F: Frame>(
    dialect: Dialect,
    frames: &mut Vec<F>,
) -> Result<omdp::ToWorker<F>, Malformed> {
    ToWorker::decode(dialect, frames).map(ToWorker::into_neutral)
}
