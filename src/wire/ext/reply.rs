//! The extension frames of replies.

use super::{BINARY, flag};
use crate::wire::{Frame, Malformed};

const ERROR: u8 = 0x04;
const OWN: u8 = 0x08;
const PACE: u8 = 0x10;

/// The pace of a worker by its own clock. The broker cannot distinguish the time of a request from
/// the time of its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Average time per request while the worker has all the requests that it can take, in µs;
    /// saturates at the maximum.
    pub service: u16,
    /// From the arrival of this request to its reply, in µs; saturates likewise. The rest of the
    /// time that the broker measures is the round trip.
    pub spent: u32,
}

/// The extension of a worker's replies: flags, then the token. The worker returns the token, so
/// that neither side has to look up the request by client and request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenExt {
    pub binary: bool,
    /// The body is an error value, which ends the request.
    pub error: bool,
    /// The error is a code of zmq-omdp, not an error value of the handler.
    pub own: bool,
    pub token: u64,
    /// Only on last replies, and not on each of them.
    pub pace: Option<Pace>,
}

impl TokenExt {
    pub fn new(
        ResultExt { binary, error, own }: ResultExt,
        token: u64,
        pace: Option<Pace>,
    ) -> Self {
        TokenExt {
            binary,
            error,
            own,
            token,
            pace,
        }
    }

    /// The flags that a reply to a client has as well.
    pub fn flags(&self) -> ResultExt {
        let &TokenExt {
            binary, error, own, ..
        } = self;
        ResultExt { binary, error, own }
    }

    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 15];
        bytes[0] = self.flags().bits();
        bytes[1..9].copy_from_slice(&self.token.to_be_bytes());
        let Some(pace) = self.pace else {
            return F::from(&bytes[..9]);
        };
        bytes[0] |= PACE;
        bytes[9..11].copy_from_slice(&pace.service.to_be_bytes());
        bytes[11..].copy_from_slice(&pace.spent.to_be_bytes());
        F::from(&bytes[..])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((&[flags, ref token @ ..], pace)) = bytes.split_first_chunk::<9>() else {
            return Err(Malformed::Extension);
        };
        let pace = match *pace {
            [] => None,
            [a, b, c, d, e, f] => Some(Pace {
                service: u16::from_be_bytes([a, b]),
                spent: u32::from_be_bytes([c, d, e, f]),
            }),
            _ => return Err(Malformed::Extension),
        };
        let ext = TokenExt {
            binary: flags & BINARY != 0,
            error: flags & ERROR != 0,
            own: flags & OWN != 0,
            token: u64::from_be_bytes(*token),
            pace,
        };
        let known = BINARY | ERROR | OWN | PACE;
        if flags & !known != 0 || (ext.own && !ext.error) || (flags & PACE != 0) != pace.is_some() {
            return Err(Malformed::Extension);
        }
        Ok(ext)
    }
}

/// The extension of the broker's PARTIAL, FINAL and error to a client: flags alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultExt {
    pub binary: bool,
    /// The body is an error value, which ends the request.
    pub error: bool,
    /// The error is a code of the broker, not an error value of the worker.
    pub own: bool,
}

impl ResultExt {
    pub fn to_frame<F: Frame>(self) -> F {
        F::from(&[self.bits()][..])
    }

    fn bits(self) -> u8 {
        flag(self.binary, BINARY) | flag(self.error, ERROR) | flag(self.own, OWN)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let &[flags] = bytes else {
            return Err(Malformed::Extension);
        };
        let ext = ResultExt {
            binary: flags & BINARY != 0,
            error: flags & ERROR != 0,
            own: flags & OWN != 0,
        };
        if flags & !(BINARY | ERROR | OWN) != 0 || (ext.own && !ext.error) {
            return Err(Malformed::Extension);
        }
        Ok(ext)
    }
}
