//! Golden vectors and malformed messages of the broker to a client.

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
    for (text, asked) in [("C|5|s-1", false), ("C|5|s-1|A", true)] {
        let session = b"s-1".to_vec();
        golden(text, ToClient::NameTaken { session, asked });
    }
    golden("C|21", ToClient::Ping);
    let started = Some(rids());
    golden("C|16|\0\u{2}r1\0\u{2}r2", ToClient::Leave { rids: started });
    golden("C|16", ToClient::Leave { rids: None });
    for (text, place, earlier) in [
        ("C|17|r1|0", Place::NoWorker, 0),
        ("C|17|r1|1", Place::Queued, 0),
        ("C|17|r1|1|\u{1}", Place::Queued, 1),
        ("C|17|r1|2|w1", Place::Worker(b"w1".to_vec()), 0),
        ("C|17|r1|2|w1|\u{3}", Place::Worker(b"w1".to_vec()), 3),
    ] {
        let rid = b"r1".to_vec();
        let message = ToClient::Place {
            rid,
            place,
            earlier,
        };
        golden(text, message);
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
        ("C|17|r1|0|w1", Extension),
        ("C|17|r1|0|\0", Extension),
        ("C|17|r1|0|\u{1}|x", Trailing),
        ("C|19|r1", Short),
        ("C|19|r1|x", Extension),
        ("C|19|r1|\u{4}\0\0\0\0\0\0\0A\0\0\0\0\0\0\u{1}\0", Extension),
        ("C|20", Short),
        ("C|20|\0", Extension),
        ("C|20|\0\0\0\0\0\0\0A\0\0\0\0\0\0\0\u{2}|\u{1}", Extension),
        ("C|5|∅", Name),
        ("C|5|s-1|x", Extension),
        ("C|5|s-1|A|x", Trailing),
        ("C|21|x", Trailing),
    ] {
        vector("to_client", &frames(text));
        assert_eq!(ToClient::decode(&mut frames(text)), Err(why), "{text}");
    }
}
