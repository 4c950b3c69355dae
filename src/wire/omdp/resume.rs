//! Layouts of the messages of recovery; see `proto::broker::claims`. They are fixed and binary,
//! like the extension frames: numbers are big endian.

use crate::wire::sizes::{MAX_ID, MAX_LIST};
use crate::wire::{Frame, Malformed};

/// A client's knowledge of a request that a new broker has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The number of received partials.
    pub received: u32,
    /// How long the broker looks for the request, in ms.
    pub wait_ms: u32,
    /// Total bytes of the reply that were read and given back as credit.
    pub read: u64,
    /// Whether the request was sent to no other broker.
    pub here: bool,
}

impl Past {
    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 17];
        bytes[..4].copy_from_slice(&self.received.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.wait_ms.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.read.to_be_bytes());
        bytes[16] = self.here.into();
        F::from(&bytes[..])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (&received, rest) = bytes.split_first_chunk().ok_or(Malformed::Extension)?;
        let (&wait_ms, rest) = rest.split_first_chunk().ok_or(Malformed::Extension)?;
        let (&read, here) = rest.split_first_chunk().ok_or(Malformed::Extension)?;
        Ok(Past {
            received: u32::from_be_bytes(received),
            wait_ms: u32::from_be_bytes(wait_ms),
            read: u64::from_be_bytes(read),
            here: match here {
                [0] => false,
                [1] => true,
                _ => return Err(Malformed::Extension),
            },
        })
    }
}

/// Replies received since the last acknowledgement: their number, and the bytes of their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ack {
    pub messages: u32,
    pub bytes: u32,
}

impl Ack {
    /// An acknowledgement is due after this many replies, or this many bytes. Until then the sender keeps them.
    const DUE_MESSAGES: u32 = 64;
    const DUE_BYTES: u32 = 64 * 1024;
    /// One that is withheld becomes due when the next one is for this many replies, or this many bytes. A worker claims
    /// the replies at the next broker, so there are not very many.
    const MOST_MESSAGES: u32 = 2048;
    const MOST_BYTES: u32 = 32 * 1024 * 1024;

    /// Counts one more reply. Returns true if an acknowledgement is due.
    pub fn count(&mut self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.messages >= Ack::DUE_MESSAGES || self.bytes >= Ack::DUE_BYTES
    }

    /// Whether it is for so many replies, or so many bytes, that the sender need not keep earlier ones.
    pub fn is_much(&self) -> bool {
        self.messages >= Ack::MOST_MESSAGES || self.bytes >= Ack::MOST_BYTES
    }

    /// Takes the acknowledgement, if there is anything to acknowledge.
    pub fn take(&mut self) -> Option<Ack> {
        let ack = std::mem::take(self);
        (ack.messages > 0).then_some(ack)
    }

    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.messages.to_be_bytes());
        bytes[4..].copy_from_slice(&self.bytes.to_be_bytes());
        F::from(&bytes[..])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (&messages, rest) = bytes.split_first_chunk().ok_or(Malformed::Extension)?;
        let messages = u32::from_be_bytes(messages);
        if messages == 0 {
            return Err(Malformed::Extension);
        }
        Ok(Ack {
            messages,
            bytes: u32::from_be_bytes(rest.try_into().map_err(|_| Malformed::Extension)?),
        })
    }
}

/// The state of a request at a worker whose broker died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// Its handler runs.
    Running,
    /// It has ended; the worker holds the reply.
    Ended,
    /// It has not started and will not.
    NotStarted,
}

/// A worker's statement about a request that it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimExt {
    pub state: ClaimState,
    /// The worker's number of the claim; unused if the request has not started.
    pub number: u64,
    /// The token from an earlier connection to this broker.
    pub token: Option<u64>,
}

impl ClaimExt {
    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 17];
        bytes[0] = match self.state {
            ClaimState::Running => 0,
            ClaimState::Ended => 1,
            ClaimState::NotStarted => 2,
        };
        bytes[1..9].copy_from_slice(&self.number.to_be_bytes());
        match self.token {
            None => F::from(&bytes[..9]),
            Some(token) => {
                bytes[9..].copy_from_slice(&token.to_be_bytes());
                F::from(&bytes[..])
            }
        }
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (&state, rest) = bytes.split_first().ok_or(Malformed::Extension)?;
        let (&number, token) = rest.split_first_chunk().ok_or(Malformed::Extension)?;
        let token = match token {
            [] => None,
            token => Some(token.try_into().map_err(|_| Malformed::Extension)?),
        };
        Ok(ClaimExt {
            state: match state {
                0 => ClaimState::Running,
                1 => ClaimState::Ended,
                2 => ClaimState::NotStarted,
                _ => return Err(Malformed::Extension),
            },
            number: u64::from_be_bytes(number),
            token: token.map(u64::from_be_bytes),
        })
    }
}

/// The broker's answer to a claim whose client it has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeExt {
    /// The worker's number of the claim.
    pub number: u64,
    /// The token of the request on this connection.
    pub token: u64,
    /// The number of partials that the client has received.
    pub received: u32,
    /// How many bytes of them the client has read. `u64::MAX` means all of them, for a client that
    /// gives no credit.
    pub read: u64,
}

impl ResumeExt {
    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.token.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.received.to_be_bytes());
        bytes[20..].copy_from_slice(&self.read.to_be_bytes());
        F::from(&bytes[..])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (&number, rest) = bytes.split_first_chunk().ok_or(Malformed::Extension)?;
        let (&token, rest) = rest.split_first_chunk().ok_or(Malformed::Extension)?;
        let (&received, rest) = rest.split_first_chunk().ok_or(Malformed::Extension)?;
        Ok(ResumeExt {
            number: u64::from_be_bytes(number),
            token: u64::from_be_bytes(token),
            received: u32::from_be_bytes(received),
            read: u64::from_be_bytes(rest.try_into().map_err(|_| Malformed::Extension)?),
        })
    }
}

/// Encodes request ids into as many frames as necessary, see [`rids_to_frame`]. Each is short enough for an answer of
/// a peer with some of its ids to be within the broker's limit.
pub fn rids_to_frames<'a, F: Frame>(
    rids: impl IntoIterator<Item = &'a [u8]>,
    mut each: impl FnMut(F),
) {
    let mut rids = rids.into_iter().peekable();
    while rids.peek().is_some() {
        each(rids_to_frame(rids.by_ref().take(MAX_LIST / (2 + MAX_ID))));
    }
}

/// Encodes request ids into one frame: each as its length in two bytes and its bytes.
pub fn rids_to_frame<'a, F: Frame>(rids: impl IntoIterator<Item = &'a [u8]>) -> F {
    let mut bytes = Vec::new();
    for rid in rids {
        // A longer id is never accepted from a peer.
        let length = u16::try_from(rid.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&rid[..usize::from(length)]);
    }
    F::from(bytes)
}

/// Iterates over the ids of such a frame. Decoding has checked the frame, so none is missing.
pub fn rids(mut frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (rid, rest) = split_rid(frame)?;
        frame = rest;
        Some(rid)
    })
}

pub(super) fn split_rid(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = frame.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(length));
    if length == 0 || length > MAX_ID {
        return None;
    }
    rest.split_at_checked(length)
}

/// Checks that the frame has at least one id and no trailing bytes.
pub(super) fn check_rids<F: Frame>(frame: F, longest: usize) -> Result<F, Malformed> {
    if frame.len() > longest {
        return Err(Malformed::Size);
    }
    let mut rest = &frame[..];
    loop {
        rest = split_rid(rest).ok_or(Malformed::Extension)?.1;
        if rest.is_empty() {
            return Ok(frame);
        }
    }
}

/// Checks that the frame has at least one number, each of eight bytes.
pub(super) fn check_numbers<F: Frame>(frame: F, longest: usize) -> Result<F, Malformed> {
    if frame.len() > longest {
        return Err(Malformed::Size);
    }
    if frame.is_empty() || !frame.len().is_multiple_of(size_of::<u64>()) {
        return Err(Malformed::Extension);
    }
    Ok(frame)
}

#[cfg(test)]
mod tests;
