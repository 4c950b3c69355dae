use super::*;
use crate::fuzz::corpus::{seed, vector_after};
use crate::wire::omdp::testing::frames;

fn value(text: &str) -> Body<Vec<u8>> {
    vector_after("bodies", &[0], &frames(text));
    Body::from_frames(frames(text)).into_value()
}

#[track_caller]
fn there_and_back(json: &str, wire: &str) {
    seed("bodies", &[b"\x01", json.as_bytes()].concat());
    let body = Body::json(json.as_bytes().to_vec());
    assert_eq!(body.clone().into_frames(), frames(wire), "{json}");
    assert_eq!(value(wire), body, "{wire}");
}

#[test]
fn values_that_cross_and_come_back() {
    there_and_back("null", "null");
    there_and_back("-1.5e3", "-1.5e3");
    there_and_back("\"hello\"", "hello");
    there_and_back("\"\"", "∅");
    there_and_back("\"5\"", "\"5\"");
    there_and_back("\" true\"", "\" true\"");
    there_and_back("\"\\\"a\\\"\"", "\"\\\"a\\\"\"");
    there_and_back("{\"a\":[1]}", "{\"a\":[1]}");
    there_and_back("[]", "[]");
    there_and_back("[\"one\"]", "[\"one\"]");
    there_and_back("[\"a\",\"5\",\"\"]", "a|\"5\"|∅");
    there_and_back("[1,\"a\"]", "[1,\"a\"]");
    there_and_back("\"\\ud800\"", "\"\\ud800\"");
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    there_and_back(&deep, &deep);
}

#[test]
fn arrays_of_many_items_stay_one_frame() {
    let array = |len| format!("[{}]", vec!["\"a\""; len].join(","));
    let frames = |len| Body::json(array(len).into_bytes()).into_frames().len();
    assert_eq!(frames(MAX_ITEMS), MAX_ITEMS);
    assert_eq!(frames(MAX_ITEMS + 1), 1);
}

#[test]
fn frames_that_cross() {
    assert_eq!(value("1|x"), Body::json(b"[1,\"x\"]".to_vec()));
    assert_eq!(value("nul"), Body::json(b"\"nul\"".to_vec()));
    let bytes = Body::from_frames(vec![vec![0xff, 0]]).into_value();
    assert_eq!(bytes, Body::binary(vec![0xff, 0]));
    let mixed = Body::from_frames(vec![vec![0xff], b"a".to_vec()]).into_value();
    let json = br#"[{"type":"Buffer","data":[255]},"a"]"#;
    assert_eq!(mixed, Body::json(json.to_vec()));
    assert_eq!(mixed.into_frames(), [vec![0xff], b"a".to_vec()]);
}

#[test]
fn buffers_are_their_bytes() {
    assert_eq!(Body::binary(vec![1, 2]).into_frames(), [[1, 2]]);
    let json = br#"{"type":"Buffer","data":[1,2]}"#.to_vec();
    assert_eq!(Body::json(json).into_frames(), [[1, 2]]);
    let like_one = br#"{"type":"Buffer","data":[1,256]}"#.to_vec();
    assert_eq!(Body::json(like_one.clone()).into_frames(), [like_one]);
}

#[test]
fn frames_pass_as_they_are() {
    for text in ["∅", "a", "1|2", "∅|∅|∅"] {
        assert_eq!(Body::from_frames(frames(text)).into_frames(), frames(text));
    }
}

#[test]
fn errors() {
    for (kind, json, wire) in [
        (ReplyKind::Error, "{\"a\":1}", "OMDP-ERROR|{\"a\":1}"),
        (ReplyKind::Error, "[\"a\",\"b\"]", "OMDP-ERROR|a|b"),
        (ReplyKind::OwnError, "\"W_LOST\"", "OMDP-CODE|W_LOST"),
    ] {
        let body = Body::json(json.as_bytes().to_vec());
        assert_eq!(body.clone().into_error_frames(kind), frames(wire));
        let (back, value) = Body::from_final(frames(wire));
        assert_eq!((back, value.into_value()), (kind, body));
    }
    assert_eq!(Body::from_final(frames("OMDP-ERROR")).0, ReplyKind::Final);
    assert_eq!(
        Body::from_final(frames("OMDP-CODE|a|b")).0,
        ReplyKind::Final
    );
}
