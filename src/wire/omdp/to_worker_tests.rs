//! Golden vectors and malformed messages of the broker to a worker.

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
    golden("W|22|\0\0\0\0\0\0\0\t", ToWorker::Hold { token: 9 });
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
    for (text, asked) in [("W|5|s.1", false), ("W|5|s.1|A", true)] {
        let session = b"s.1".to_vec();
        golden(text, ToWorker::NameTaken { session, asked });
    }
    golden("W|21", ToWorker::Ping);
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
        ("W|5|s.1|x", Extension),
        ("W|5|s.1|A|x", Trailing),
        ("W|21|x", Trailing),
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
