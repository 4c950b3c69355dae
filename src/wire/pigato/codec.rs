//! The codec of PIGATO's messages.

use super::*;
use crate::wire::sizes::{MAX_HELLO, MAX_OPTIONS};
use crate::wire::{Cursor, Malformed};

const EMPTY: &[u8] = b"";

/// Parses `client ∅ rid`.
fn address<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<(F, F), Malformed> {
    let client = cursor.echo()?;
    delimiter(cursor)?;
    Ok((client, cursor.echo()?))
}

fn delimiter<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<(), Malformed> {
    match cursor.next()?.is_empty() {
        true => Ok(()),
        false => Err(Malformed::Name),
    }
}

/// The kind of a reply with this command and code.
fn kind(last: bool, code: &[u8]) -> Result<ReplyKind, Malformed> {
    match (last, code) {
        (false, SUCCESS) => Ok(ReplyKind::Partial),
        (true, SUCCESS) => Ok(ReplyKind::Final),
        (true, FAILURE) => Ok(ReplyKind::Error),
        _ => Err(Malformed::Extension),
    }
}

fn code(kind: ReplyKind) -> &'static [u8] {
    match kind.is_error() {
        true => FAILURE,
        false => SUCCESS,
    }
}

fn command(kind: ReplyKind) -> &'static [u8] {
    match kind.is_last() {
        true => FINAL,
        false => PARTIAL,
    }
}

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

impl<F: Frame> ToClient<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(frames);
        if *cursor.next()? != *CLIENT {
            return Err(Malformed::Header);
        }
        let command = cursor.next()?;
        let message = match &*command {
            FINAL | PARTIAL => {
                delimiter(&mut cursor)?;
                let rid = cursor.echo()?;
                let code = cursor.next()?;
                ToClient::Reply {
                    kind: kind(*command == *FINAL, &code)?,
                    rid,
                    data: cursor.next()?,
                    opts: cursor.optional_bounded(MAX_OPTIONS)?,
                }
            }
            HEARTBEAT => ToClient::Heartbeat,
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
            ToClient::Reply {
                kind,
                rid,
                data,
                opts,
            } => {
                put(command(kind));
                out.extend([F::from(EMPTY), rid, F::from(code(kind)), data]);
                out.extend(opts);
            }
            ToClient::Heartbeat => put(HEARTBEAT),
        }
    }
}

impl<F: Frame> ToWorker<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(frames);
        if *cursor.next()? != *WORKER {
            return Err(Malformed::Header);
        }
        let message = match &*cursor.next()? {
            READY => ToWorker::Welcome,
            REQUEST => {
                let client = cursor.echo()?;
                let service = cursor.echo()?;
                let delimiter = cursor.next()?;
                let rid = cursor.echo()?;
                let data = cursor.next()?;
                let opts = cursor.optional_bounded(MAX_OPTIONS)?;
                match (delimiter.is_empty(), opts) {
                    (true, opts) => ToWorker::Request {
                        client,
                        service,
                        rid,
                        data,
                        opts,
                    },
                    (false, Some(opts)) if *service == *rid && *delimiter == *data => {
                        ToWorker::EitherRequest {
                            client,
                            rid,
                            data,
                            opts,
                        }
                    }
                    _ => return Err(Malformed::Name),
                }
            }
            HEARTBEAT if cursor.remaining() == 0 => ToWorker::Heartbeat,
            HEARTBEAT => {
                let (client, rid) = address(&mut cursor)?;
                ToWorker::RequestHeartbeat { client, rid }
            }
            DISCONNECT => ToWorker::Disconnect,
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
            ToWorker::Welcome => put(READY),
            ToWorker::Request {
                client,
                service,
                rid,
                data,
                opts,
            } => {
                put(REQUEST);
                out.extend([client, service, F::from(EMPTY), rid, data]);
                out.extend(opts);
            }
            ToWorker::EitherRequest {
                client,
                rid,
                data,
                opts,
            } => {
                put(REQUEST);
                out.extend([client, rid.clone(), data.clone(), rid, data, opts]);
            }
            ToWorker::Heartbeat => put(HEARTBEAT),
            ToWorker::RequestHeartbeat { client, rid } => {
                put(HEARTBEAT);
                out.extend([client, F::from(EMPTY), rid]);
            }
            ToWorker::Disconnect => put(DISCONNECT),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
