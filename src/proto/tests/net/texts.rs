//! Frames with a binary layout as texts, for what raw sockets send and receive. Their numbers have to consist of ASCII.

use crate::wire::ext::{RequestData, RequestExt, TokenExt};
use crate::wire::omdp::{ClaimExt, ClaimState, Past, rids_to_frame};

pub fn text(frame: Vec<u8>) -> String {
    String::from_utf8(frame).expect("numbers that are ASCII")
}

/// The broker's token of its first request.
pub const FIRST_TOKEN: u64 = 1 << 32;

/// A number of 8 bytes, such as the token of a RETURN.
pub fn number(number: u64) -> String {
    text(number.to_be_bytes().to_vec())
}

/// The bytes of a CREDIT.
pub fn credit(bytes: u32) -> String {
    text(bytes.to_be_bytes().to_vec())
}

/// The extension of a request with a timeout of 32.5 s.
pub const REQUEST: RequestExt = RequestExt::plain(RequestData::Json, 0x7f00);

/// A client's request, as one that knows extensions sends it.
pub fn request(service: &str, rid: &str, data: &str) -> String {
    request_with(service, rid, data, REQUEST)
}

pub fn request_with(service: &str, rid: &str, data: &str, ext: RequestExt) -> String {
    let ext = text(ext.to_frame());
    format!("C|2|{service}|{rid}|{data}|{{}}|{ext}")
}

/// What a client knows of a request that another broker had, after this number of partials.
pub fn past(received: u32) -> Past {
    Past {
        received,
        wait_ms: 0x700,
        read: 0,
        here: false,
    }
}

pub fn resume(service: &str, rid: &str, data: &str, past: Past) -> String {
    let (ext, past) = (text(REQUEST.to_frame()), text(past.to_frame()));
    format!("C|11|{service}|{rid}|{data}|{{}}|{ext}|{past}")
}

/// The requests that a broker asks a client to let go, or that the client lets go.
pub fn rids(rids: &[&str]) -> String {
    text(rids_to_frame(rids.iter().map(|rid| rid.as_bytes())))
}

/// The extension of a request to a worker and of its replies.
pub fn token(token: u64) -> String {
    let ext = TokenExt {
        binary: false,
        error: false,
        own: false,
        token,
        pace: None,
    };
    text(ext.to_frame())
}

/// A worker's claim of a request of the client C.
pub fn claim(client: &str, rid: &str, state: ClaimState, number: u64) -> String {
    let ext = ClaimExt {
        state,
        number,
        token: None,
    };
    format!("W|11|{client}|{rid}|{}", text(ext.to_frame()))
}
