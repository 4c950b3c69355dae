//! OMDP, the dialect of zmq-omdp 0.0.92, with the extensions of 1.0.
//!
//! Commands are ASCII digits, because 0.0.92 sends JavaScript numbers as frames. The base uses the
//! digits up to `7` (`7` is PIGATO's REJECT), so the extension's begin at `8`. Each message exists
//! in the form of 0.0.92 and, if the extension adds something, in an extended form with one more
//! frame; a decoder distinguishes the forms by the number of frames. PROTOCOL.md has the tables.

mod data_stream;
mod from_client;
mod from_worker;
mod reply;
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

/// Registration of a worker. Between extended peers also a client's [`HELLO`] and the broker's [`WELCOME`].
const READY: &[u8] = b"1";
const HELLO: &[u8] = READY;
const WELCOME: &[u8] = READY;
const REQUEST: &[u8] = b"2";
const FINAL: &[u8] = b"3";
const HEARTBEAT: &[u8] = b"4";
/// The end of the peer; with a session, [`NAME_TAKEN`].
const DISCONNECT: &[u8] = b"5";
const NAME_TAKEN: &[u8] = DISCONNECT;
const PARTIAL: &[u8] = b"6";
/// As in PIGATO: the worker rejects the request.
const REJECT: &[u8] = b"7";

// The extension. Messages of different senders or receivers share numbers.

/// The client no longer wants the request.
const CANCEL: &[u8] = b"8";
/// The worker gives back requests that it has not started.
const RETURN: &[u8] = b"9";
/// Bytes of a reply that the reader has read, which the sender may send more of.
const CREDIT: &[u8] = b"10";
/// Recovery of a request whose broker died. A client asks: RESUME; the broker has found it: RESUMED.
const RESUME: &[u8] = b"11";
const RESUMED: &[u8] = RESUME;
/// From a worker: it has the request. The broker answers it with RESUME, or with [`DISCLAIM`].
const CLAIM: &[u8] = RESUME;
/// To a client: the request waits. From a client: [`GO`] releases it.
const PARKED: &[u8] = b"12";
const GO: &[u8] = PARKED;
/// To a worker: its claims are not wanted.
const DISCLAIM: &[u8] = PARKED;
/// The broker asks a client to release parked requests.
const UNPARK: &[u8] = b"13";
/// Acknowledges replies of this connection, which need not be kept any longer.
const ACK: &[u8] = b"14";
/// Every request of an earlier connection has been named, by RESUME or by claims.
const ALL: &[u8] = b"15";
/// The broker leaves, and names the requests that may have started.
const LEAVE: &[u8] = b"16";
/// From a client: [`WHERE`] is the request? To a client: its place.
const PLACE: &[u8] = b"17";
const WHERE: &[u8] = PLACE;
/// A part of the stream that is a request's data, or its end.
const CHUNK: &[u8] = b"18";
/// From a worker, and on to the client: what it needs of that stream. From the client, and on to the worker: the question
/// for it, [`ASK_NEED`].
const NEED: &[u8] = b"19";
const ASK_NEED: &[u8] = NEED;
/// To a client: the workers of the broker. From a client: how much of that it has [`HEARD`].
const ROSTER: &[u8] = b"20";
const HEARD: &[u8] = ROSTER;
/// To a worker: which of these requests did it never have? From a worker: it never had these, [`DENIED`].
const ASK: &[u8] = ROSTER;
const DENIED: &[u8] = ROSTER;
/// The broker asks a peer for a sign of life, because another one wants its name.
const PING: &[u8] = b"21";
/// The broker could not take a reply, which the worker keeps until it is asked for it.
const HOLD: &[u8] = b"22";

/// The reason frame of a CANCEL whose request has timed out.
const EXPIRED: &[u8] = b"T";
/// The last frame of a NAME_TAKEN whose sender has asked the holder of the name.
const ASKED: &[u8] = b"A";

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
