//! The extension frames of requests.

use super::{BINARY, flag};
use crate::wire::{Frame, Malformed};

const BUFFER_JSON: u8 = 0x02;
const STREAM: u8 = 0x04;
/// The time left until the deadline follows.
const DEADLINE: u8 = 0x08;
const FAIL_FAST: u8 = 0x10;
const RETRY: u8 = 0x20;
/// To a worker.
const SERVICE: u8 = 0x40;
/// Of a client.
const ROUTED: u8 = 0x40;
const STARTED: u8 = 0x80;

/// The extension of a client's REQUEST: flags, the timeout, then optional numbers: the retries, the
/// earlier attempts, and the time left until the deadline. The frame also tells the broker that the
/// client understands extension frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestExt {
    /// The encoding of the data frame.
    pub data: RequestData,
    /// Idle timeout in ms, -1 for none; equal to the one in the options frame.
    pub timeout_ms: i32,
    /// How many more attempts the request gets after the loss of a worker.
    pub retry: u8,
    /// Whether the request fails fast: it ends at once if its service has no worker.
    pub fail_fast: bool,
    /// Whether the options contain a target worker, a routing key or a priority.
    pub routed: bool,
    /// How many attempts an earlier submission of this request has had.
    pub started: u8,
    /// Whether the data are sent as CHUNKs. Only for a broker that supports streams.
    pub stream: bool,
    /// Milliseconds left until the deadline. Only for a broker that supports deadlines.
    pub left_ms: Option<u32>,
}

/// The encoding of a request's data. A client does not know at first whether its broker can forward
/// bytes. It may therefore send a Buffer in the marked JSON form: a 1.x broker restores the bytes,
/// a broker of 0.0.92 ignores the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestData {
    Json,
    Binary,
    BufferAsJson,
}

impl RequestExt {
    /// The extension of a request without further options.
    pub const fn plain(data: RequestData, timeout_ms: i32) -> Self {
        RequestExt {
            data,
            timeout_ms,
            retry: 0,
            fail_fast: false,
            routed: false,
            started: 0,
            stream: false,
            left_ms: None,
        }
    }

    pub fn to_frame<F: Frame>(self) -> F {
        let data = match self.data {
            RequestData::Json => 0,
            RequestData::Binary => BINARY,
            RequestData::BufferAsJson => BUFFER_JSON,
        };
        let mut bytes = [0; 14];
        let again = flag(self.retry > 0, RETRY);
        bytes[0] = data
            | flag(self.fail_fast, FAIL_FAST)
            | again
            | flag(self.stream, STREAM)
            | flag(self.routed, ROUTED)
            | flag(self.started > 0, STARTED);
        bytes[1..5].copy_from_slice(&self.timeout_ms.to_be_bytes());
        let mut len = 5;
        for number in [self.retry, self.started] {
            if number > 0 {
                bytes[len] = number;
                len += 1;
            }
        }
        let len = put_left(&mut bytes, len, self.left_ms);
        F::from(&bytes[..len])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((&[flags, a, b, c, d], rest)) = bytes.split_first_chunk() else {
            return Err(Malformed::Extension);
        };
        let (retry, started, left_ms) = behind(flags, rest)?;
        let data = match flags & !(FAIL_FAST | RETRY | STREAM | DEADLINE | ROUTED | STARTED) {
            0 => RequestData::Json,
            BINARY => RequestData::Binary,
            BUFFER_JSON => RequestData::BufferAsJson,
            _ => return Err(Malformed::Extension),
        };
        let timeout_ms = i32::from_be_bytes([a, b, c, d]);
        if timeout_ms < -1 {
            return Err(Malformed::Extension);
        }
        Ok(RequestExt {
            data,
            timeout_ms,
            retry,
            fail_fast: flags & FAIL_FAST != 0,
            routed: flags & ROUTED != 0,
            started,
            stream: flags & STREAM != 0,
            left_ms,
        })
    }
}

/// The extension of a REQUEST to a worker: flags and the token, then optional fields: how many
/// workers were lost with the request, in one byte, and the time left until its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenExt {
    pub binary: bool,
    pub token: u64,
    pub retried: u8,
    /// Whether the data are sent as CHUNKs. Only for a worker that supports streams.
    pub stream: bool,
    /// Milliseconds left until the deadline. Only for a worker that supports deadlines.
    pub left_ms: Option<u32>,
    /// Whether a frame with the requested name follows.
    pub service: bool,
}

impl GivenExt {
    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 14];
        bytes[0] = flag(self.binary, BINARY)
            | flag(self.retried > 0, RETRY)
            | flag(self.stream, STREAM)
            | flag(self.service, SERVICE);
        bytes[1..9].copy_from_slice(&self.token.to_be_bytes());
        bytes[9] = self.retried;
        let len = if self.retried == 0 { 9 } else { 10 };
        let len = put_left(&mut bytes, len, self.left_ms);
        F::from(&bytes[..len])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((&[flags, ref token @ ..], rest)) = bytes.split_first_chunk::<9>() else {
            return Err(Malformed::Extension);
        };
        if flags & !(BINARY | RETRY | STREAM | DEADLINE | SERVICE) != 0 {
            return Err(Malformed::Extension);
        }
        let (retried, _, left_ms) = behind(flags, rest)?;
        Ok(GivenExt {
            binary: flags & BINARY != 0,
            token: u64::from_be_bytes(*token),
            retried,
            stream: flags & STREAM != 0,
            left_ms,
            service: flags & SERVICE != 0,
        })
    }
}

/// Appends the time left until a deadline, and sets its flag. Returns the new length.
fn put_left(bytes: &mut [u8; 14], len: usize, left_ms: Option<u32>) -> usize {
    let Some(left) = left_ms else {
        return len;
    };
    bytes[0] |= DEADLINE;
    bytes[len..len + 4].copy_from_slice(&left.to_be_bytes());
    len + 4
}

/// Parses the optional fields behind the fixed part: retries, earlier attempts, time left until the
/// deadline. A field is present if and only if its flag is set, and a number is never 0, so that
/// each meaning has exactly one encoding.
fn behind(flags: u8, rest: &[u8]) -> Result<(u8, u8, Option<u32>), Malformed> {
    let (retry, rest) = number(flags & RETRY != 0, rest)?;
    let (started, rest) = number(flags & STARTED != 0, rest)?;
    let left = match (flags & DEADLINE != 0, rest) {
        (false, []) => None,
        (true, &[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d])),
        _ => return Err(Malformed::Extension),
    };
    Ok((retry, started, left))
}

fn number(is_there: bool, rest: &[u8]) -> Result<(u8, &[u8]), Malformed> {
    match (is_there, rest) {
        (false, rest) => Ok((0, rest)),
        (true, [number, rest @ ..]) if *number > 0 => Ok((*number, rest)),
        _ => Err(Malformed::Extension),
    }
}
