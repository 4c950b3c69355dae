//! Messages of the broker to a worker.

use super::resume::check_numbers;
use super::roster::check_questions;
use super::*;
use crate::wire::ext::GivenExt;
use crate::wire::sizes::{MAX_HELLO, MAX_LIST_OF_BROKER, MAX_OPTIONS, MAX_USER};
use crate::wire::{Body, Cursor, Encoding, Frame, Malformed, packed};

/// A message of the broker to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWorker<F> {
    /// `W 1 hello`. Extension: the welcome, the answer to a READY with a hello.
    Welcome { hello: F },
    /// `W 2 client rid data`, or extended `W 2 client rid data opts ext [service] [user]`.
    Request {
        client: F,
        rid: F,
        body: Body<F>,
        /// The fields of the extended form.
        extra: Option<RequestExtra<F>>,
    },
    /// `W 4`.
    Heartbeat,
    /// `W 4 client rid`: the client still wants the request.
    RequestHeartbeat { client: F, rid: F },
    /// `W 5`.
    Disconnect,
    /// `W 5 session [A]`. Extension: another peer has the name. Addressed to a peer with this session only. With
    /// `A` the broker asks the other peer whether it lives, and this one shall soon try again.
    NameTaken { session: F, asked: bool },
    /// `W 21`. Extension: a request for a sign of life.
    Ping,
    /// `W 8 token`. Extension: the request is not wanted any longer.
    Cancel { token: u64 },
    /// `W 22 token`. Extension: the broker could not take the last message of this reply, and will not take the next
    /// ones. The worker keeps them, and claims the request.
    Hold { token: u64 },
    /// `W 10 token bytes`. Extension: credit, bytes of the reply that were read.
    Credit { token: u64, bytes: u32 },
    /// `W 11 ext`. Extension: the client of a claim was found; the worker sends it the reply.
    Resume(ResumeExt),
    /// `W 12 number…`. Extension: these claims are not wanted. At least one number of 8 bytes.
    Disclaim { numbers: F },
    /// `W 14 ack [stamp]`. Extension: acknowledges replies; the broker's time, as clients hear it.
    Ack { ack: Ack, stamp: Option<u64> },
    /// `W 20 session questions`. Extension: which of these did it never have of the broker of that session?
    Ask { session: F, questions: F },
    /// `W 18 token data ext`. Extension: a part of the stream that is a request's data, or its end.
    Chunk {
        token: u64,
        body: Body<F>,
        /// See [`ChunkExt`].
        at: u64,
        last: bool,
    },
    /// `W 19 token`. Extension: the client asks what is needed of the stream.
    AskNeed { token: u64 },
}

/// The fields of a REQUEST beyond those of 0.0.92.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestExtra<F> {
    /// The client's options as JSON; an empty frame if it sent none.
    pub opts: F,
    /// The id of the request between broker and worker, to be returned with each reply.
    pub token: u64,
    /// How many workers were lost with this request.
    pub retried: u8,
    /// Whether the data are a stream; then the body is not part of it.
    pub stream: bool,
    /// Milliseconds left until the deadline.
    pub left_ms: Option<u32>,
    /// The requested name, if it differs from the worker's service.
    pub service: Option<Box<F>>,
    /// From a broker with an authenticator: the client's user and, behind a NUL, what the
    /// authenticator returned about it, as JSON. The broker makes it and never copies it from a
    /// peer's message.
    pub user: Option<Box<F>>,
}

impl<F: Frame> ToWorker<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        packed::unpack(frames).inspect_err(|_| frames.clear())?;
        let mut cursor = Cursor::new(frames);
        if &*cursor.next()? != WORKER {
            return Err(Malformed::Header);
        }
        let command = cursor.next()?;
        let message = match &*command {
            WELCOME => ToWorker::Welcome {
                hello: cursor.bounded(MAX_HELLO)?,
            },
            REQUEST => {
                let client = cursor.echo()?;
                let rid = cursor.echo()?;
                let bytes = cursor.next()?;
                let mut encoding = Encoding::Json;
                let extra = match cursor.optional_bounded(MAX_OPTIONS)? {
                    None => None,
                    Some(opts) => {
                        let ext = GivenExt::parse(&cursor.next()?)?;
                        if ext.binary {
                            encoding = Encoding::Binary;
                        }
                        Some(RequestExtra {
                            opts,
                            token: ext.token,
                            retried: ext.retried,
                            stream: ext.stream,
                            left_ms: ext.left_ms,
                            service: match ext.service {
                                true => Some(Box::new(cursor.service()?)),
                                false => None,
                            },
                            user: cursor.optional_bounded(MAX_USER)?.map(Box::new),
                        })
                    }
                };
                ToWorker::Request {
                    client,
                    rid,
                    body: Body { bytes, encoding },
                    extra,
                }
            }
            HEARTBEAT if cursor.remaining() == 0 => ToWorker::Heartbeat,
            HEARTBEAT => ToWorker::RequestHeartbeat {
                client: cursor.echo()?,
                rid: cursor.echo()?,
            },
            DISCONNECT if cursor.remaining() == 0 => ToWorker::Disconnect,
            NAME_TAKEN => ToWorker::NameTaken {
                session: cursor.id()?,
                asked: asked(cursor.optional())?,
            },
            PING => ToWorker::Ping,
            RESUME => ToWorker::Resume(ResumeExt::parse(&cursor.next()?)?),
            DISCLAIM => ToWorker::Disclaim {
                numbers: check_numbers(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            CANCEL => ToWorker::Cancel {
                token: token(&cursor.next()?)?,
            },
            HOLD => ToWorker::Hold {
                token: token(&cursor.next()?)?,
            },
            CREDIT => ToWorker::Credit {
                token: token(&cursor.next()?)?,
                bytes: credit(&cursor.next()?)?,
            },
            ACK => ToWorker::Ack {
                ack: Ack::parse(&cursor.next()?)?,
                stamp: cursor.optional().map(|stamp| token(&stamp)).transpose()?,
            },
            ASK => ToWorker::Ask {
                session: cursor.id()?,
                questions: check_questions(cursor.next()?)?,
            },
            CHUNK => {
                let token = token(&cursor.next()?)?;
                let Chunk { body, at, last } = Chunk::decode(&mut cursor)?;
                ToWorker::Chunk {
                    token,
                    body,
                    at,
                    last,
                }
            }
            ASK_NEED => ToWorker::AskNeed {
                token: token(&cursor.next()?)?,
            },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    /// Appends the frames of the message. A request without `extra` is for a worker without the
    /// extension: its body is encoded as JSON.
    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(WORKER);
        match self {
            ToWorker::Welcome { hello } => {
                put(WELCOME);
                out.push(hello);
            }
            ToWorker::Request {
                client,
                rid,
                body,
                extra,
            } => {
                put(REQUEST);
                out.extend([client, rid]);
                match extra {
                    None => out.push(body.into_json()),
                    Some(RequestExtra {
                        opts,
                        token,
                        retried,
                        stream,
                        left_ms,
                        service,
                        user,
                    }) => {
                        let ext = GivenExt {
                            binary: body.encoding == Encoding::Binary,
                            token,
                            retried,
                            stream,
                            left_ms,
                            service: service.is_some(),
                        };
                        out.extend([body.bytes, opts, ext.to_frame()]);
                        out.extend(service.map(|service| *service));
                        out.extend(user.map(|user| *user));
                    }
                }
            }
            ToWorker::Heartbeat => put(HEARTBEAT),
            ToWorker::RequestHeartbeat { client, rid } => {
                put(HEARTBEAT);
                out.extend([client, rid]);
            }
            ToWorker::Disconnect => put(DISCONNECT),
            ToWorker::NameTaken { session, asked } => {
                put(NAME_TAKEN);
                out.push(session);
                out.extend(asked.then(|| F::from(ASKED)));
            }
            ToWorker::Ping => put(PING),
            ToWorker::Cancel { token } => {
                put(CANCEL);
                put(&token.to_be_bytes());
            }
            ToWorker::Hold { token } => {
                put(HOLD);
                put(&token.to_be_bytes());
            }
            ToWorker::Resume(ext) => {
                put(RESUME);
                out.push(ext.to_frame());
            }
            ToWorker::Disclaim { numbers } => {
                put(DISCLAIM);
                out.push(numbers);
            }
            ToWorker::Credit { token, bytes } => {
                put(CREDIT);
                put(&token.to_be_bytes());
                put(&bytes.to_be_bytes());
            }
            ToWorker::Ack { ack, stamp } => {
                put(ACK);
                out.push(ack.to_frame());
                out.extend(stamp.map(|stamp| F::from(&stamp.to_be_bytes()[..])));
            }
            ToWorker::Ask { session, questions } => {
                put(ASK);
                out.extend([session, questions]);
            }
            ToWorker::Chunk {
                token,
                body,
                at,
                last,
            } => {
                put(CHUNK);
                put(&token.to_be_bytes());
                out.extend(Chunk { body, at, last }.into_frames());
            }
            ToWorker::AskNeed { token } => {
                put(ASK_NEED);
                put(&token.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
#[path = "to_worker_tests.rs"]
mod tests;
