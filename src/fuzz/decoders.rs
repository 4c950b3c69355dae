//! The decoders of messages: they accept any input, consume it, and what they decode encodes to the same bytes.

use super::input::{Frames, Input};
use crate::wire::channel::{put, split};
use crate::wire::ext::{GivenExt, RequestExt, ResultExt, TokenExt};
use crate::wire::omdp::{
    Ack, ClaimExt, Past, PeerMessage, ResumeExt, ToClient, ToWorker, rids, rids_to_frame,
};
use crate::wire::packed::{Batch, FIRST, pack, unpack, unpack_next};
use crate::wire::{Dialect, Hello, Malformed, mdp as wire_mdp, pigato as wire_pigato};
use std::fmt::Debug;

/// No message of a dialect has more frames than can be packed into one.
fn omdp<M: Debug + PartialEq>(
    data: &[u8],
    decode: fn(&mut Frames) -> Result<M, Malformed>,
    encode: fn(M, &mut Frames),
) {
    let frames = Input::new(data).frames();
    let dialect = Dialect::detect(&frames);
    let is_like =
        |dialect: Option<Dialect>| dialect.is_some_and(|each| each.is_like(Dialect::Omdp));
    let mut left = frames.clone();
    let result = decode(&mut left);
    assert!(left.is_empty(), "the frames are reused");
    let Ok(message) = result else {
        return;
    };
    assert!(is_like(dialect), "{dialect:?}");
    let mut out = Vec::new();
    encode(message, &mut out);
    if matches!(&frames[0][..], b"C" | b"W") {
        assert_eq!(out, frames);
    }
    let message = decode(&mut out.clone()).expect("what was decoded can be");
    let mut packed = out.clone();
    pack(&mut packed, 0);
    assert_eq!(Dialect::detect(&packed), Some(Dialect::Omdp));
    assert_eq!(decode(&mut packed).as_ref(), Ok(&message));
    let mut again = Vec::new();
    encode(message, &mut again);
    assert_eq!(again, out);
}

pub(super) fn to_broker(data: &[u8]) {
    omdp(data, PeerMessage::decode, |message, out| match message {
        PeerMessage::Client(message) => message.encode(out),
        PeerMessage::Worker(message) => message.encode(out),
    });
}

pub(super) fn to_worker(data: &[u8]) {
    omdp(data, ToWorker::decode, ToWorker::encode);
}

pub(super) fn to_client(data: &[u8]) {
    omdp(data, ToClient::decode, ToClient::encode);
}

const MDP: [wire_mdp::Dialect; 3] = [
    wire_mdp::Dialect::V01,
    wire_mdp::Dialect::V02,
    wire_mdp::Dialect::Majortomo,
];

fn same<M>(
    dialect: wire_mdp::Dialect,
    frames: &Frames,
    decode: fn(wire_mdp::Dialect, &mut Frames) -> Result<M, Malformed>,
    encode: fn(M, wire_mdp::Dialect, &mut Frames),
) {
    let mut left = frames.clone();
    let result = decode(dialect, &mut left);
    assert!(left.is_empty(), "the frames are reused");
    if let Ok(message) = result {
        assert_eq!(Dialect::detect(frames), Some(Dialect::Mdp(dialect)));
        let mut out = Vec::new();
        encode(message, dialect, &mut out);
        assert_eq!(out, *frames);
    }
}

pub(super) fn mdp(data: &[u8]) {
    use wire_mdp::{ClientReply, PeerMessage, ToWorker};
    let frames = Input::new(data).frames();
    for dialect in MDP {
        let encode = |message, dialect, out: &mut Frames| match message {
            PeerMessage::Client(message) => message.encode(dialect, out),
            PeerMessage::Worker(message) => message.encode(dialect, out),
        };
        same(dialect, &frames, PeerMessage::decode, encode);
        same(dialect, &frames, ToWorker::decode, ToWorker::encode);
        same(dialect, &frames, ClientReply::decode, ClientReply::encode);
        // The neutral form of messages that only one side receives.
        let _ = wire_mdp::decode_for_worker(dialect, &mut frames.clone());
        if let Ok(reply) = ClientReply::decode(dialect, &mut frames.clone()) {
            let (_, body) = reply.into_neutral();
            assert!(!body.into_frames().is_empty());
        }
    }
}

pub(super) fn pigato(data: &[u8]) {
    use wire_pigato::{PeerMessage, ToClient, ToWorker, WorkerMessage, is_pigato, status};
    let frames = Input::new(data).frames();
    let encode = |message, out: &mut Frames| match message {
        PeerMessage::Client(message) => message.encode(out),
        PeerMessage::Worker(message) => message.encode(out),
    };
    if let Some(PeerMessage::Worker(WorkerMessage::Heartbeat { status: Some(json) })) =
        unchanged(&frames, PeerMessage::decode, encode)
    {
        assert!(status(&json).is_none_or(|n| n >= -1));
    }
    unchanged(&frames, ToWorker::decode, ToWorker::encode);
    if let Some(ToClient::Reply {
        kind, rid, data, ..
    }) = unchanged(&frames, ToClient::decode, ToClient::encode)
        && let Some(reply) = ToClient::reply(kind, rid, wire_pigato::body(data), None)
    {
        unchanged(&encoded(reply), ToClient::decode, ToClient::encode);
    }
    if let Ok((message, _)) = ToWorker::decode(&mut frames.clone()).map(ToWorker::into_neutral) {
        let _ = ToWorker::from_neutral(message);
    }
    // Detection never confuses the two dialects.
    if is_pigato(&frames) {
        assert_eq!(Dialect::detect(&frames), Some(Dialect::Pigato));
    }
}

fn encoded(message: wire_pigato::ToClient<Vec<u8>>) -> Frames {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Checks that a decoded message encodes to the same frames.
fn unchanged<M: Clone>(
    frames: &Frames,
    decode: fn(&mut Frames) -> Result<M, Malformed>,
    encode: fn(M, &mut Frames),
) -> Option<M> {
    let mut left = frames.clone();
    let result = decode(&mut left);
    assert!(left.is_empty(), "the frames are reused");
    let message = result.ok()?;
    let mut out = Vec::new();
    encode(message.clone(), &mut out);
    assert_eq!(out, *frames);
    Some(message)
}

pub(super) fn packed(data: &[u8]) {
    let frames = Input::new(data).frames();
    let mut message = frames.clone();
    if unpack(&mut message).is_ok() && message != frames {
        let mut again = message.clone();
        pack(&mut again, 0);
        unpack(&mut again).expect("what was packed can be unpacked");
        assert_eq!(again, message);
    }
    // Packing restores any message of permitted size, also after other frames.
    let message = &frames[..frames.len().min(16)];
    let mut both = vec![b"to".to_vec()];
    both.extend_from_slice(message);
    pack(&mut both, 1);
    let mut back = both.split_off(1);
    unpack(&mut back).expect("what was packed can be unpacked");
    assert_eq!((both, &back[..]), (vec![b"to".to_vec()], message));
    batch(data);
    channel(frames);
}

/// Checks that a message in a channel is restored.
fn channel(mut frames: Vec<Vec<u8>>) {
    let Some((number, first)) = frames.first().and_then(|first| split(first)) else {
        return;
    };
    let (whole, first) = (frames.clone(), first.to_vec());
    frames[0] = first;
    put(number, &mut frames);
    assert_eq!(frames, whole);
}

/// Checks that unpacking the batch of some messages yields these messages.
fn batch(data: &[u8]) {
    let messages = messages_of(data);
    let mut batch = Batch::new();
    let added = messages.iter().take_while(|message| batch.add(message));
    let added = added.count();
    if added > 1 {
        let again = batch.flush(messages_of);
        assert_eq!(again, messages[..added]);
    }
}

fn messages_of(batch: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut at, mut messages) = (FIRST, Vec::new());
    loop {
        let mut frames = Vec::new();
        match unpack_next(batch, &mut at, &mut frames) {
            Ok(true) => messages.push(frames),
            Ok(false) | Err(_) => return messages,
        }
    }
}

pub(super) fn hello(data: &[u8]) {
    if let Ok(hello) = Hello::parse(data) {
        assert!((1..=i32::MAX as u64).contains(&hello.heartbeat_ms));
        assert!((1..=1000).contains(&hello.liveness) && hello.version >= 1);
        assert!(hello.concurrency.is_none_or(|n| n >= -1));
        assert_eq!(Hello::parse(&hello.to_frame::<Vec<u8>>()), Ok(hello));
    }
}

pub(super) fn ext(data: &[u8]) {
    if let Ok(ext) = RequestExt::parse(data) {
        assert!(ext.timeout_ms >= -1);
        assert_eq!(ext.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(ext) = TokenExt::parse(data) {
        assert_eq!(ext.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(ext) = GivenExt::parse(data) {
        assert_eq!(ext.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(ext) = ResultExt::parse(data) {
        assert_eq!(ext.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(past) = Past::parse(data) {
        assert_eq!(past.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(ack) = Ack::parse(data) {
        assert_eq!(ack.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(claim) = ClaimExt::parse(data) {
        assert_eq!(claim.to_frame::<Vec<u8>>(), data);
    }
    if let Ok(resume) = ResumeExt::parse(data) {
        assert_eq!(resume.to_frame::<Vec<u8>>(), data);
    }
    let ids: Vec<&[u8]> = rids(data).collect();
    let again: Vec<u8> = rids_to_frame(ids.iter().copied());
    assert!(data.starts_with(&again));
    assert!(rids(&again).eq(ids));
}
