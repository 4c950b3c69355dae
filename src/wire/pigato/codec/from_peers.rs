//! The messages that the broker receives.

use super::*;
use crate::wire::sizes::{MAX_HELLO, MAX_OPTIONS};

impl<F: Frame> PeerMessage<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(frames);
        match &*cursor.next()? {
            CLIENT => ClientMessage::decode(cursor).map(PeerMessage::Client),
            WORKER => WorkerMessage::decode(cursor).map(PeerMessage::Worker),
            _ => Err(Malformed::Header),
        }
    }
}

impl<F: Frame> ClientMessage<F> {
    fn decode(mut cursor: Cursor<'_, F>) -> Result<Self, Malformed> {
        let message = match &*cursor.next()? {
            REQUEST => ClientMessage::Request {
                service: cursor.service()?,
                rid: cursor.id()?,
                data: cursor.next()?,
                opts: cursor.optional_bounded(MAX_OPTIONS)?,
            },
            HEARTBEAT => match cursor.optional().as_deref() {
                None => ClientMessage::Heartbeat,
                Some(OF_REQUEST) => ClientMessage::RequestHeartbeat { rid: cursor.id()? },
                Some(OF_WORKER) => ClientMessage::WorkerHeartbeat {
                    worker: cursor.id()?,
                },
                Some(_) => return Err(Malformed::Name),
            },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    /// Appends the frames of the message.
    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(CLIENT);
        match self {
            ClientMessage::Request {
                service,
                rid,
                data,
                opts,
            } => {
                put(REQUEST);
                out.extend([service, rid, data]);
                out.extend(opts);
            }
            ClientMessage::Heartbeat => put(HEARTBEAT),
            ClientMessage::RequestHeartbeat { rid } => {
                put(HEARTBEAT);
                put(OF_REQUEST);
                out.push(rid);
            }
            ClientMessage::WorkerHeartbeat { worker } => {
                put(HEARTBEAT);
                put(OF_WORKER);
                out.push(worker);
            }
        }
    }
}

impl<F: Frame> WorkerMessage<F> {
    fn decode(mut cursor: Cursor<'_, F>) -> Result<Self, Malformed> {
        let command = cursor.next()?;
        let message = match &*command {
            READY => WorkerMessage::Ready {
                service: cursor.service()?,
            },
            FINAL | PARTIAL => {
                let (client, rid) = address(&mut cursor)?;
                let code = cursor.next()?;
                WorkerMessage::Reply {
                    kind: kind(*command == *FINAL, &code)?,
                    client,
                    rid,
                    data: cursor.next()?,
                    opts: cursor.optional_bounded(MAX_OPTIONS)?,
                }
            }
            REJECT => {
                let (client, rid) = address(&mut cursor)?;
                if *cursor.next()? != *SUCCESS {
                    return Err(Malformed::Extension);
                }
                WorkerMessage::Reject {
                    client,
                    rid,
                    reason: cursor.next()?,
                    opts: cursor.optional_bounded(MAX_OPTIONS)?,
                }
            }
            HEARTBEAT if cursor.remaining() == 0 => WorkerMessage::Heartbeat { status: None },
            HEARTBEAT => {
                delimiter(&mut cursor)?;
                let status = Some(cursor.bounded(MAX_HELLO)?);
                WorkerMessage::Heartbeat { status }
            }
            DISCONNECT => WorkerMessage::Disconnect,
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    /// Appends the frames of the message.
    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(WORKER);
        match self {
            WorkerMessage::Ready { service } => {
                put(READY);
                out.push(service);
            }
            WorkerMessage::Reply {
                kind,
                client,
                rid,
                data,
                opts,
            } => {
                put(command(kind));
                out.extend([client, F::from(EMPTY), rid, F::from(code(kind)), data]);
                out.extend(opts);
            }
            WorkerMessage::Reject {
                client,
                rid,
                reason,
                opts,
            } => {
                put(REJECT);
                out.extend([client, F::from(EMPTY), rid, F::from(SUCCESS), reason]);
                out.extend(opts);
            }
            WorkerMessage::Heartbeat { status } => {
                put(HEARTBEAT);
                if let Some(status) = status {
                    out.extend([F::from(EMPTY), status]);
                }
            }
            WorkerMessage::Disconnect => put(DISCONNECT),
        }
    }
}
