//! Messages of the broker to a client.

use super::resume::check_rids;
use super::roster::check_roster;
use super::*;
use crate::wire::ext::ResultExt;
use crate::wire::sizes::{MAX_HELLO, MAX_LIST_OF_BROKER};
use crate::wire::{Body, Cursor, Encoding, Frame, Malformed, packed};

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
    /// `C 5 session`. Extension: another peer has taken the name. A peer with this session must not
    /// reconnect.
    NameTaken { session: F },
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
    /// `C 17 rid place [worker]`. Extension: where a request is, or was when it failed.
    Place { rid: F, place: Place<F> },
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
            READY => ToClient::Welcome {
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
            RESUME => ToClient::Resumed {
                rids: check_rids(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            PARK => ToClient::Parked {
                rids: check_rids(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            UNPARK => ToClient::Unpark {
                rids: check_rids(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            DISCONNECT if cursor.remaining() == 0 => ToClient::Disconnect,
            DISCONNECT => ToClient::NameTaken {
                session: cursor.id()?,
            },
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
        let error = ext.is_some_and(|ext| ext.error);
        let (kind, bytes) = match data {
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
        Ok(ToClient::Reply {
            kind,
            rid,
            body: Body { bytes, encoding },
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
                put(READY);
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
                let ext = extended.then_some(ResultExt {
                    binary: body.encoding == Encoding::Binary,
                    error: kind.is_error(),
                    own: kind == ReplyKind::OwnError,
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
                out.extend(ext.map(ResultExt::to_frame));
            }
            ToClient::Heartbeat => put(HEARTBEAT),
            ToClient::Resumed { rids } => {
                put(RESUME);
                out.push(rids);
            }
            ToClient::Parked { rids } => {
                put(PARK);
                out.push(rids);
            }
            ToClient::Unpark { rids } => {
                put(UNPARK);
                out.push(rids);
            }
            ToClient::Disconnect => put(DISCONNECT),
            ToClient::NameTaken { session } => {
                put(DISCONNECT);
                out.push(session);
            }
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
            ToClient::Place { rid, place } => {
                put(PLACE);
                out.push(rid);
                place.encode(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::frames;
    use super::*;
    use crate::fuzz::corpus::vector;

    #[track_caller]
    fn golden(text: &str, message: ToClient<Vec<u8>>) {
        vector("to_client", &frames(text));
        assert_eq!(ToClient::decode(&mut frames(text)).as_ref(), Ok(&message));
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out, frames(text));
    }

    fn reply(kind: ReplyKind, body: Body<Vec<u8>>, extended: bool) -> ToClient<Vec<u8>> {
        ToClient::Reply {
            kind,
            rid: b"r1".to_vec(),
            body,
            extended,
        }
    }

    #[test]
    fn messages_of_0_0_92() {
        let one = || Body::json(b"1".to_vec());
        golden("C|6|r1|0|1", reply(ReplyKind::Partial, one(), false));
        golden("C|3|r1|0|1", reply(ReplyKind::Final, one(), false));
        golden("C|3|r1|1", reply(ReplyKind::Error, one(), false));
    }

    #[test]
    fn messages_of_the_extension() {
        golden(
            "C|1|{}",
            ToClient::Welcome {
                hello: b"{}".to_vec(),
                roster: None,
            },
        );
        golden(
            "C|6|r1|0|ab|\u{1}",
            reply(ReplyKind::Partial, Body::binary(b"ab".to_vec()), true),
        );
        golden(
            "C|3|r1|0|1|\0",
            reply(ReplyKind::Final, Body::json(b"1".to_vec()), true),
        );
        golden(
            "C|3|r1|0|∅|\u{4}",
            reply(ReplyKind::Error, Body::json(b"0".to_vec()), true),
        );
        golden(
            "C|3|r1|\"W_LOST\"|∅|\u{c}",
            reply(
                ReplyKind::OwnError,
                Body::json(b"\"W_LOST\"".to_vec()),
                true,
            ),
        );
        golden("C|4", ToClient::Heartbeat);
        let rids = || b"\0\x02r1\0\x02r2".to_vec();
        golden(
            "C|11|\0\u{2}r1\0\u{2}r2",
            ToClient::Resumed { rids: rids() },
        );
        golden("C|12|\0\u{2}r1\0\u{2}r2", ToClient::Parked { rids: rids() });
        golden("C|13|\0\u{2}r1\0\u{2}r2", ToClient::Unpark { rids: rids() });
        golden("C|5", ToClient::Disconnect);
        let session = b"s-1".to_vec();
        golden("C|5|s-1", ToClient::NameTaken { session });
        let started = Some(rids());
        golden("C|16|\0\u{2}r1\0\u{2}r2", ToClient::Leave { rids: started });
        golden("C|16", ToClient::Leave { rids: None });
        for (text, place) in [
            ("C|17|r1|0", Place::NoWorker),
            ("C|17|r1|1", Place::Queued),
            ("C|17|r1|2|w1", Place::Worker(b"w1".to_vec())),
        ] {
            let rid = b"r1".to_vec();
            golden(text, ToClient::Place { rid, place });
        }
        let head = RosterHead { stamp: 65, last: 2 };
        let text = "C|20|\0\0\0\0\0\0\0A\0\0\0\0\0\0\0\u{2}";
        let entries = None;
        golden(text, ToClient::Roster { head, entries });
        let echo = b"\x04echo\0\0\0\0\0\0\0\x07".to_vec();
        let entries = Some(echo.clone());
        let text = format!("{text}|\u{4}echo\0\0\0\0\0\0\0\u{7}");
        golden(&text, ToClient::Roster { head, entries });
        golden(
            &text.replace("C|20|", "C|1|{}|"),
            ToClient::Welcome {
                hello: b"{}".to_vec(),
                roster: Some((head, echo)),
            },
        );
        golden(
            "C|19|r1|\u{2}\0\0\0\0\0\0\0A\0\0\0\0\0\0\u{1}\0",
            ToClient::Need {
                rid: b"r1".to_vec(),
                need: Need {
                    have: 65,
                    limit: 256,
                    again: false,
                    enough: true,
                },
            },
        );
    }

    #[test]
    fn to_an_old_client_codes_and_buffers_are_values() {
        let mut out = Vec::new();
        let code = Body::json(b"\"W_LOST\"".to_vec());
        reply(ReplyKind::OwnError, code, false).encode(&mut out);
        assert_eq!(out, frames("C|3|r1|\"W_LOST\""));
        out.clear();
        reply(ReplyKind::Final, Body::binary(vec![1]), false).encode(&mut out);
        assert_eq!(out, frames(r#"C|3|r1|0|{"type":"Buffer","data":[1]}"#));
    }

    #[test]
    fn malformed() {
        use Malformed::*;
        for (text, why) in [
            ("∅", Header),
            ("W|4", Header),
            ("C", Short),
            ("C|2|x", Command),
            ("C|1", Short),
            ("C|3", Short),
            ("C|3|r1", Short),
            ("C|3|∅|0|1", Name),
            ("C|6|r1|0", Short),
            ("C|3|r1|2|1", Trailing),
            ("C|3|r1|0|1|x", Extension),
            ("C|3|r1|0|1|\u{8}", Extension),
            ("C|6|r1|0|∅|\u{4}", Extension),
            ("C|3|r1|0|1|\0|x", Trailing),
            ("C|4|x", Trailing),
            ("C|11", Short),
            ("C|11|∅", Extension),
            ("C|12|\0\u{3}r1", Extension),
            ("C|12|\0\u{2}r1x", Extension),
            ("C|13|\0\0", Extension),
            ("C|13|\0\u{2}r1|x", Trailing),
            ("C|16|∅", Extension),
            ("C|16|\0\u{2}r1|x", Trailing),
            ("C|17|r1", Short),
            ("C|17|∅|0", Name),
            ("C|17|r1|3", Extension),
            ("C|17|r1|2", Short),
            ("C|17|r1|0|w1", Trailing),
            ("C|19|r1", Short),
            ("C|19|r1|x", Extension),
            ("C|19|r1|\u{4}\0\0\0\0\0\0\0A\0\0\0\0\0\0\u{1}\0", Extension),
            ("C|20", Short),
            ("C|20|\0", Extension),
            ("C|20|\0\0\0\0\0\0\0A\0\0\0\0\0\0\0\u{2}|\u{1}", Extension),
            ("C|5|∅", Name),
            ("C|5|s-1|x", Trailing),
        ] {
            vector("to_client", &frames(text));
            assert_eq!(ToClient::decode(&mut frames(text)), Err(why), "{text}");
        }
    }
}
