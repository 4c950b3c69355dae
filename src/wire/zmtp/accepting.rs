//! The greeting at the side that accepts connections. The peer may speak any version: each part of
//! the greeting is sent when the peer's bytes show that it understands it, as libzmq does.

use super::{Framing, GREETING, Greeting, SIGNATURE, VERSION, greeting, read_greeting};

/// The positions of the major version and of what follows it.
const MAJOR: usize = SIGNATURE.len();
const AFTER_MAJOR: usize = MAJOR + 1;

/// The length of a greeting of ZMTP 2.0: the signature, the version and the type of the socket.
const OLD_GREETING: usize = MAJOR + 2;

/// The major versions in greetings before 3: the first has the frames of ZMTP 1.0.
const FIRST: u8 = 0;
const SECOND: u8 = 1;

/// The type of the socket in a greeting before 3.
const ROUTER: u8 = 6;

/// The part of a peer's greeting that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// More bytes are necessary.
    Unfinished,
    /// It speaks ZMTP 3; its READY follows after [`GREETING`] bytes.
    Current,
    /// It uses a security mechanism.
    OtherMechanism,
    /// It speaks an earlier version. After this many bytes its first message follows, which is its
    /// routing id.
    Old(Framing, usize),
}

/// The state of a greeting.
#[derive(Debug, Default, Clone, Copy)]
pub struct Accepting {
    /// The number of bytes sent.
    sent: usize,
}

impl Accepting {
    /// Reads the bytes received so far, and appends to `out` the bytes to be sent now.
    pub fn look(&mut self, received: &[u8], out: &mut Vec<u8>) -> Accepted {
        if self.sent == 0 {
            // To a peer of ZMTP 1.0 this is the header of an empty frame, the routing id.
            let mut signature = SIGNATURE;
            signature[MAJOR - 2] = 1;
            self.send(out, &signature);
        }
        let is_versioned =
            |at: usize, is_ours: fn(u8) -> bool| received.get(at).is_none_or(|b| is_ours(*b));
        if !is_versioned(0, |first| first == SIGNATURE[0])
            || !is_versioned(MAJOR - 1, |last| last & 1 == 1)
        {
            return Accepted::Old(Framing::Old, 0);
        }
        if received.len() >= MAJOR && self.sent == MAJOR {
            self.send(out, &VERSION[..1]);
        }
        let Some(&major) = received.get(MAJOR) else {
            return Accepted::Unfinished;
        };
        if major <= SECOND {
            if self.sent == AFTER_MAJOR {
                self.send(out, &[ROUTER]);
            }
            if received.len() < OLD_GREETING {
                return Accepted::Unfinished;
            }
            let framing = match major {
                FIRST => Framing::Old,
                _ => Framing::Current,
            };
            framing.append(out, 0, false);
            return Accepted::Old(framing, OLD_GREETING);
        }
        if self.sent == AFTER_MAJOR {
            self.send(out, &greeting()[AFTER_MAJOR..]);
        }
        match read_greeting(received) {
            Greeting::Null => Accepted::Current,
            Greeting::OtherMechanism => Accepted::OtherMechanism,
            // A major version of 2 does not exist; libzmq takes it for a later one.
            Greeting::Foreign if received.len() >= GREETING => Accepted::OtherMechanism,
            Greeting::Foreign | Greeting::Unfinished => Accepted::Unfinished,
        }
    }

    fn send(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(bytes);
        self.sent += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::corpus::seed;

    /// Gives the bytes one by one. Returns the verdict, how many bytes it took, and what was sent.
    fn play(bytes: &[u8]) -> (Accepted, usize, Vec<u8>) {
        seed("zmtp", bytes);
        let (mut accepting, mut out) = (Accepting::default(), Vec::new());
        for len in 0..=bytes.len() {
            let verdict = accepting.look(&bytes[..len], &mut out);
            if verdict != Accepted::Unfinished {
                // One read of all bytes gives the same result.
                let mut again = Vec::new();
                assert_eq!(Accepting::default().look(bytes, &mut again), verdict);
                assert_eq!(again, out);
                return (verdict, len, out);
            }
        }
        (Accepted::Unfinished, bytes.len(), out)
    }

    fn signed(rest: &[u8]) -> Vec<u8> {
        [&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f], rest].concat()
    }

    #[test]
    fn a_peer_of_version_3_gets_the_whole_greeting() {
        let (verdict, _, out) = play(&greeting());
        assert_eq!(verdict, Accepted::Current);
        let mut expected = greeting();
        expected[8] = 1;
        assert_eq!(out, expected);
        let mut other = greeting();
        other[12..16].copy_from_slice(b"PLAI");
        assert_eq!(play(&other).0, Accepted::OtherMechanism);
        assert_eq!(play(&greeting()[..63]).0, Accepted::Unfinished);
    }

    #[test]
    fn older_peers_get_what_they_understand() {
        let (verdict, taken, out) = play(&signed(&[1, 5, 0, 0]));
        assert_eq!((verdict, taken), (Accepted::Old(Framing::Current, 12), 12));
        assert_eq!(out, signed(&[3, ROUTER, 0, 0]));
        let (verdict, taken, out) = play(&signed(&[0, 5, 1, 0]));
        assert_eq!((verdict, taken), (Accepted::Old(Framing::Old, 12), 12));
        assert_eq!(out, signed(&[3, ROUTER, 1, 0]));
        // Without a signature: an anonymous peer, one with a name, and one with a long name.
        for first in [
            &[1, 0][..],
            &[3, 0, b'm', b'e'],
            &[255, 0, 0, 0, 0, 0, 0, 1, 1, 0],
        ] {
            let (verdict, _, out) = play(first);
            assert_eq!(verdict, Accepted::Old(Framing::Old, 0));
            assert_eq!(out, signed(&[]));
        }
    }
}
