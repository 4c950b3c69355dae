//! ZMTP 3.1 without security (ZeroMQ RFC 37, mechanism NULL), as far as a DEALER and a ROUTER need it.

mod accepting;
mod framing;

pub use accepting::{Accepted, Accepting};
pub use framing::Framing;

use super::Malformed;
use std::time::Duration;

/// The length of a greeting.
pub const GREETING: usize = 64;

/// The longest metadata of a peer's READY that is accepted.
pub const MAX_COMMAND: u64 = 8192;

const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f];
const VERSION: [u8; 2] = [3, 1];
/// The position of the mechanism in a greeting, and its length.
const MECHANISM: usize = 12;
const MECHANISM_LEN: usize = 20;
const NULL: &[u8; MECHANISM_LEN] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The longest context of a PING.
const MAX_PING_CONTEXT: usize = 16;

/// What a peer's greeting shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// More bytes are necessary.
    Unfinished,
    /// ZMTP 3 without security; the handshake can continue.
    Null,
    /// The peer uses another security mechanism.
    OtherMechanism,
    /// The peer speaks an earlier version, or another protocol.
    Foreign,
}

/// The greeting of this side.
pub fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    greeting[..SIGNATURE.len()].copy_from_slice(&SIGNATURE);
    greeting[SIGNATURE.len()..MECHANISM].copy_from_slice(&VERSION);
    greeting[MECHANISM..MECHANISM + MECHANISM_LEN].copy_from_slice(NULL);
    greeting
}

/// Reads the beginning of a peer's greeting.
pub fn read_greeting(bytes: &[u8]) -> Greeting {
    // The bytes between the first and the last of the signature have no meaning.
    let is_foreign = |at: usize, is_bad: fn(u8) -> bool| bytes.get(at).is_some_and(|b| is_bad(*b));
    if is_foreign(0, |first| first != SIGNATURE[0])
        || is_foreign(9, |last| last & 1 == 0)
        || is_foreign(10, |major| major < VERSION[0])
    {
        return Greeting::Foreign;
    }
    match bytes.get(..GREETING) {
        None => Greeting::Unfinished,
        Some(greeting) if greeting[MECHANISM..MECHANISM + MECHANISM_LEN] == *NULL => Greeting::Null,
        Some(_) => Greeting::OtherMechanism,
    }
}

/// The longest routing id.
pub const MAX_ROUTING_ID: usize = 255;

/// The command READY of a DEALER with this routing id.
pub fn ready(routing_id: &[u8]) -> Vec<u8> {
    ready_of(b"DEALER", routing_id)
}

/// The command READY of a ROUTER without a routing id.
pub fn ready_of_router() -> Vec<u8> {
    ready_of(b"ROUTER", b"")
}

fn ready_of(socket: &[u8], routing_id: &[u8]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", socket), ("Identity", routing_id)] {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    command(&body)
}

/// The content of a peer's READY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready<'a> {
    /// The type of its socket.
    pub socket: Option<&'a [u8]>,
    /// Its routing id; empty if it has none.
    pub routing_id: &'a [u8],
}

impl<'a> Ready<'a> {
    /// Reads a command; `None` if it is not a well-formed READY.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let mut rest = body.strip_prefix(b"\x05READY")?;
        let mut ready = Ready::default();
        while let Some((&len, after)) = rest.split_first() {
            let (name, after) = after.split_at_checked(usize::from(len))?;
            let (len, after) = after.split_first_chunk::<4>()?;
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            let (value, after) = after.split_at_checked(len)?;
            if name.eq_ignore_ascii_case(b"Socket-Type") {
                ready.socket = Some(value);
            } else if name.eq_ignore_ascii_case(b"Identity") {
                ready.routing_id = value;
            }
            rest = after;
        }
        (ready.routing_id.len() <= MAX_ROUTING_ID).then_some(ready)
    }

    /// Whether a ROUTER can exchange messages with a socket of this type.
    pub fn can_talk_to_router(&self) -> bool {
        self.socket
            .is_none_or(|socket| [&b"DEALER"[..], b"REQ", b"ROUTER"].contains(&socket))
    }
}

/// Whether a command is the READY of a ROUTER.
pub fn is_ready_of_router(body: &[u8]) -> bool {
    Ready::read(body).is_some_and(|ready| ready.socket == Some(b"ROUTER"))
}

/// The time to live in a PING: how long the sender counts as alive without a further message. `None` for other
/// commands, and for a PING without it.
pub fn time_to_live(body: &[u8]) -> Option<Duration> {
    let (tenths, _) = body.strip_prefix(b"\x04PING")?.split_first_chunk()?;
    let tenths = u16::from_be_bytes(*tenths);
    (tenths > 0).then(|| Duration::from_millis(u64::from(tenths) * 100))
}

/// The answer to a command of a ready peer; `None` if it needs none.
pub fn answer(body: &[u8]) -> Option<Vec<u8>> {
    // After the name: two bytes of a time to live, then the context.
    let context = body.strip_prefix(b"\x04PING")?.get(2..)?;
    let context = &context[..context.len().min(MAX_PING_CONTEXT)];
    Some(command(&[b"\x04PONG", context].concat()))
}

fn command(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body.len() + Header::MAX);
    append_flagged(&mut frame, body.len(), COMMAND);
    frame.extend_from_slice(body);
    frame
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The number of bytes of the header.
    pub size: usize,
    /// The number of bytes after the header.
    pub len: u64,
    /// Whether another frame of the message follows.
    pub more: bool,
    /// Whether the frame is a command.
    pub is_command: bool,
}

impl Header {
    /// The length of the longest header.
    pub const MAX: usize = 9;

    /// Reads the header at the beginning of `bytes`; `None` if more bytes are necessary.
    pub fn read(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
        let Some((&flags, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let is_command = flags & COMMAND != 0;
        let more = flags & MORE != 0;
        if flags & !(MORE | LONG | COMMAND) != 0 || (is_command && more) {
            return Err(Malformed::Header);
        }
        let (size, len) = match flags & LONG {
            0 => (2, rest.first().map(|&len| u64::from(len))),
            _ => (
                Header::MAX,
                rest.first_chunk().map(|len| u64::from_be_bytes(*len)),
            ),
        };
        Ok(len.map(|len| Header {
            size,
            len,
            more,
            is_command,
        }))
    }
}

/// Appends the header of a frame with `len` bytes.
pub fn append_header(out: &mut Vec<u8>, len: usize, more: bool) {
    append_flagged(out, len, if more { MORE } else { 0 });
}

fn append_flagged(out: &mut Vec<u8>, len: usize, flags: u8) {
    match u8::try_from(len) {
        Ok(short) => out.extend_from_slice(&[flags, short]),
        Err(_) => {
            out.push(flags | LONG);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
