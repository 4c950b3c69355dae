use super::super::testing::frames;
use super::*;
use crate::fuzz::corpus::vector;
use crate::wire::Body;
use crate::wire::ext::{Pace, RequestData, RequestExt};

#[track_caller]
fn decode(text: &str) -> Result<PeerMessage<Vec<u8>>, Malformed> {
    vector("to_broker", &frames(text));
    PeerMessage::decode(&mut frames(text))
}

fn encode(message: PeerMessage<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    match message {
        PeerMessage::Client(message) => message.encode(&mut out),
        PeerMessage::Worker(message) => message.encode(&mut out),
    }
    out
}

#[track_caller]
fn golden(text: &str, message: PeerMessage<Vec<u8>>) {
    assert_eq!(decode(text).as_ref(), Ok(&message));
    assert_eq!(encode(message), frames(text));
}

fn client(message: ClientMessage<Vec<u8>>) -> PeerMessage<Vec<u8>> {
    PeerMessage::Client(message)
}

fn worker(message: WorkerMessage<Vec<u8>>) -> PeerMessage<Vec<u8>> {
    PeerMessage::Worker(message)
}

fn reply(kind: ReplyKind, body: Body<Vec<u8>>, token: Option<u64>) -> PeerMessage<Vec<u8>> {
    worker(WorkerMessage::Reply {
        kind,
        client: b"Cx".to_vec(),
        rid: b"r1".to_vec(),
        body,
        token,
        pace: None,
    })
}

/// With the pace of the worker.
fn paced(mut message: PeerMessage<Vec<u8>>, service: u16, spent: u32) -> PeerMessage<Vec<u8>> {
    if let PeerMessage::Worker(WorkerMessage::Reply { pace, .. }) = &mut message {
        *pace = Some(Pace { service, spent });
    }
    message
}

#[test]
fn client_messages_of_0_0_92() {
    golden(
        r#"C|2|echo|r1|"foo"|{"timeout":60000}"#,
        client(ClientMessage::Request {
            service: b"echo".to_vec(),
            rid: b"r1".to_vec(),
            data: b"\"foo\"".to_vec(),
            opts: Some(br#"{"timeout":60000}"#.to_vec()),
            ext: None,
        }),
    );
    golden(
        "C|2|__proto__|r1|null",
        client(ClientMessage::Request {
            service: b"__proto__".to_vec(),
            rid: b"r1".to_vec(),
            data: b"null".to_vec(),
            opts: None,
            ext: None,
        }),
    );
    golden("C|4", client(ClientMessage::Heartbeat));
    golden(
        "C|4|r1",
        client(ClientMessage::RequestHeartbeat {
            rid: b"r1".to_vec(),
        }),
    );
}

#[test]
fn client_messages_of_the_extension() {
    golden(
        "C|1|{}",
        client(ClientMessage::Hello {
            hello: b"{}".to_vec(),
        }),
    );
    golden(
        "C|2|echo|r1|ab|{}|\u{1}\0\0\0\u{7}",
        client(ClientMessage::Request {
            service: b"echo".to_vec(),
            rid: b"r1".to_vec(),
            data: b"ab".to_vec(),
            opts: Some(b"{}".to_vec()),
            ext: Some(RequestExt::plain(RequestData::Binary, 7)),
        }),
    );
    golden(
        "C|2|echo|r1|ab|{}|\u{20}\0\0\0\u{7}\u{2}",
        client(ClientMessage::Request {
            service: b"echo".to_vec(),
            rid: b"r1".to_vec(),
            data: b"ab".to_vec(),
            opts: Some(b"{}".to_vec()),
            ext: Some(RequestExt {
                retry: 2,
                ..RequestExt::plain(RequestData::Json, 7)
            }),
        }),
    );
    golden(
        "C|2|echo|r1|∅|{}|\u{c}\0\0\0\u{7}\0\0\u{1}\0",
        client(ClientMessage::Request {
            service: b"echo".to_vec(),
            rid: b"r1".to_vec(),
            data: Vec::new(),
            opts: Some(b"{}".to_vec()),
            ext: Some(RequestExt {
                stream: true,
                left_ms: Some(256),
                ..RequestExt::plain(RequestData::Json, 7)
            }),
        }),
    );
    golden(
        "C|18|r1|ab|\u{1}\0\0\0\0\0\0\0A",
        client(ClientMessage::Chunk {
            rid: b"r1".to_vec(),
            body: Body::binary(b"ab".to_vec()),
            at: 65,
            last: false,
        }),
    );
    golden(
        "C|18|r1|∅|\u{2}\0\0\0\0\0\0\0A",
        client(ClientMessage::Chunk {
            rid: b"r1".to_vec(),
            body: Body::json(Vec::new()),
            at: 65,
            last: true,
        }),
    );
    let rid = b"r1".to_vec();
    golden("C|19|r1", client(ClientMessage::AskNeed { rid }));
    golden(
        "W|19|\0\0\0\0\0\0\0\t|\u{1}\0\0\0\0\0\0\0A\0\0\0\0\0\0\u{1}\0",
        worker(WorkerMessage::Need {
            token: 9,
            need: Need {
                have: 65,
                limit: 256,
                again: true,
                enough: false,
            },
        }),
    );
    golden("C|5", client(ClientMessage::Disconnect));
    for (text, expired) in [("C|8|r1", false), ("C|8|r1|T", true)] {
        let rid = b"r1".to_vec();
        golden(text, client(ClientMessage::Cancel { rid, expired }));
    }
    golden(
        "C|10|r1|\0\u{2}\0\0",
        client(ClientMessage::Credit {
            rid: b"r1".to_vec(),
            bytes: 131_072,
        }),
    );
}

#[test]
fn worker_messages_of_0_0_92() {
    golden(
        "W|1|echo",
        worker(WorkerMessage::Ready {
            service: b"echo".to_vec(),
            hello: None,
        }),
    );
    let one = || Body::json(b"1".to_vec());
    golden("W|6|Cx|r1|0|1", reply(ReplyKind::Partial, one(), None));
    golden("W|3|Cx|r1|0|1", reply(ReplyKind::Final, one(), None));
    golden("W|3|Cx|r1|1", reply(ReplyKind::Error, one(), None));
    golden(
        "W|3|Cx|r1|0",
        reply(ReplyKind::Error, Body::json(b"0".to_vec()), None),
    );
    golden("W|4", worker(WorkerMessage::Heartbeat));
    golden("W|5", worker(WorkerMessage::Disconnect));
}

#[test]
fn worker_messages_of_the_extension() {
    golden(
        "W|1|echo|{}",
        worker(WorkerMessage::Ready {
            service: b"echo".to_vec(),
            hello: Some(b"{}".to_vec()),
        }),
    );
    golden(
        "W|9|\0\0\0\0\0\0\0\u{1}\0\0\0\0\0\0\0\u{2}",
        worker(WorkerMessage::Return {
            tokens: vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2],
        }),
    );
    let token = Some(0x0100_0000_0000_0002);
    golden(
        "W|6|Cx|r1|0|ab|\u{1}\u{1}\0\0\0\0\0\0\u{2}",
        reply(ReplyKind::Partial, Body::binary(b"ab".to_vec()), token),
    );
    golden(
        "W|3|Cx|r1|0|1|\0\u{1}\0\0\0\0\0\0\u{2}",
        reply(ReplyKind::Final, Body::json(b"1".to_vec()), token),
    );
    golden(
        "W|3|Cx|r1|0|∅|\u{4}\u{1}\0\0\0\0\0\0\u{2}",
        reply(ReplyKind::Error, Body::json(b"0".to_vec()), token),
    );
    let one = || Body::json(b"1".to_vec());
    golden(
        "W|3|Cx|r1|0|1|\u{10}\u{1}\0\0\0\0\0\0\u{2}\0\u{14}\0\0\u{1}\u{2}",
        paced(reply(ReplyKind::Final, one(), token), 20, 258),
    );
    golden(
        "W|3|Cx|r1|1|∅|\u{14}\u{1}\0\0\0\0\0\0\u{2}\0\u{14}\0\0\u{1}\u{2}",
        paced(reply(ReplyKind::Error, one(), token), 20, 258),
    );
}

#[test]
fn a_buffer_goes_to_an_old_broker_as_node_writes_it() {
    let sent = encode(reply(ReplyKind::Final, Body::binary(vec![7]), None));
    assert_eq!(sent, frames(r#"W|3|Cx|r1|0|{"type":"Buffer","data":[7]}"#));
}

#[test]
fn malformed() {
    use Malformed::*;
    for (text, why) in [
        ("∅", Header),
        ("X", Header),
        ("CW|1", Header),
        ("C", Short),
        ("W", Short),
        ("C|∅", Command),
        ("C|9", Command),
        ("W|2|a|b|c", Command),
        ("W|7|a", Short),
        ("W|\u{1}|echo", Command),
        ("C|2|echo", Short),
        ("C|2|echo|r1", Short),
        ("C|2|∅|r1|1|{}", Name),
        ("C|2|echo|∅|1|{}", Name),
        ("C|2|echo|r1|1|{}|", Extension),
        ("C|2|echo|r1|1|{}|\0\0\0\0\0|x", Trailing),
        ("C|4|r1|x", Trailing),
        ("C|8", Short),
        ("C|8|r1|∅", Extension),
        ("C|8|r1|T|T", Trailing),
        ("C|10|r1", Short),
        ("C|10|∅|\0\0\0\u{1}", Name),
        ("C|10|r1|\0\0\u{1}", Extension),
        ("C|10|r1|\0\0\0\0", Extension),
        ("C|10|r1|\0\0\0\u{1}|x", Trailing),
        ("W|1", Short),
        ("W|1|∅", Name),
        ("W|1|echo|{}|x", Trailing),
        ("W|3", Short),
        ("W|3|Cx", Short),
        ("W|3|Cx|r1", Short),
        ("W|6|Cx|r1|0", Short),
        ("W|6|Cx|r1|1|2", Trailing),
        ("W|3|Cx|r1|1|2", Trailing),
        ("W|3|∅|r1|0|1", Name),
        ("W|3|Cx|r1|0|1|\u{8}\0\0\0\0\0\0\0\0", Extension),
        ("W|6|Cx|r1|0|∅|\u{4}\0\0\0\0\0\0\0\0", Extension),
        ("W|3|Cx|r1|0|1|\u{10}\0\0\0\0\0\0\0\0", Extension),
        ("W|3|Cx|r1|0|1|\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Extension),
        (
            "W|6|Cx|r1|0|1|\u{10}\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            Extension,
        ),
        ("W|4|x", Trailing),
        ("W|9", Short),
        ("W|9|∅", Extension),
        ("W|9|1234567", Extension),
        ("W|9|12345678|x", Trailing),
    ] {
        assert_eq!(decode(text), Err(why), "{text}");
    }
    assert_eq!(
        PeerMessage::<Vec<u8>>::decode(&mut Vec::new()),
        Err(Short),
        "no frame at all"
    );
}

/// Each frame except the body has a maximum.
#[test]
fn parts_that_are_too_long() {
    use crate::wire::sizes::*;
    use Malformed::{Name, Size};
    for (max, form, why) in [
        (MAX_SERVICE, "W|1|@", Name),
        (MAX_SERVICE, "C|2|@|r1|1", Name),
        (MAX_ID, "C|2|echo|@|1", Name),
        (MAX_ID, "C|8|@", Name),
        (MAX_ID, "C|4|@", Name),
        (MAX_ECHO, "W|3|@|r1|0|1", Name),
        (MAX_ECHO, "W|3|Cx|@|0|1", Name),
        (MAX_OPTIONS, "C|2|echo|r1|1|@", Size),
        (MAX_HELLO, "C|1|@", Size),
        (MAX_HELLO, "W|1|echo|@", Size),
        (MAX_USER, "W|11|Cx|r1|\0\0\0\0\0\0\0\0\0|@", Size),
    ] {
        let with = |len| form.replace('@', &"x".repeat(len));
        // `decode` would add this message to the corpus.
        let decode = |len| PeerMessage::decode(&mut frames(&with(len)));
        assert!(decode(max).is_ok(), "{form}");
        assert_eq!(decode(max + 1), Err(why), "{form}");
    }
}

/// Each message that decodes encodes to the same frames. The frames are drawn from a small
/// alphabet, so that many of them decode.
#[test]
fn decode_then_encode_is_identity() {
    let alphabet = frames(concat!(
        "C|W|1|2|3|4|5|6|7|8|0|∅|Cx|r1|\0\0\0\0\0|\u{5}\0\0\0\0\0\0\0\u{1}|{}|x|",
        "\u{10}\0\0\0\0\0\0\0\u{1}\0\u{2}\0\0\0\u{3}"
    ));
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n as u64) as usize
    };
    let mut decoded = 0;
    for _ in 0..200_000 {
        let mut input: Vec<Vec<u8>> = vec![alphabet[next(2)].clone()];
        for _ in 0..next(8) {
            input.push(alphabet[next(alphabet.len())].clone());
        }
        if let Ok(message) = PeerMessage::decode(&mut input.clone()) {
            decoded += 1;
            assert_eq!(encode(message), input);
        }
    }
    assert!(decoded > 1_000, "only {decoded} of the inputs decoded");
}

#[test]
fn what_outlives_a_broker() {
    golden(
        "C|11|echo|r1|1|{}|\0\0\0\u{1}\0|\0\0\0\u{3}\0\0\u{1}\0\0\0\0\0\0\0\0\u{5}\0",
        client(ClientMessage::Resume {
            service: b"echo".to_vec(),
            rid: b"r1".to_vec(),
            data: b"1".to_vec(),
            opts: b"{}".to_vec(),
            ext: RequestExt::plain(RequestData::Json, 256),
            past: Past {
                received: 3,
                wait_ms: 256,
                read: 5,
                here: false,
            },
            recall: None,
        }),
    );
    let rids = b"\0\x02r1".to_vec();
    golden("C|12|\0\u{2}r1", client(ClientMessage::Go { rids }));
    let claim = |user: Option<&str>| {
        worker(WorkerMessage::Claim {
            client: b"Cx".to_vec(),
            rid: b"r1".to_vec(),
            ext: ClaimExt {
                state: ClaimState::Running,
                number: 2,
                token: None,
            },
            user: user.map(|user| user.as_bytes().to_vec()),
        })
    };
    let ack = Ack {
        messages: 2,
        bytes: 256,
    };
    golden(
        "C|14|\0\0\0\u{2}\0\0\u{1}\0",
        client(ClientMessage::Ack(ack)),
    );
    golden("C|15", client(ClientMessage::AllResumed));
    let rid = b"r1".to_vec();
    golden("C|17|r1", client(ClientMessage::Where { rid }));
    golden("W|15", worker(WorkerMessage::AllClaimed { lives: None }));
    let lives = Some(b"\x03b.1\0\0\0\0\0\0\0\x02".to_vec());
    golden(
        "W|15|\u{3}b.1\0\0\0\0\0\0\0\u{2}",
        worker(WorkerMessage::AllClaimed { lives }),
    );
    let tokens = vec![0, 0, 0, 0, 0, 0, 0, 2];
    golden(
        "W|20|\0\0\0\0\0\0\0\u{2}",
        worker(WorkerMessage::Denied { tokens }),
    );
    golden(
        "C|20|\0\0\0\0\0\0\0\u{2}",
        client(ClientMessage::Heard { last: 2 }),
    );
    golden("W|11|Cx|r1|\0\0\0\0\0\0\0\0\u{2}", claim(None));
    golden("W|11|Cx|r1|\0\0\0\0\0\0\0\0\u{2}|web", claim(Some("web")));
    use Malformed::*;
    for (text, why) in [
        ("C|11|echo|r1|1|{}|\0\0\0\0\0", Short),
        ("C|11|echo|r1|1|{}|\0|\0\0\0\0\0\0\0\0", Extension),
        ("C|11|echo|r1|1|{}|\0\0\0\0\0|\0", Extension),
        ("C|11|echo|∅|1|{}|\0\0\0\0\0|\0\0\0\0\0\0\0\0", Name),
        ("C|14|\0\0\0\0\0\0\0\0", Extension),
        ("C|14|\0\0\0\u{2}", Extension),
        ("C|15|x", Trailing),
        ("C|17", Short),
        ("C|17|∅", Name),
        ("C|17|r1|x", Trailing),
        ("W|15|x", Extension),
        ("W|15|\u{1}s\0\0\0\0\0\0\0\u{1}|x", Trailing),
        ("W|20", Short),
        ("W|20|\0", Extension),
        ("C|20", Short),
        ("C|20|\0", Extension),
        ("C|12", Short),
        ("C|12|∅", Extension),
        ("C|12|\0\u{2}r1|x", Trailing),
        ("W|11|Cx|r1", Short),
        ("W|11|Cx|r1|\u{3}\0\0\0\0\0\0\0\u{2}", Extension),
        ("W|11|Cx|r1|\0\0\0\0\0\0\0\0\u{2}|web|x", Trailing),
    ] {
        assert_eq!(decode(text), Err(why), "{text}");
    }
}
