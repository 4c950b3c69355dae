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
mod tests {
    use super::*;
    use crate::fuzz::corpus::seed;

    #[test]
    fn greetings() {
        let ours = greeting();
        assert_eq!(read_greeting(&ours), Greeting::Null);
        seed("zmtp", &ours);
        for len in 0..GREETING {
            assert_eq!(read_greeting(&ours[..len]), Greeting::Unfinished, "{len}");
        }
        let changed = |at: usize, byte: u8| {
            let mut greeting = ours;
            greeting[at] = byte;
            read_greeting(&greeting)
        };
        assert_eq!(changed(0, b'H'), Greeting::Foreign);
        assert_eq!(changed(9, 0), Greeting::Foreign);
        assert_eq!(changed(10, 1), Greeting::Foreign);
        assert_eq!(changed(11, 0), Greeting::Null);
        assert_eq!(changed(12, b'C'), Greeting::OtherMechanism);
        assert_eq!(changed(16, b'L'), Greeting::OtherMechanism);
    }

    #[test]
    fn commands() {
        let ready = ready(b"me");
        let header = Header::read(&ready).unwrap().unwrap();
        assert!(header.is_command && !header.more);
        assert_eq!(header.size as u64 + header.len, ready.len() as u64);
        assert!(
            !is_ready_of_router(&ready[header.size..]),
            "it is a DEALER's"
        );
        let router = b"\x05READY\x0bsocket-type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";
        assert!(is_ready_of_router(router));
        seed("zmtp", router);
        seed("zmtp", b"\x04PING\0\x01abc");
        for len in 0..router.len() {
            let cut = &router[..len];
            // The type alone suffices.
            assert_eq!(is_ready_of_router(cut), len == 28, "{len}");
        }
        assert!(!is_ready_of_router(b"\x05ERROR\x03400"));

        assert_eq!(
            answer(b"\x04PING\0\x01abc"),
            Some(b"\x04\x08\x04PONGabc".to_vec())
        );
        assert_eq!(answer(b"\x04PING\0"), None);
        assert_eq!(answer(b"\x09SUBSCRIBEx"), None);
        let ttl = |body: &[u8]| time_to_live(body).map(|ttl| ttl.as_millis());
        assert_eq!(ttl(b"\x04PING\0\x07abc"), Some(700));
        assert_eq!(ttl(b"\x04PING\0\0abc"), None);
        assert_eq!(ttl(b"\x04PING\0"), None);
        assert_eq!(ttl(b"\x04PONG\0\x07"), None);
    }

    #[test]
    fn what_a_ready_says() {
        let ready = |socket: &[u8], id: &[u8]| {
            let bytes = ready_of(socket, id);
            let ready = Ready::read(&bytes[Header::read(&bytes).unwrap().unwrap().size..]);
            ready.map(|ready| (ready.can_talk_to_router(), ready.routing_id.to_vec()))
        };
        for socket in [&b"DEALER"[..], b"REQ", b"ROUTER"] {
            assert_eq!(ready(socket, b"me"), Some((true, b"me".to_vec())));
        }
        for socket in [&b"SUB"[..], b"REP", b"", b"dealer"] {
            assert_eq!(ready(socket, b""), Some((false, Vec::new())));
        }
        assert!(Ready::read(b"\x05READY").is_some_and(|it| it.can_talk_to_router()));
        assert!(ready(b"DEALER", &[1; MAX_ROUTING_ID]).is_some());
        assert!(ready(b"DEALER", &[1; MAX_ROUTING_ID + 1]).is_none());
    }

    #[test]
    fn headers() {
        for len in [0, 1, 255, 256, 70_000] {
            for more in [false, true] {
                let mut bytes = Vec::new();
                append_header(&mut bytes, len, more);
                for cut in 0..bytes.len() {
                    assert_eq!(Header::read(&bytes[..cut]), Ok(None));
                }
                seed("zmtp", &bytes);
                let header = Header::read(&bytes).unwrap().unwrap();
                assert_eq!(header.size, bytes.len());
                assert_eq!((header.len, header.more), (len as u64, more));
                assert!(!header.is_command);
            }
        }
        assert_eq!(Header::read(&[8, 0]), Err(Malformed::Header));
        assert_eq!(Header::read(&[5, 0]), Err(Malformed::Header));
    }
}
