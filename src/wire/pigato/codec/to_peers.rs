//! The messages that clients and workers receive.

use super::*;
use crate::wire::sizes::MAX_OPTIONS;

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
