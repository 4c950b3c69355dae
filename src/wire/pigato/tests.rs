//! Golden vectors in both directions, and malformed messages.

use super::super::neutral::error_text;
use super::*;
use crate::fuzz::corpus::vector;
use crate::wire::Body;
use crate::wire::omdp::testing::frames;
use crate::wire::sizes::MAX_HELLO;
use Malformed::*;

type Bytes = Vec<u8>;

const UUID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

fn bytes(text: &str) -> Bytes {
    text.into()
}

#[track_caller]
fn from_client(text: &str, message: ClientMessage<Bytes>) {
    vector("pigato", &frames(text));
    let decoded = PeerMessage::decode(&mut frames(text));
    assert_eq!(decoded, Ok(PeerMessage::Client(message.clone())), "{text}");
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(out, frames(text));
}

#[track_caller]
fn from_worker(text: &str, message: WorkerMessage<Bytes>) {
    vector("pigato", &frames(text));
    let decoded = PeerMessage::decode(&mut frames(text));
    assert_eq!(decoded, Ok(PeerMessage::Worker(message.clone())), "{text}");
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(out, frames(text));
}

#[track_caller]
fn to_client(text: &str, message: ToClient<Bytes>) {
    vector("pigato", &frames(text));
    assert_eq!(ToClient::decode(&mut frames(text)).as_ref(), Ok(&message));
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(out, frames(text));
}

#[track_caller]
fn to_worker(text: &str, message: ToWorker<Bytes>) {
    vector("pigato", &frames(text));
    assert_eq!(ToWorker::decode(&mut frames(text)).as_ref(), Ok(&message));
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(out, frames(text));
}

fn request(rid: &str, data: &str, opts: Option<&str>) -> ClientMessage<Bytes> {
    ClientMessage::Request {
        service: bytes("echo"),
        rid: bytes(rid),
        data: bytes(data),
        opts: opts.map(bytes),
    }
}

fn reply(kind: ReplyKind, data: &str, opts: Option<&str>) -> WorkerMessage<Bytes> {
    WorkerMessage::Reply {
        kind,
        client: bytes("Cx"),
        rid: bytes("r1"),
        data: bytes(data),
        opts: opts.map(bytes),
    }
}

fn result(kind: ReplyKind, data: &str, opts: Option<&str>) -> ToClient<Bytes> {
    ToClient::Reply {
        kind,
        rid: bytes("r1"),
        data: bytes(data),
        opts: opts.map(bytes),
    }
}

#[test]
fn golden_of_clients() {
    let node = format!(r#"C|2|echo|{UUID}|1|{{"timeout":60000,"retry":0}}"#);
    from_client(
        &node,
        request(UUID, "1", Some(r#"{"timeout":60000,"retry":0}"#)),
    );
    // PIGATO clients in Ruby and Go.
    from_client(
        &format!("C|2|echo|{UUID}|1|{{}}"),
        request(UUID, "1", Some("{}")),
    );
    from_client(
        "C|2|echo|5f43a1c2d3e4f5061728394a|1|∅",
        request("5f43a1c2d3e4f5061728394a", "1", Some("")),
    );
    from_client("C|4", ClientMessage::Heartbeat);
    let rid = bytes("r1");
    from_client("C|4|request|r1", ClientMessage::RequestHeartbeat { rid });
    let worker = bytes("Wx");
    from_client("C|4|worker|Wx", ClientMessage::WorkerHeartbeat { worker });
    to_client("C|4", ToClient::Heartbeat);
    to_client(
        "C|6|∅|r1|0|1|{}",
        result(ReplyKind::Partial, "1", Some("{}")),
    );
    to_client("C|3|∅|r1|0|1", result(ReplyKind::Final, "1", None));
    to_client(
        r#"C|3|∅|r1|-1|"C_TIMEOUT"|{}"#,
        result(ReplyKind::Error, "\"C_TIMEOUT\"", Some("{}")),
    );
}

#[test]
fn golden_of_workers() {
    let service = bytes("echo");
    from_worker("W|1|echo", WorkerMessage::Ready { service });
    from_worker(
        "W|6|Cx|∅|r1|0|1|{}",
        reply(ReplyKind::Partial, "1", Some("{}")),
    );
    // Ruby clients send no options; Node.js clients may send those of `undefined`.
    from_worker("W|3|Cx|∅|r1|0|1", reply(ReplyKind::Final, "1", None));
    from_worker(
        "W|3|Cx|∅|r1|-1|\"e\"|undefined",
        reply(ReplyKind::Error, "\"e\"", Some("undefined")),
    );
    from_worker(
        "W|7|Cx|∅|r1|0|\"busy\"|undefined",
        WorkerMessage::Reject {
            client: bytes("Cx"),
            rid: bytes("r1"),
            reason: bytes("\"busy\""),
            opts: Some(bytes("undefined")),
        },
    );
    from_worker("W|4", WorkerMessage::Heartbeat { status: None });
    let status = Some(bytes(r#"{"concurrency":100}"#));
    from_worker(
        r#"W|4|∅|{"concurrency":100}"#,
        WorkerMessage::Heartbeat { status },
    );
    from_worker("W|5", WorkerMessage::Disconnect);
    to_worker("W|1", ToWorker::Welcome);
    let given = |opts: Option<&str>| ToWorker::Request {
        client: bytes("Cx"),
        service: bytes("echo"),
        rid: bytes("r1"),
        data: bytes("1"),
        opts: opts.map(bytes),
    };
    to_worker("W|2|Cx|echo|∅|r1|1|{}", given(Some("{}")));
    to_worker("W|2|Cx|echo|∅|r1|1", given(None));
    to_worker("W|4", ToWorker::Heartbeat);
    let (client, rid) = (bytes("Cx"), bytes("r1"));
    to_worker("W|4|Cx|∅|r1", ToWorker::RequestHeartbeat { client, rid });
    to_worker("W|5", ToWorker::Disconnect);
}

#[test]
fn malformed() {
    for (text, why) in [
        ("∅", Header),
        ("C", Short),
        ("C|1|x", Command),
        ("C|2|echo|r1", Short),
        ("C|2|∅|r1|1|∅", Name),
        ("C|2|echo|∅|1|∅", Name),
        ("C|2|echo|r1|1|∅|x", Trailing),
        ("C|4|request|∅", Name),
        ("C|4|request", Short),
        ("C|4|other|r1", Name),
        ("C|4|worker|Wx|x", Trailing),
        ("W|2|Cx|∅|r1|0|1", Command),
        ("W|3|Cx|∅|r1|0", Short),
        ("W|3|Cx|r1|0|1", Name),
        ("W|3|Cx|∅|∅|0|1", Name),
        ("W|3|∅|∅|r1|0|1", Name),
        ("W|3|Cx|∅|r1|1|1", Extension),
        ("W|6|Cx|∅|r1|-1|1", Extension),
        ("W|3|Cx|∅|r1|0|1|{}|x", Trailing),
        ("W|7", Short),
        ("W|7|Cx|∅|r1|-1|1", Extension),
        ("W|7|Cx|r1|∅|0|1", Name),
        ("W|4|x|{}", Name),
        ("W|4|∅", Short),
        ("W|4|∅|{}|x", Trailing),
    ] {
        vector("pigato", &frames(text));
        assert_eq!(PeerMessage::decode(&mut frames(text)), Err(why), "{text}");
    }
    for text in [
        "C|2|echo|r1|1|∅",
        "C|3|r1|0|1",
        "C|3|∅|r1|2|1",
        "W|4",
        "C|3|∅|r1|0",
    ] {
        assert!(ToClient::decode(&mut frames(text)).is_err(), "{text}");
    }
    for text in ["W|2|Cx|r1|1", "W|2|Cx|echo|∅|r1", "W|4|Cx|r1", "W|3", "C|4"] {
        assert!(ToWorker::decode(&mut frames(text)).is_err(), "{text}");
    }
    let long = format!("W|4|∅|{}", "x".repeat(MAX_HELLO + 1));
    assert_eq!(PeerMessage::decode(&mut frames(&long)), Err(Size));
}

#[test]
fn only_what_only_pigato_sends_is_recognized() {
    for (text, found) in [
        (format!("C|2|echo|{UUID}|1|{{}}"), true),
        (r#"C|2|echo|r1|1|{"timeout":1,"retry":0}"#.into(), true),
        ("C|2|echo|r1|1|∅".into(), true),
        (r#"C|2|echo|r1|1|{"timeout":1}"#.into(), false),
        (r#"C|2|echo|r1|1|{"timeout":{"retry":1}}"#.into(), false),
        ("C|2|echo|r1|1|[]".into(), false),
        ("C|2|echo|r1|1".into(), false),
        (format!("C|2|echo|{UUID}|1|{{}}|ext"), false),
        (format!("C|2|echo|{}|1|{{}}", UUID.replace('-', "0")), false),
        ("C|4".into(), false),
        ("C|4|r1".into(), false),
        ("C|4|request|r1".into(), true),
        ("C|4|worker|Wx".into(), true),
        ("W|1|echo".into(), false),
        ("W|4".into(), false),
        ("W|4|∅|{}".into(), true),
        ("W|7|Cx|∅|r1|0|1".into(), true),
        ("W|7|Cx|r1|0|1|ext".into(), false),
        ("W|3|Cx|r1|0|1".into(), false),
        ("W|3|Cx|r1|\"e\"|∅|ext".into(), false),
        ("W|3|Cx|∅|r1|0|1".into(), true),
        ("W|6|Cx|∅".into(), true),
        ("W|5".into(), false),
    ] {
        assert_eq!(is_pigato(&frames(&text)), found, "{text}");
    }
    assert!(is_bare_beat(&frames("C|4")) && !is_bare_beat(&frames("W|4")));
}

#[test]
fn a_request_that_both_kinds_read() {
    let message = ToWorker::EitherRequest {
        client: bytes("Cx"),
        rid: bytes("r1"),
        data: bytes("7"),
        opts: bytes("{}"),
    };
    to_worker("W|2|Cx|r1|7|r1|7|{}", message);
    for text in [
        "W|2|Cx|r1|7|r2|7|{}",
        "W|2|Cx|r1|7|r1|8|{}",
        "W|2|Cx|r1|7|r1|7",
    ] {
        assert_eq!(ToWorker::decode(&mut frames(text)), Err(Name), "{text}");
    }
}

#[test]
fn what_the_json_says() {
    for (json, room) in [
        (r#"{"concurrency":100}"#, Some(100)),
        (r#"{"concurrency":-1,"update":1}"#, Some(-1)),
        (r#"{"concurrency":2.5}"#, Some(2)),
        (r#"{"concurrency":-2}"#, None),
        (r#"{"concurrency":"many"}"#, None),
        ("{}", None),
        ("undefined", None),
        ("", None),
    ] {
        assert_eq!(status(json.as_bytes()), room, "{json}");
    }
    for (value, text) in [
        ("null", "\"null\""),
        ("false", "\"false\""),
        ("undefined", "\"undefined\""),
        ("", "\"error\""),
        ("\"\"", "\"error\""),
        ("0", "\"0\""),
        ("-0.0", "\"0\""),
        ("1", "1"),
        ("\"e\"", "\"e\""),
    ] {
        assert_eq!(error_text(bytes(value)), bytes(text), "{value}");
    }
    assert!(body(bytes("undefined")).is_null() && body(bytes("")).is_null());
    let partial = ToClient::reply(ReplyKind::Partial, bytes("r1"), Body::null(), None);
    assert_eq!(partial, None, "it would end the client's stream");
}
