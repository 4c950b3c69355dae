//! Messages of clients to the broker.

use super::resume::check_rids;
use super::*;
use crate::wire::ext::RequestExt;
use crate::wire::sizes::{MAX_HELLO, MAX_LIST, MAX_OPTIONS};
use crate::wire::{Body, Cursor, Frame, Malformed};

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

impl<F: Frame> ClientMessage<F> {
    pub(super) fn decode(mut cursor: Cursor<'_, F>) -> Result<PeerMessage<F>, Malformed> {
        let command = cursor.next()?;
        let message = match &*command {
            HELLO => ClientMessage::Hello {
                hello: cursor.bounded(MAX_HELLO)?,
            },
            REQUEST => return Self::decode_request(cursor),
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
            HEARD => ClientMessage::Heard {
                last: token(&cursor.next()?)?,
            },
            GO => ClientMessage::Go {
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
            WHERE => ClientMessage::Where { rid: cursor.id()? },
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
            ASK_NEED => ClientMessage::AskNeed { rid: cursor.id()? },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(PeerMessage::Client(message))
    }

    /// Constructs the message where it is returned, because it is frequent and large.
    fn decode_request(mut cursor: Cursor<'_, F>) -> Result<PeerMessage<F>, Malformed> {
        let service = cursor.service()?;
        let rid = cursor.id()?;
        let data = cursor.next()?;
        let opts = cursor.optional_bounded(MAX_OPTIONS)?;
        let ext = cursor.optional().map(|ext| RequestExt::parse(&ext));
        let ext = ext.transpose()?;
        cursor.finish()?;
        Ok(PeerMessage::Client(ClientMessage::Request {
            service,
            rid,
            data,
            opts,
            ext,
        }))
    }

    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(CLIENT);
        match self {
            ClientMessage::Hello { hello } => {
                put(HELLO);
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
                put(HEARD);
                put(&last.to_be_bytes());
            }
            ClientMessage::Go { rids } => {
                put(GO);
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
                put(ASK_NEED);
                out.push(rid);
            }
            ClientMessage::Where { rid } => {
                put(WHERE);
                out.push(rid);
            }
        }
    }
}
