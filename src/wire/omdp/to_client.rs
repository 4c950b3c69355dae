//! Messages of the broker to a client.

use super::resume::check_rids;
use super::roster::check_roster;
use super::*;
use crate::wire::ext::ResultExt;
use crate::wire::sizes::{MAX_HELLO, MAX_LIST_OF_BROKER};
use crate::wire::{Body, Cursor, Frame, Malformed, packed};

/// A message of the broker to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToClient<F> {
    /// `C 1 hello [head entries]`. Extension: the welcome, the answer to a client's hello, and the workers
    /// that the broker has.
    Welcome {
        hello: F,
        roster: Option<(RosterHead, F)>,
    },
    /// `C 6|3 rid 0 data [ext]`, or an error: `C 3 rid value [∅ ext]`.
    Reply {
        kind: ReplyKind,
        rid: F,
        body: Body<F>,
        /// Whether the message has the extension frame.
        extended: bool,
    },
    /// `C 4`. Extension.
    Heartbeat,
    /// `C 11 rids`. Extension: these requests of a broker that died were found.
    Resumed { rids: F },
    /// `C 12 rids`. Extension: these requests are parked; they start only after the client's GO.
    Parked { rids: F },
    /// `C 13 rids`. Extension: the turn of these parked requests is near; the client shall send GO.
    Unpark { rids: F },
    /// `C 5`. Extension: the broker leaves, or does not know this client, which shall say hello
    /// again.
    Disconnect,
    /// `C 5 session [A]`. Extension: another peer has the name. Addressed to a peer with this session only. With
    /// `A` the broker asks the other peer whether it lives, and this one shall soon try again.
    NameTaken { session: F, asked: bool },
    /// `C 21`. Extension: a request for a sign of life.
    Ping,
    /// `C 16 [rids]`. Extension: the broker leaves. Of the requests of this connection, only these
    /// may have started; the others have not and will not.
    Leave { rids: Option<F> },
    /// `C 19 rid need`. Extension: what is needed of the stream that is the request's data.
    Need { rid: F, need: Need },
    /// `C 20 head [entries]`. Extension: the workers that the broker has, as far as that has changed.
    Roster {
        head: RosterHead,
        entries: Option<F>,
    },
    /// `C 17 rid place [worker] [earlier]`. Extension: where a request is, or was when it failed.
    Place {
        rid: F,
        place: Place<F>,
        /// The number of its earlier attempts.
        earlier: u8,
    },
}

/// Where a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<F> {
    /// `0`: in the queue of a service that has no worker.
    NoWorker,
    /// `1`: in the queue of a service that has workers.
    Queued,
    /// `2 worker`: at the worker with this name.
    Worker(F),
}

impl<F: Frame> Place<F> {
    fn decode(cursor: &mut Cursor<'_, F>) -> Result<Self, Malformed> {
        match &*cursor.next()? {
            b"0" => Ok(Place::NoWorker),
            b"1" => Ok(Place::Queued),
            b"2" => Ok(Place::Worker(cursor.id()?)),
            _ => Err(Malformed::Extension),
        }
    }

    fn encode(self, out: &mut Vec<F>) {
        let digit = match self {
            Place::NoWorker => b"0",
            Place::Queued => b"1",
            Place::Worker(_) => b"2",
        };
        out.push(F::from(&digit[..]));
        if let Place::Worker(name) = self {
            out.push(name);
        }
    }
}

impl<F: Frame> ToClient<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        packed::unpack(frames).inspect_err(|_| frames.clear())?;
        let mut cursor = Cursor::new(frames);
        if &*cursor.next()? != CLIENT {
            return Err(Malformed::Header);
        }
        let command = cursor.next()?;
        let message = match &*command {
            WELCOME => ToClient::Welcome {
                hello: cursor.bounded(MAX_HELLO)?,
                roster: match cursor.optional() {
                    None => None,
                    Some(head) => {
                        let entries = check_roster(cursor.next()?)?;
                        Some((RosterHead::parse(&head)?, entries))
                    }
                },
            },
            PARTIAL => Self::decode_reply(&mut cursor, ReplyKind::Partial)?,
            FINAL => Self::decode_reply(&mut cursor, ReplyKind::Final)?,
            HEARTBEAT => ToClient::Heartbeat,
            RESUMED => ToClient::Resumed {
                rids: check_rids(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            PARKED => ToClient::Parked {
                rids: check_rids(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            UNPARK => ToClient::Unpark {
                rids: check_rids(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            DISCONNECT if cursor.remaining() == 0 => ToClient::Disconnect,
            NAME_TAKEN => ToClient::NameTaken {
                session: cursor.id()?,
                asked: asked(cursor.optional())?,
            },
            PING => ToClient::Ping,
            LEAVE => ToClient::Leave {
                rids: (cursor.optional())
                    .map(|rids| check_rids(rids, MAX_LIST_OF_BROKER))
                    .transpose()?,
            },
            NEED => ToClient::Need {
                rid: cursor.id()?,
                need: Need::parse(&cursor.next()?)?,
            },
            ROSTER => ToClient::Roster {
                head: RosterHead::parse(&cursor.next()?)?,
                entries: cursor.optional().map(check_roster).transpose()?,
            },
            PLACE => ToClient::Place {
                rid: cursor.id()?,
                place: Place::decode(&mut cursor)?,
                earlier: match cursor.optional().as_deref() {
                    None => 0,
                    Some(&[earlier]) if earlier > 0 => earlier,
                    Some(_) => return Err(Malformed::Extension),
                },
            },
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    fn decode_reply(cursor: &mut Cursor<'_, F>, kind: ReplyKind) -> Result<Self, Malformed> {
        let rid = cursor.echo()?;
        let code = cursor.next()?;
        let data = cursor.optional();
        let ext = cursor.optional().map(|ext| ResultExt::parse(&ext));
        let ext = ext.transpose()?;
        let (kind, body) = reply::decode(kind, code, data, ext)?;
        Ok(ToClient::Reply {
            kind,
            rid,
            body,
            extended: ext.is_some(),
        })
    }

    /// Appends the frames of the message. A reply that is not extended is for a client without the
    /// extension: its body is encoded as JSON, and a code as an ordinary error value.
    pub fn encode(self, out: &mut Vec<F>) {
        let mut put = |bytes: &[u8]| out.push(F::from(bytes));
        put(CLIENT);
        match self {
            ToClient::Welcome { hello, roster } => {
                put(WELCOME);
                out.push(hello);
                if let Some((head, entries)) = roster {
                    out.extend([head.to_frame(), entries]);
                }
            }
            ToClient::Reply {
                kind,
                rid,
                body,
                extended,
            } => {
                put(kind.command());
                out.push(rid);
                let ext = extended.then_some(reply::flags(kind, &body));
                reply::encode(kind, body, extended, out);
                out.extend(ext.map(ResultExt::to_frame));
            }
            ToClient::Heartbeat => put(HEARTBEAT),
            ToClient::Resumed { rids } => {
                put(RESUMED);
                out.push(rids);
            }
            ToClient::Parked { rids } => {
                put(PARKED);
                out.push(rids);
            }
            ToClient::Unpark { rids } => {
                put(UNPARK);
                out.push(rids);
            }
            ToClient::Disconnect => put(DISCONNECT),
            ToClient::NameTaken { session, asked } => {
                put(NAME_TAKEN);
                out.push(session);
                out.extend(asked.then(|| F::from(ASKED)));
            }
            ToClient::Ping => put(PING),
            ToClient::Leave { rids } => {
                put(LEAVE);
                out.extend(rids);
            }
            ToClient::Need { rid, need } => {
                put(NEED);
                out.extend([rid, need.to_frame()]);
            }
            ToClient::Roster { head, entries } => {
                put(ROSTER);
                out.push(head.to_frame());
                out.extend(entries);
            }
            ToClient::Place {
                rid,
                place,
                earlier,
            } => {
                put(PLACE);
                out.push(rid);
                place.encode(out);
                if earlier > 0 {
                    out.push(F::from(&[earlier][..]));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "to_client_tests.rs"]
mod tests;
