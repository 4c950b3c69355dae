//! Messages of workers to the broker.

use super::resume::check_numbers;
use super::roster::check_lives;
use super::*;
use crate::wire::ext::{Pace, TokenExt};
use crate::wire::sizes::{MAX_HELLO, MAX_LIST, MAX_USER};
use crate::wire::{Body, Cursor, Frame, Malformed};

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

impl<F: Frame> WorkerMessage<F> {
    pub(super) fn decode(mut cursor: Cursor<'_, F>) -> Result<PeerMessage<F>, Malformed> {
        let command = cursor.next()?;
        let message = match &*command {
            READY => WorkerMessage::Ready {
                service: cursor.service()?,
                hello: cursor.optional_bounded(MAX_HELLO)?,
            },
            PARTIAL => return Self::decode_reply(cursor, ReplyKind::Partial),
            FINAL => return Self::decode_reply(cursor, ReplyKind::Final),
            REJECT => return Self::decode_reply(cursor, ReplyKind::Rejected),
            HEARTBEAT => WorkerMessage::Heartbeat,
            DISCONNECT => WorkerMessage::Disconnect,
            RETURN => {
                let tokens = check_numbers(cursor.next()?, MAX_LIST)?;
                WorkerMessage::Return { tokens }
            }
            CLAIM => WorkerMessage::Claim {
                client: cursor.id()?,
                rid: cursor.id()?,
                ext: ClaimExt::parse(&cursor.next()?)?,
                user: cursor.optional_bounded(MAX_USER)?,
            },
            ALL => WorkerMessage::AllClaimed {
                lives: cursor.optional().map(check_lives).transpose()?,
            },
            DENIED => WorkerMessage::Denied {
                tokens: check_numbers(cursor.next()?, MAX_LIST)?,
            },
            NEED => WorkerMessage::Need {
                token: token(&cursor.next()?)?,
                need: Need::parse(&cursor.next()?)?,
            },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(PeerMessage::Worker(message))
    }

    /// Constructs the message where it is returned, because it is frequent and large.
    fn decode_reply(
        mut cursor: Cursor<'_, F>,
        kind: ReplyKind,
    ) -> Result<PeerMessage<F>, Malformed> {
        let client = cursor.echo()?;
        let rid = cursor.echo()?;
        let code = cursor.next()?;
        let data = cursor.optional();
        let ext = cursor.optional().map(|ext| TokenExt::parse(&ext));
        let ext = ext.transpose()?;
        let pace = ext.and_then(|ext| ext.pace);
        if pace.is_some() && !kind.is_last() {
            return Err(Malformed::Extension);
        }
        let (kind, body) = reply::decode(kind, code, data, ext.map(|ext| ext.flags()))?;
        cursor.finish()?;
        Ok(PeerMessage::Worker(WorkerMessage::Reply {
            kind,
            client,
            rid,
            body,
            token: ext.map(|ext| ext.token),
            pace,
        }))
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
                let flags = reply::flags(kind, &body);
                let ext = token.map(|token| TokenExt::new(flags, token, pace));
                reply::encode(kind, body, ext.is_some(), out);
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
                put(CLAIM);
                out.extend([client, rid, ext.to_frame()]);
                out.extend(user);
            }
            WorkerMessage::AllClaimed { lives } => {
                put(ALL);
                out.extend(lives);
            }
            WorkerMessage::Denied { tokens } => {
                put(DENIED);
                out.push(tokens);
            }
            WorkerMessage::Need { token, need } => {
                put(NEED);
                out.extend([F::from(&token.to_be_bytes()[..]), need.to_frame()]);
            }
        }
    }
}
