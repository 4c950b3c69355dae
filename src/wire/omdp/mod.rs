//! OMDP, the dialect of zmq-omdp 0.0.92, with the extensions of 1.0.
//!
//! Commands are ASCII digits, because 0.0.92 sends JavaScript numbers as frames. The base uses the
//! digits up to `7` (`7` is PIGATO's REJECT), so the extension's begin at `8`. Each message exists
//! in the form of 0.0.92 and, if the extension adds something, in an extended form with one more
//! frame; a decoder distinguishes the forms by the number of frames. PROTOCOL.md has the tables.

mod data_stream;
mod from_client;
mod from_worker;
mod resume;
mod roster;
mod to_broker;
mod to_client;
mod to_worker;

use data_stream::Chunk;
pub use data_stream::{ChunkExt, Need};
pub use from_client::ClientMessage;
pub use from_worker::{WorkerMessage, tokens};
pub use resume::{Ack, ClaimExt, ClaimState, Past, ResumeExt, rids, rids_to_frame, rids_to_frames};
pub use roster::{
    MAX_LIVES, Question, Recall, RosterHead, lives, lives_to_frame, mix, questions, roster,
    roster_to_frame,
};
pub use to_broker::{PeerMessage, hello_of};
pub use to_client::{Place, ToClient};
pub use to_worker::{RequestExtra, ToWorker};

use super::{Frame, Malformed};

const CLIENT: &[u8] = b"C";
const WORKER: &[u8] = b"W";

/// READY of a worker; between extended peers also a client's hello and the broker's welcome.
const READY: &[u8] = b"1";
const REQUEST: &[u8] = b"2";
const FINAL: &[u8] = b"3";
const HEARTBEAT: &[u8] = b"4";
const DISCONNECT: &[u8] = b"5";
const PARTIAL: &[u8] = b"6";
/// As in PIGATO: the worker rejects the request.
const REJECT: &[u8] = b"7";
/// Extension: the client no longer wants the request.
const CANCEL: &[u8] = b"8";

/// The reason frame of a CANCEL whose request has timed out.
const EXPIRED: &[u8] = b"T";
/// Extension: the worker gives back requests that it has not started.
const RETURN: &[u8] = b"9";
/// Extension: recovery of a request whose broker died. A client asks, a worker claims, the broker
/// matches the two.
const RESUME: &[u8] = b"11";
/// Extension: PARKED and GO between broker and client for requests that wait for long; to a worker,
/// that its claims are not wanted.
const PARK: &[u8] = b"12";
/// Extension: the broker asks a client to release parked requests.
const UNPARK: &[u8] = b"13";

/// Extension: acknowledges replies of this connection, which need not be kept any longer.
const ACK: &[u8] = b"14";
/// Extension: every request of an earlier connection has been named, by RESUME or by claims.
const ALL: &[u8] = b"15";
/// Extension: the broker leaves, and names the requests that may have started.
const LEAVE: &[u8] = b"16";
/// Extension: where a request is; a client's question and the broker's answer.
const PLACE: &[u8] = b"17";

/// Extension: a part of the stream that is a request's data, or its end.
const CHUNK: &[u8] = b"18";
/// Extension: what a worker needs of that stream; from the client, the question for it.
const NEED: &[u8] = b"19";

/// Extension: which workers a broker has; to a worker, and back, whether it had a request.
const ROSTER: &[u8] = b"20";

/// Extension: the broker asks a peer for a sign of life, because another one wants its name.
const PING: &[u8] = b"21";
/// Extension: the broker could not take a reply, which the worker keeps until it is asked for it.
const HOLD: &[u8] = b"22";
/// The last frame of a DISCONNECT with a session whose sender has asked the holder of the name.
const ASKED: &[u8] = b"A";

/// Extension: bytes of a reply that the reader has read, which the sender may send more of.
const CREDIT: &[u8] = b"10";

/// The code frame of a reply that is not an error.
const SUCCESS: &[u8] = b"0";

/// Parses the bytes of a CREDIT: at least 1, in four bytes.
fn credit(bytes: &[u8]) -> Result<u32, Malformed> {
    let bytes = bytes.try_into().map_err(|_| Malformed::Extension)?;
    match u32::from_be_bytes(bytes) {
        0 => Err(Malformed::Extension),
        bytes => Ok(bytes),
    }
}

/// Parses the rest of a DISCONNECT with a session.
fn asked<F: Frame>(frame: Option<F>) -> Result<bool, Malformed> {
    match frame.as_deref() {
        None => Ok(false),
        Some(ASKED) => Ok(true),
        Some(_) => Err(Malformed::Extension),
    }
}

/// Parses a token.
fn token(bytes: &[u8]) -> Result<u64, Malformed> {
    let bytes = bytes.try_into().map_err(|_| Malformed::Extension)?;
    Ok(u64::from_be_bytes(bytes))
}

/// The kind of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// A part that is not the last; the request continues.
    Partial,
    /// The last part; the request ends.
    Final,
    /// An error value of the handler; the request ends.
    Error,
    /// A code of zmq-omdp, from the broker or from a worker that gives up; the request ends.
    OwnError,
    /// Worker to broker only: the worker rejects the request, which goes to another worker. The
    /// body is the reason.
    Rejected,
}

impl ReplyKind {
    fn error(own: bool) -> Self {
        if own {
            ReplyKind::OwnError
        } else {
            ReplyKind::Error
        }
    }

    /// Whether the worker has finished the request with this reply.
    pub fn is_last(self) -> bool {
        self != ReplyKind::Partial
    }

    pub fn is_error(self) -> bool {
        matches!(self, ReplyKind::Error | ReplyKind::OwnError)
    }

    fn command(self) -> &'static [u8] {
        match self {
            ReplyKind::Partial => PARTIAL,
            ReplyKind::Rejected => REJECT,
            _ => FINAL,
        }
    }
}

/// Converts an error value so that a peer without the extension recognizes it as an error.
///
/// 0.0.92 takes a reply for a success if its code frame *coerces* to the number zero. The value `0`
/// therefore cannot be sent as an error; it is sent as the string `"0"`.
pub fn error_for_old<F: Frame>(value: F) -> F {
    let coerced = std::str::from_utf8(&value).map(str::trim);
    let is_zero = coerced
        .is_ok_and(|text| text.is_empty() || text.parse::<f64>().is_ok_and(|number| number == 0.0));
    if is_zero {
        F::from(&b"\"0\""[..])
    } else {
        value
    }
}

#[cfg(test)]
pub(crate) mod testing {
    /// The frames of a golden vector: parts separated by `|`, `∅` for an empty one.
    pub fn frames(text: &str) -> Vec<Vec<u8>> {
        text.split('|')
            .map(|part| match part {
                "∅" => Vec::new(),
                part => part.as_bytes().to_vec(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_zero_is_not_a_success() {
        for zero in ["0", "-0", "0.0", "0e5", " 0 ", ""] {
            assert_eq!(
                error_for_old(zero.as_bytes().to_vec()),
                b"\"0\"",
                "{zero:?}"
            );
        }
        for other in ["1", "null", "false", "\"\"", "\"0\"", "[]", "{}", "nan"] {
            assert_eq!(error_for_old(other.as_bytes().to_vec()), other.as_bytes());
        }
    }
}
