//! Bodies, and their conversion between OMDP's values and MDP's frames.

use super::input::{Frames, Input};
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Encoding, body};
use serde::de::IgnoredAny;
use serde_json::Value;

/// The first byte selects the kind of the others: frames of an MDP body, or a body of OMDP.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(3) {
        0 => from_mdp(input.frames()),
        1 => from_omdp(input.rest()),
        _ => buffers(input.rest()),
    }
}

fn from_mdp(frames: Frames) {
    if frames.is_empty() {
        return;
    }
    let body = Body::from_frames(frames.clone());
    assert_eq!(body.clone().into_frames(), frames);
    let value = body.clone().into_value();
    match value.encoding {
        Encoding::Json => assert!(is_json(&value.bytes)),
        Encoding::Binary => assert_eq!(value.bytes, frames.concat()),
        other => panic!("an OMDP peer can't read {other:?}"),
    }
    assert!(is_json(&body.clone().into_json()));
    let (kind, back) = Body::from_final(body.clone().into_error_frames(ReplyKind::Error));
    assert_eq!((kind, back.into_value()), (ReplyKind::Error, value));
    let (_, last) = Body::from_final(frames);
    assert!(!last.into_frames().is_empty());
}

fn from_omdp(text: &[u8]) {
    let frames = Body::json(text.to_vec()).into_frames();
    assert!(!frames.is_empty());
    assert_eq!(Body::binary(text.to_vec()).into_frames(), [text]);
    let there: Result<Value, _> = serde_json::from_slice(text);
    if let Ok(value) = there
        && !holds_buffer(&value)
    {
        let back = Body::from_frames(frames).into_value();
        assert_eq!(back.encoding, Encoding::Json);
        let back: Value = serde_json::from_slice(&back.bytes).expect("it is JSON again");
        assert_eq!(back, value);
    }
}

/// A Buffer whose bytes are text returns as a string.
fn holds_buffer(value: &Value) -> bool {
    let is_buffer = |value: &Value| value.get("type").is_some_and(|kind| kind == "Buffer");
    is_buffer(value)
        || value
            .as_array()
            .is_some_and(|items| items.iter().any(is_buffer))
}

fn buffers(text: &[u8]) {
    let json = body::buffer_to_json(text);
    assert_eq!(
        Body::<Vec<u8>>::from_buffer_json(&json),
        Ok(Body::binary(text.to_vec()))
    );
    if let Ok(body) = Body::<Vec<u8>>::from_buffer_json(text) {
        assert_eq!(body::buffer_to_json(&body.bytes), text, "the exact inverse");
    }
}

fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}
