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
    /// `W 5 session`. Extension: another peer has taken the name. A peer with this session must not
    /// reconnect.
    NameTaken { session: F },
    /// `W 8 token`. Extension: the request is not wanted any longer.
    Cancel { token: u64 },
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
            READY => ToWorker::Welcome {
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
            DISCONNECT => ToWorker::NameTaken {
                session: cursor.id()?,
            },
            RESUME => ToWorker::Resume(ResumeExt::parse(&cursor.next()?)?),
            PARK => ToWorker::Disclaim {
                numbers: check_numbers(cursor.next()?, MAX_LIST_OF_BROKER)?,
            },
            CANCEL => ToWorker::Cancel {
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
            ROSTER => ToWorker::Ask {
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
            NEED => ToWorker::AskNeed {
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
                put(READY);
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
            ToWorker::NameTaken { session } => {
                put(DISCONNECT);
                out.push(session);
            }
            ToWorker::Cancel { token } => {
                put(CANCEL);
                out.push(F::from(&token.to_be_bytes()[..]));
            }
            ToWorker::Resume(ext) => {
                put(RESUME);
                out.push(ext.to_frame());
            }
            ToWorker::Disclaim { numbers } => {
                put(PARK);
                out.push(numbers);
            }
            ToWorker::Credit { token, bytes } => {
                put(CREDIT);
                out.push(F::from(&token.to_be_bytes()[..]));
                out.push(F::from(&bytes.to_be_bytes()[..]));
            }
            ToWorker::Ack { ack, stamp } => {
                put(ACK);
                out.push(ack.to_frame());
                out.extend(stamp.map(|stamp| F::from(&stamp.to_be_bytes()[..])));
            }
            ToWorker::Ask { session, questions } => {
                put(ROSTER);
                out.extend([session, questions]);
            }
            ToWorker::Chunk {
                token,
                body,
                at,
                last,
            } => {
                put(CHUNK);
                out.push(F::from(&token.to_be_bytes()[..]));
                out.extend(Chunk { body, at, last }.into_frames());
            }
            ToWorker::AskNeed { token } => {
                put(NEED);
                out.push(F::from(&token.to_be_bytes()[..]));
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
    fn golden(text: &str, message: ToWorker<Vec<u8>>) {
        vector("to_worker", &frames(text));
        assert_eq!(ToWorker::decode(&mut frames(text)).as_ref(), Ok(&message));
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out, frames(text));
    }

    fn request(body: Body<Vec<u8>>, extra: Option<RequestExtra<Vec<u8>>>) -> ToWorker<Vec<u8>> {
        ToWorker::Request {
            client: b"Cx".to_vec(),
            rid: b"r1".to_vec(),
            body,
            extra,
        }
    }

    #[test]
    fn messages_of_0_0_92() {
        golden("W|2|Cx|r1|1", request(Body::json(b"1".to_vec()), None));
        golden("W|4", ToWorker::Heartbeat);
        golden(
            "W|4|Cx|r1",
            ToWorker::RequestHeartbeat {
                client: b"Cx".to_vec(),
                rid: b"r1".to_vec(),
            },
        );
        golden("W|5", ToWorker::Disconnect);
    }

    #[test]
    fn messages_of_the_extension() {
        golden(
            "W|1|{}",
            ToWorker::Welcome {
                hello: b"{}".to_vec(),
            },
        );
        let extra = |opts: &[u8]| {
            Some(RequestExtra {
                opts: opts.to_vec(),
                token: 9,
                retried: 0,
                stream: false,
                left_ms: None,
                service: None,
                user: None,
            })
        };
        golden(
            "W|2|Cx|r1|ab|{}|\u{1}\0\0\0\0\0\0\0\t",
            request(Body::binary(b"ab".to_vec()), extra(b"{}")),
        );
        golden(
            "W|2|Cx|r1|1|∅|\0\0\0\0\0\0\0\0\t",
            request(Body::json(b"1".to_vec()), extra(b"")),
        );
        let known = RequestExtra {
            opts: b"{}".to_vec(),
            token: 9,
            retried: 1,
            stream: false,
            left_ms: None,
            service: Some(Box::new(b"billing.pay".to_vec())),
            user: Some(Box::new(b"web".to_vec())),
        };
        golden(
            "W|2|Cx|r1|1|{}|\u{60}\0\0\0\0\0\0\0\t\u{1}|billing.pay|web",
            request(Body::json(b"1".to_vec()), Some(known)),
        );
        let stream = RequestExtra {
            opts: b"{}".to_vec(),
            token: 9,
            retried: 0,
            stream: true,
            left_ms: Some(256),
            service: None,
            user: None,
        };
        golden(
            "W|2|Cx|r1|∅|{}|\u{c}\0\0\0\0\0\0\0\t\0\0\u{1}\0",
            request(Body::json(Vec::new()), Some(stream)),
        );
        golden(
            "W|18|\0\0\0\0\0\0\0\t|ab|\u{1}\0\0\0\0\0\0\0A",
            ToWorker::Chunk {
                token: 9,
                body: Body::binary(b"ab".to_vec()),
                at: 65,
                last: false,
            },
        );
        golden(
            "W|18|\0\0\0\0\0\0\0\t|∅|\u{2}\0\0\0\0\0\0\0A",
            ToWorker::Chunk {
                token: 9,
                body: Body::json(Vec::new()),
                at: 65,
                last: true,
            },
        );
        golden("W|19|\0\0\0\0\0\0\0\t", ToWorker::AskNeed { token: 9 });
        golden("W|8|\0\0\0\0\0\0\0\t", ToWorker::Cancel { token: 9 });
        golden(
            "W|11|\0\0\0\0\0\0\0\u{2}\0\0\0\0\0\0\0\t\0\0\0\u{3}\0\0\0\0\0\0\0\u{5}",
            ToWorker::Resume(ResumeExt {
                number: 2,
                token: 9,
                received: 3,
                read: 5,
            }),
        );
        golden(
            "W|12|\0\0\0\0\0\0\0\u{2}",
            ToWorker::Disclaim {
                numbers: vec![0, 0, 0, 0, 0, 0, 0, 2],
            },
        );
        let ack = Ack {
            messages: 2,
            bytes: 256,
        };
        let text = "W|14|\0\0\0\u{2}\0\0\u{1}\0";
        golden(text, ToWorker::Ack { ack, stamp: None });
        let stamp = Some(65);
        let text = format!("{text}|\0\0\0\0\0\0\0A");
        golden(&text, ToWorker::Ack { ack, stamp });
        golden(
            "W|20|b.1|\0\0\0\0\0\0\0\t\0\0\0\0\0\0\0A\0\u{1}c\0\u{2}r1",
            ToWorker::Ask {
                session: b"b.1".to_vec(),
                questions: b"\0\0\0\0\0\0\0\t\0\0\0\0\0\0\0A\0\x01c\0\x02r1".to_vec(),
            },
        );
        golden(
            "W|10|\0\0\0\0\0\0\0\t|\0\u{2}\0\0",
            ToWorker::Credit {
                token: 9,
                bytes: 131_072,
            },
        );
        let session = b"s.1".to_vec();
        golden("W|5|s.1", ToWorker::NameTaken { session });
    }

    #[test]
    fn a_buffer_goes_to_an_old_worker_as_node_writes_it() {
        let mut out = Vec::new();
        request(Body::binary(vec![1, 2]), None).encode(&mut out);
        assert_eq!(out, frames(r#"W|2|Cx|r1|{"type":"Buffer","data":[1,2]}"#));
    }

    #[test]
    fn malformed() {
        use Malformed::*;
        for (text, why) in [
            ("∅", Header),
            ("C|4", Header),
            ("W", Short),
            ("W|9", Command),
            ("W|3|Cx|r1|0|1", Command),
            ("W|1", Short),
            ("W|1|{}|x", Trailing),
            ("W|2", Short),
            ("W|2|Cx|r1", Short),
            ("W|2|∅|r1|1", Name),
            ("W|2|Cx|∅|1", Name),
            ("W|2|Cx|r1|1|{}", Short),
            ("W|2|Cx|r1|1|{}|x", Extension),
            ("W|2|Cx|r1|1|{}|\u{2}\0\0\0\0\0\0\0\0", Extension),
            ("W|2|Cx|r1|1|{}|\u{8}\0\0\0\0\0\0\0\0", Extension),
            ("W|18|x|1|\0\0\0\0\0\0\0\0\0", Extension),
            ("W|18|\0\0\0\0\0\0\0\t|1", Short),
            ("W|18|\0\0\0\0\0\0\0\t|1|\u{2}\0\0\0\0\0\0\0\0", Extension),
            ("W|18|\0\0\0\0\0\0\0\t|1|\u{3}\0\0\0\0\0\0\0\0", Extension),
            ("W|19", Short),
            ("W|19|x", Extension),
            ("W|2|Cx|r1|1|{}|\0\0\0\0\0\0\0\0\0|x|x", Trailing),
            ("W|2|Cx|r1|1|{}|\u{40}\0\0\0\0\0\0\0\0", Short),
            ("W|5|∅", Name),
            ("W|5|s.1|x", Trailing),
            ("W|4|Cx", Short),
            ("W|4|Cx|r1|x", Trailing),
            ("W|8|x", Extension),
            ("W|11|x", Extension),
            ("W|12|∅", Extension),
            ("W|12|x", Extension),
            ("W|12|\0\0\0\0\0\0\0\0|x", Trailing),
            ("W|10|\0\0\0\0\0\0\0\t", Short),
            ("W|10|x|\0\0\0\u{1}", Extension),
            ("W|10|\0\0\0\0\0\0\0\t|\0\0\0\0", Extension),
            ("W|10|\0\0\0\0\0\0\0\t|\0\0\0\u{1}|x", Trailing),
        ] {
            vector("to_worker", &frames(text));
            assert_eq!(ToWorker::decode(&mut frames(text)), Err(why), "{text}");
        }
    }
}
