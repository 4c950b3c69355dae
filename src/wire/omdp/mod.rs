//! OMDP, the dialect of zmq-omdp 0.0.92, with the extensions of 1.0.
//!
//! Commands are ASCII digits, because 0.0.92 sent JavaScript numbers as frames. The digits up to
//! `7` are in use (`7` is REJECT, as in PIGATO, the dialect's other descendant), so the extension's begin at `8`.
//! Each message exists in the form of 0.0.92 and, if the extension adds something, in an extended
//! form with one more frame; a decoder distinguishes them by the number of frames. PROTOCOL.md has
//! the tables.

mod resume;
mod stream;
mod to_broker;
mod to_client;
mod to_worker;

pub use resume::{Ack, ClaimExt, ClaimState, Past, ResumeExt, rids, rids_to_frame, rids_to_frames};
use stream::Chunk;
pub use stream::{ChunkExt, Need};
pub use to_broker::{ClientMessage, PeerMessage, WorkerMessage, tokens};
pub use to_client::{Place, ToClient};
pub use to_worker::{RequestExtra, ToWorker};

use super::{Frame, Malformed};

const CLIENT: &[u8] = b"C";
const WORKER: &[u8] = b"W";

/// READY of a worker; between peers that know the extension also a client's hello and the
/// broker's answer to both.
const READY: &[u8] = b"1";
const REQUEST: &[u8] = b"2";
const FINAL: &[u8] = b"3";
const HEARTBEAT: &[u8] = b"4";
const DISCONNECT: &[u8] = b"5";
const PARTIAL: &[u8] = b"6";
/// As in PIGATO: the worker does not want this request.
const REJECT: &[u8] = b"7";
/// Ours: the client no longer waits for this request.
const CANCEL: &[u8] = b"8";

/// Why a request was cancelled, if its timeout is why.
const EXPIRED: &[u8] = b"T";
/// Ours: the worker gives back requests that it has not started.
const RETURN: &[u8] = b"9";
/// Ours: a request of a broker that died is to be found again. A client asks, a worker claims, the
/// broker brings the two together.
const RESUME: &[u8] = b"11";
/// Ours: requests that have waited for long are parked with their client, and let go by it; to a
/// worker, that nobody asks for what it claimed.
const PARK: &[u8] = b"12";
/// Ours: these are wanted back from the client that they were parked with.
const UNPARK: &[u8] = b"13";

/// Extended: so many replies of this connection were taken, and need not be kept any more.
const ACK: &[u8] = b"14";
/// Extended: everything that an earlier connection left was named by now: asked for with RESUME, or
/// claimed.
const ALL: &[u8] = b"15";
/// Extended: the broker leaves, and says which requests may have started.
const LEAVE: &[u8] = b"16";
/// Extended: where a request is. A client asks, the broker says.
const PLACE: &[u8] = b"17";

/// Extended: a part of the stream that is a request's data, or its end.
const CHUNK: &[u8] = b"18";
/// Extended: what of that stream is wanted; from the other side, the question what is.
const NEED: &[u8] = b"19";

/// Ours: so many bytes of this stream were read, and so many more may be sent.
const CREDIT: &[u8] = b"10";

/// The code frame of a reply that is not an error.
const SUCCESS: &[u8] = b"0";

/// The bytes of a CREDIT: at least one, in four bytes.
fn credit(bytes: &[u8]) -> Result<u32, Malformed> {
    let bytes = bytes.try_into().map_err(|_| Malformed::Extension)?;
    match u32::from_be_bytes(bytes) {
        0 => Err(Malformed::Extension),
        bytes => Ok(bytes),
    }
}

/// The broker's handle of a request.
fn token(bytes: &[u8]) -> Result<u64, Malformed> {
    let bytes = bytes.try_into().map_err(|_| Malformed::Extension)?;
    Ok(u64::from_be_bytes(bytes))
}

/// What a reply is to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// One of any number of parts; the request goes on.
    Partial,
    /// The last part; the request is over.
    Final,
    /// An error value that the worker's user chose; the request is over.
    Error,
    /// An error code of ours, made by the broker or by a worker that gives up; the request is over.
    OwnError,
    /// Worker to broker only: the worker does not want the request, which is not over; the body says why.
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

    /// Whether the worker is through with the request after this reply.
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

/// An error value in a form that a peer without the extension sees as an error.
///
/// 0.0.92 takes a reply for a success when its code frame *coerces* to the number zero, so the
/// value `0` has no form of its own there: it is sent as the string `"0"`.
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
    /// Frames of a golden vector: parts separated by `|`, `∅` for an empty one.
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
