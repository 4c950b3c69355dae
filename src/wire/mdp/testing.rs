//! Helpers of the golden vectors: each message that decodes must encode to the same frames.

use super::*;
use crate::fuzz::corpus::vector;
use crate::wire::Malformed;
use crate::wire::omdp::testing::frames;

type Frames = Vec<Vec<u8>>;

pub fn request(service: &str, body: &str) -> PeerMessage<Vec<u8>> {
    PeerMessage::Client(ClientRequest {
        service: service.into(),
        body: frames(body),
    })
}

pub fn ready(service: &str) -> PeerMessage<Vec<u8>> {
    let service = service.into();
    PeerMessage::Worker(WorkerMessage::Ready { service })
}

pub fn answer(last: bool, client: &str, body: &str) -> PeerMessage<Vec<u8>> {
    PeerMessage::Worker(WorkerMessage::Reply {
        last,
        client: client.into(),
        body: frames(body),
    })
}

pub fn reply(last: bool, service: Option<&str>, body: &str) -> ClientReply<Vec<u8>> {
    ClientReply {
        last,
        service: service.map(Into::into),
        body: frames(body),
    }
}

pub fn work(client: &str, body: &str) -> ToWorker<Vec<u8>> {
    ToWorker::Request {
        client: client.into(),
        body: frames(body),
    }
}

fn encoded(encode: impl FnOnce(&mut Frames)) -> Frames {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

#[track_caller]
pub fn from_peer(dialect: Dialect, text: &str, message: PeerMessage<Vec<u8>>) {
    vector("mdp", &frames(text));
    let decoded = PeerMessage::decode(dialect, &mut frames(text));
    assert_eq!(decoded.as_ref(), Ok(&message), "{text}");
    let out = encoded(|out| match message {
        PeerMessage::Client(message) => message.encode(dialect, out),
        PeerMessage::Worker(message) => message.encode(dialect, out),
    });
    assert_eq!(out, frames(text));
}

#[track_caller]
pub fn to_client(dialect: Dialect, text: &str, message: ClientReply<Vec<u8>>) {
    vector("mdp", &frames(text));
    let decoded = ClientReply::decode(dialect, &mut frames(text));
    assert_eq!(decoded.as_ref(), Ok(&message), "{text}");
    assert_eq!(encoded(|out| message.encode(dialect, out)), frames(text));
}

#[track_caller]
pub fn to_worker(dialect: Dialect, text: &str, message: ToWorker<Vec<u8>>) {
    vector("mdp", &frames(text));
    let decoded = ToWorker::decode(dialect, &mut frames(text));
    assert_eq!(decoded.as_ref(), Ok(&message), "{text}");
    assert_eq!(encoded(|out| message.encode(dialect, out)), frames(text));
}

pub fn beats_and_goodbyes(dialect: Dialect, beat: &str, goodbye: &str) {
    to_worker(dialect, beat, ToWorker::Heartbeat);
    to_worker(dialect, goodbye, ToWorker::Disconnect);
    from_peer(dialect, beat, PeerMessage::Worker(WorkerMessage::Heartbeat));
    from_peer(
        dialect,
        goodbye,
        PeerMessage::Worker(WorkerMessage::Disconnect),
    );
}

#[track_caller]
pub fn refused(dialect: Dialect, text: &str, why: Malformed) {
    vector("mdp", &frames(text));
    assert_eq!(
        PeerMessage::decode(dialect, &mut frames(text)),
        Err(why),
        "{text}"
    );
}

#[track_caller]
pub fn refused_by_client(dialect: Dialect, text: &str, why: Malformed) {
    vector("mdp", &frames(text));
    assert_eq!(
        ClientReply::decode(dialect, &mut frames(text)),
        Err(why),
        "{text}"
    );
}

/// Checks the messages that every dialect refuses.
pub fn common_faults(d: Dialect, client: &str, worker: &str, last: &str, ends: [&str; 2]) {
    use Malformed::*;
    for (text, why) in [
        (client.to_string(), Short),
        (format!("{client}|∅|a"), Name),
        (format!("{client}|echo"), Short),
        (worker.to_string(), Short),
        (format!("{worker}|∅"), Command),
        (format!("{worker}|\u{1}\u{1}|echo"), Command),
        (format!("{worker}|\u{1}"), Short),
        (format!("{worker}|\u{1}|∅"), Name),
        (format!("{worker}|\u{1}|echo|more"), Trailing),
        (format!("{worker}|\u{2}|Cx|∅|a"), Command),
        (format!("{worker}|{last}"), Short),
        (format!("{worker}|{last}|Cx"), Short),
        (format!("{worker}|{last}|Cx|∅"), Short),
        (format!("{worker}|{last}|∅|∅|a"), Name),
        (format!("{worker}|{last}|Cx|Cy|∅|a"), Name),
        (format!("{worker}|{}|x", ends[0]), Trailing),
        (format!("{worker}|{}|x", ends[1]), Trailing),
    ] {
        refused(d, &text, why);
    }
    let to_us = |text: String| ToWorker::decode(d, &mut frames(&text));
    assert_eq!(to_us(format!("{worker}|\u{1}|echo")), Err(Command));
    assert_eq!(to_us(format!("{worker}|\u{2}|Cx|a")), Err(Name));
    assert_eq!(to_us(format!("{worker}|\u{2}|Cx|∅")), Err(Short));
    assert_eq!(to_us(format!("{client}|echo|a")), Err(Header));
    let endless = format!(
        "{client}|{}|a",
        "x".repeat(crate::wire::sizes::MAX_SERVICE + 1)
    );
    refused(d, &endless, Name);
}
