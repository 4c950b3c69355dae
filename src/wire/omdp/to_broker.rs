//! Messages of clients and workers to the broker.

use super::resume::{check_numbers, check_rids};
use super::roster::check_lives;
use super::*;
use crate::wire::ext::{Pace, RequestExt, TokenExt};
use crate::wire::sizes::{MAX_HELLO, MAX_LIST, MAX_OPTIONS, MAX_USER};
use crate::wire::{Body, Cursor, Encoding, Frame, Hello, Malformed, packed};

/// A message that the broker receives, by the role in its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage<F> {
    Client(ClientMessage<F>),
    Worker(WorkerMessage<F>),
}

/// Client to broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<F> {
    /// `C 1 hello`. Extension; a broker of 0.0.92 ignores the command.
    Hello { hello: F },
    /// `C 2 service rid data [opts [ext]]`.
    Request {
        service: F,
        rid: F,
        data: F,
        opts: Option<F>,
        ext: Option<RequestExt>,
    },
    /// `C 11 service rid data opts ext past [recall]`. Extension: the request's broker has died; the reply
    /// of the worker that runs it shall come through this one.
    Resume {
        service: F,
        rid: F,
        data: F,
        opts: F,
        ext: RequestExt,
        past: Past,
        /// Which workers that broker had.
        recall: Option<Box<Recall>>,
    },
    /// `C 20 last`. Extension: the client has heard of the workers up to this number.
    Heard { last: u64 },
    /// `C 12 rids`. Extension: these parked requests may be started from now on.
    Go { rids: F },
    /// `C 4`.
    Heartbeat,
    /// `C 4 rid`: the client still wants the request.
    RequestHeartbeat { rid: F },
    /// `C 5`. Extension: the client leaves, and none of its requests are wanted any longer.
    Disconnect,
    /// `C 8 rid [T]`. Extension: the client no longer wants the request. `T` means that its timeout
    /// has passed, which the broker's clock may reach a moment later.
    Cancel { rid: F, expired: bool },
    /// `C 10 rid bytes`. Extension: credit, bytes of the reply that were read.
    Credit { rid: F, bytes: u32 },
    /// `C 14 ack`. Extension: acknowledges replies.
    Ack(Ack),
    /// `C 15`. Extension: RESUME was sent for every request of earlier connections that is still
    /// wanted.
    AllResumed,
    /// `C 17 rid`. Extension: asks where the request is.
    Where { rid: F },
    /// `C 18 rid data ext`. Extension: a part of the stream that is a request's data, or its end.
    Chunk {
        rid: F,
        body: Body<F>,
        /// See [`ChunkExt`].
        at: u64,
        last: bool,
    },
    /// `C 19 rid`. Extension: asks the worker of the request to repeat its NEED.
    AskNeed { rid: F },
}

/// Worker to broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerMessage<F> {
    /// `W 1 service [hello]`.
    Ready { service: F, hello: Option<F> },
    /// `W 6|3 client rid 0 data [ext]`, extended also `W 7 client rid 0 reason ext`, or an error:
    /// `W 3 client rid value [∅ ext]`.
    Reply {
        kind: ReplyKind,
        client: F,
        rid: F,
        body: Body<F>,
        /// The token, from a worker that was given one.
        token: Option<u64>,
        /// On some of the last replies; requires a token.
        pace: Option<Pace>,
    },
    /// `W 4`.
    Heartbeat,
    /// `W 5`.
    Disconnect,
    /// `W 9 token…`. Extension: these requests were not started and will not be. At least one token
    /// of 8 bytes, in the order in which the requests were given.
    Return { tokens: F },
    /// `W 11 client rid ext [user]`. Extension: the worker got this request, and the user with it,
    /// from a broker that has died.
    Claim {
        client: F,
        rid: F,
        ext: ClaimExt,
        user: Option<F>,
    },
    /// `W 15 [lives]`. Extension: the worker has claimed everything that it has of earlier connections, and
    /// can tell what it never had of these brokers.
    AllClaimed { lives: Option<F> },
    /// `W 20 token…`. Extension: the worker never had these.
    Denied { tokens: F },
    /// `W 19 token need`. Extension: what is needed of the stream that is a request's data.
    Need { token: u64, need: Need },
}

/// Iterates over the tokens of a RETURN.
pub fn tokens(frame: &[u8]) -> impl Iterator<Item = u64> {
    frame
        .as_chunks()
        .0
        .iter()
        .map(|chunk| u64::from_be_bytes(*chunk))
}

/// The hello in a message, given as unpacked frames without the routing id, and whether it is of a worker.
pub fn hello_of<F: Frame>(frames: &[F]) -> Option<(bool, Hello)> {
    let (is_of_worker, hello) = match frames {
        [tag, command, hello] if **tag == *CLIENT && **command == *READY => (false, hello),
        [tag, command, _, hello] if **tag == *WORKER && **command == *READY => (true, hello),
        _ => return None,
    };
    Some((is_of_worker, Hello::parse(hello).ok()?))
}

impl<F: Frame> PeerMessage<F> {
    /// Decodes the frames after the routing id. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        packed::unpack(frames).inspect_err(|_| frames.clear())?;
        let mut cursor = Cursor::new(frames);
        let header = cursor.next()?;
        match &*header {
            CLIENT => ClientMessage::decode(cursor).map(PeerMessage::Client),
            WORKER => WorkerMessage::decode(cursor).map(PeerMessage::Worker),
            _ => Err(Malformed::Header),
        }
    }
}

impl<F: Frame> ClientMessage<F> {
    fn decode(mut cursor: Cursor<'_, F>) -> Result<Self, Malformed> {
        let command = cursor.next()?;
        let message = match &*command {
            READY => ClientMessage::Hello {
                hello: cursor.bounded(MAX_HELLO)?,
            },
            REQUEST => ClientMessage::Request {
                service: cursor.service()?,
                rid: cursor.id()?,
                data: cursor.next()?,
                opts: cursor.optional_bounded(MAX_OPTIONS)?,
                ext: cursor
                    .optional()
                    .map(|ext| RequestExt::parse(&ext))
                    .transpose()?,
            },
            RESUME => ClientMessage::Resume {
                service: cursor.service()?,
                rid: cursor.id()?,
                data: cursor.next()?,
                opts: cursor.bounded(MAX_OPTIONS)?,
                ext: RequestExt::parse(&cursor.next()?)?,
                past: Past::parse(&cursor.next()?)?,
                recall: cursor
                    .optional()
                    .map(|recall| Recall::parse(&recall).map(Box::new))
                    .transpose()?,
            },
            ROSTER => ClientMessage::Heard {
                last: token(&cursor.next()?)?,
            },
            PARK => ClientMessage::Go {
                rids: check_rids(cursor.next()?, MAX_LIST)?,
            },
            HEARTBEAT if cursor.remaining() == 0 => ClientMessage::Heartbeat,
            HEARTBEAT => ClientMessage::RequestHeartbeat { rid: cursor.id()? },
            DISCONNECT => ClientMessage::Disconnect,
            CANCEL => ClientMessage::Cancel {
                rid: cursor.id()?,
                expired: match cursor.optional() {
                    None => false,
                    Some(why) if &*why == EXPIRED => true,
                    Some(_) => return Err(Malformed::Extension),
                },
            },
            CREDIT => ClientMessage::Credit {
                rid: cursor.id()?,
                bytes: credit(&cursor.next()?)?,
            },
            ACK => ClientMessage::Ack(Ack::parse(&cursor.next()?)?),
            ALL => ClientMessage::AllResumed,
            PLACE => ClientMessage::Where { rid: cursor.id()? },
            CHUNK => {
                let rid = cursor.id()?;
                let Chunk { body, at, last } = Chunk::decode(&mut cursor)?;
                ClientMessage::Chunk {
                    rid,
                    body,
                    at,
                    last,
                }
            }
            NEED => ClientMessage::AskNeed { rid: cursor.id()? },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(CLIENT);
        match self {
            ClientMessage::Hello { hello } => {
                put(READY);
                out.push(hello);
            }
            ClientMessage::Request {
                service,
                rid,
                data,
                opts,
                ext,
            } => {
                put(REQUEST);
                out.extend([service, rid, data]);
                out.extend(opts);
                out.extend(ext.map(RequestExt::to_frame));
            }
            ClientMessage::Resume {
                service,
                rid,
                data,
                opts,
                ext,
                past,
                recall,
            } => {
                put(RESUME);
                out.extend([service, rid, data, opts, ext.to_frame(), past.to_frame()]);
                out.extend(recall.map(|recall| recall.to_frame()));
            }
            ClientMessage::Heard { last } => {
                put(ROSTER);
                out.push(F::from(&last.to_be_bytes()[..]));
            }
            ClientMessage::Go { rids } => {
                put(PARK);
                out.push(rids);
            }
            ClientMessage::Heartbeat => put(HEARTBEAT),
            ClientMessage::RequestHeartbeat { rid } => {
                put(HEARTBEAT);
                out.push(rid);
            }
            ClientMessage::Disconnect => put(DISCONNECT),
            ClientMessage::Cancel { rid, expired } => {
                put(CANCEL);
                out.push(rid);
                out.extend(expired.then(|| F::from(EXPIRED)));
            }
            ClientMessage::Credit { rid, bytes } => {
                put(CREDIT);
                out.extend([rid, F::from(&bytes.to_be_bytes()[..])]);
            }
            ClientMessage::Ack(ack) => {
                put(ACK);
                out.push(ack.to_frame());
            }
            ClientMessage::AllResumed => put(ALL),
            ClientMessage::Chunk {
                rid,
                body,
                at,
                last,
            } => {
                put(CHUNK);
                out.push(rid);
                out.extend(Chunk { body, at, last }.into_frames());
            }
            ClientMessage::AskNeed { rid } => {
                put(NEED);
                out.push(rid);
            }
            ClientMessage::Where { rid } => {
                put(PLACE);
                out.push(rid);
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
                hello: cursor.optional_bounded(MAX_HELLO)?,
            },
            PARTIAL => Self::decode_reply(&mut cursor, ReplyKind::Partial)?,
            FINAL => Self::decode_reply(&mut cursor, ReplyKind::Final)?,
            REJECT => Self::decode_reply(&mut cursor, ReplyKind::Rejected)?,
            HEARTBEAT => WorkerMessage::Heartbeat,
            DISCONNECT => WorkerMessage::Disconnect,
            RETURN => {
                let tokens = check_numbers(cursor.next()?, MAX_LIST)?;
                WorkerMessage::Return { tokens }
            }
            RESUME => WorkerMessage::Claim {
                client: cursor.id()?,
                rid: cursor.id()?,
                ext: ClaimExt::parse(&cursor.next()?)?,
                user: cursor.optional_bounded(MAX_USER)?,
            },
            ALL => WorkerMessage::AllClaimed {
                lives: cursor.optional().map(check_lives).transpose()?,
            },
            ROSTER => WorkerMessage::Denied {
                tokens: check_numbers(cursor.next()?, MAX_LIST)?,
            },
            NEED => WorkerMessage::Need {
                token: token(&cursor.next()?)?,
                need: Need::parse(&cursor.next()?)?,
            },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    fn decode_reply(cursor: &mut Cursor<'_, F>, kind: ReplyKind) -> Result<Self, Malformed> {
        let client = cursor.echo()?;
        let rid = cursor.echo()?;
        let code = cursor.next()?;
        let data = cursor.optional();
        let ext = cursor.optional().map(|ext| TokenExt::parse(&ext));
        let ext = ext.transpose()?;
        let error = ext.is_some_and(|ext| ext.error);
        let pace = ext.and_then(|ext| ext.pace);
        if pace.is_some() && !kind.is_last() {
            return Err(Malformed::Extension);
        }
        let (kind, bytes) = match data {
            // A code frame alone is an error value, also `0`, which 0.0.92 sends for `error(0)`.
            None if kind == ReplyKind::Final => (ReplyKind::Error, code),
            Some(empty) if error && kind == ReplyKind::Final && empty.is_empty() => {
                let own = ext.is_some_and(|ext| ext.own);
                (ReplyKind::error(own), code)
            }
            Some(data) if !error && &*code == SUCCESS => (kind, data),
            None => return Err(Malformed::Short),
            Some(_) if error => return Err(Malformed::Extension),
            Some(_) => return Err(Malformed::Trailing),
        };
        let encoding = if ext.is_some_and(|ext| ext.binary) {
            Encoding::Binary
        } else {
            Encoding::Json
        };
        Ok(WorkerMessage::Reply {
            kind,
            client,
            rid,
            body: Body { bytes, encoding },
            token: ext.map(|ext| ext.token),
            pace,
        })
    }

    /// Appends the frames of the message. A reply without a token is for a broker without the
    /// extension: its body is encoded as JSON.
    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(WORKER);
        match self {
            WorkerMessage::Ready { service, hello } => {
                put(READY);
                out.push(service);
                out.extend(hello);
            }
            WorkerMessage::Reply {
                kind,
                client,
                rid,
                body,
                token,
                pace,
            } => {
                put(kind.command());
                out.extend([client, rid]);
                let ext = token.map(|token| TokenExt {
                    binary: body.encoding == Encoding::Binary,
                    error: kind.is_error(),
                    own: kind == ReplyKind::OwnError,
                    token,
                    pace,
                });
                let bytes = match ext {
                    Some(_) => body.bytes,
                    None => body.into_json(),
                };
                if kind.is_error() {
                    out.push(bytes);
                    out.extend(ext.map(|_| F::from(&[][..])));
                } else {
                    out.extend([F::from(SUCCESS), bytes]);
                }
                out.extend(ext.map(TokenExt::to_frame));
            }
            WorkerMessage::Heartbeat => put(HEARTBEAT),
            WorkerMessage::Disconnect => put(DISCONNECT),
            WorkerMessage::Return { tokens } => {
                put(RETURN);
                out.push(tokens);
            }
            WorkerMessage::Claim {
                client,
                rid,
                ext,
                user,
            } => {
                put(RESUME);
                out.extend([client, rid, ext.to_frame()]);
                out.extend(user);
            }
            WorkerMessage::AllClaimed { lives } => {
                put(ALL);
                out.extend(lives);
            }
            WorkerMessage::Denied { tokens } => {
                put(ROSTER);
                out.push(tokens);
            }
            WorkerMessage::Need { token, need } => {
                put(NEED);
                out.extend([F::from(&token.to_be_bytes()[..]), need.to_frame()]);
            }
        }
    }
}

#[cfg(test)]
#[path = "to_broker_tests.rs"]
mod tests;
