//! Consecutive packed messages to one receiver, coalesced into one frame.
//!
//! libzmq has a cost for each message, on both sides and twice in between. The messages of one turn
//! of a reactor to one peer are therefore sent as one: the mark, then for each message its length
//! in two bytes and its frames, each after its length in one byte, or after 255 and its length in
//! two bytes. A message with a frame that is expensive to copy is sent separately.

use super::{LONG, MARK as SINGLE, MAX_FRAMES, is_long};
use crate::wire::{Frame, Malformed};

/// The first byte of a batch. No message of any dialect begins with it.
const MARK: u8 = 0x02;

/// Maximum size of an encoded batch, in bytes. It limits the work of a receiver before it serves
/// its other peers.
const MADE: usize = 16 * 1024;

/// Maximum size of a coalesced frame, in bytes. Copying it takes less time than libzmq's work for
/// one frame.
const COPIED: usize = 2048;

/// Maximum size of an accepted batch, in bytes.
pub(crate) const ACCEPTED: usize = 64 * 1024;

/// Whether the only frame of a message is a batch.
pub(crate) fn is_batch(first: &[u8]) -> bool {
    first.first() == Some(&MARK)
}

/// Messages to one receiver that are being coalesced.
#[derive(Debug)]
pub struct Batch {
    /// The encoded batch; only the mark while there is no message.
    bytes: Vec<u8>,
    messages: usize,
    /// Whether a message has a long frame. Such a message cannot be packed alone without a separate
    /// frame.
    has_long: bool,
}

impl Batch {
    /// Makes an empty batch.
    pub fn new() -> Self {
        Batch {
            bytes: vec![MARK],
            messages: 0,
            has_long: false,
        }
    }

    /// Adds a message. Returns false, without a change, if a frame is too large or there is no
    /// room.
    pub fn add<F: Frame>(&mut self, frames: &[F]) -> bool {
        let mut len = 0;
        for frame in frames {
            if frame.len() > COPIED {
                return false;
            }
            len += frame.len() + if is_long(frame) { 3 } else { 1 };
        }
        if self.bytes.len() + 2 + len > MADE {
            return false;
        }
        self.bytes.reserve(2 + len);
        self.bytes.extend_from_slice(&(len as u16).to_be_bytes());
        for frame in frames {
            if is_long(frame) {
                self.has_long = true;
                self.bytes.push(LONG);
                let len = frame.len() as u16;
                self.bytes.extend_from_slice(&len.to_be_bytes());
            } else {
                self.bytes.push(frame.len() as u8);
            }
            frame.append_to(&mut self.bytes);
        }
        self.messages += 1;
        true
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Passes the encoded messages to `send` as the only frame of a message, and clears the batch.
    /// A single short message is sent as a packed message instead.
    pub fn flush<T>(&mut self, send: impl FnOnce(&[u8]) -> T) -> T {
        let result = match self.messages {
            1 if !self.has_long => {
                // The mark replaces the second byte of the message's length.
                self.bytes[2] = SINGLE;
                send(&self.bytes[2..])
            }
            _ => send(&self.bytes),
        };
        self.bytes.truncate(1);
        self.messages = 0;
        self.has_long = false;
        result
    }
}

impl Default for Batch {
    fn default() -> Self {
        Batch::new()
    }
}

/// Appends the frames of the message at `at` of a batch to `frames`, which must be empty, and moves
/// `at` to the next message. Returns false at the end of the batch.
pub fn unpack_next<F: Frame>(
    batch: &[u8],
    at: &mut usize,
    frames: &mut Vec<F>,
) -> Result<bool, Malformed> {
    if batch.len() > ACCEPTED {
        return Err(Malformed::Packed);
    }
    let rest = batch.get(*at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(false);
    }
    let (mut message, _) = split_long(rest)?;
    *at += 2 + message.len();
    while let Some((&length, rest)) = message.split_first() {
        if frames.len() == MAX_FRAMES {
            return Err(Malformed::Packed);
        }
        let (front, length) = match length {
            LONG => split_length(rest)?,
            _ => (rest, length.into()),
        };
        message = front.get(length..).ok_or(Malformed::Packed)?;
        frames.push(F::from_front(front, length));
    }
    Ok(true)
}

/// Splits off the bytes that follow a two-byte length. Returns them and the rest.
fn split_long(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (rest, len) = split_length(bytes)?;
    rest.split_at_checked(len).ok_or(Malformed::Packed)
}

/// Splits off a two-byte length. Returns the rest and the length.
fn split_length(bytes: &[u8]) -> Result<(&[u8], usize), Malformed> {
    let (len, rest) = bytes.split_first_chunk().ok_or(Malformed::Packed)?;
    Ok((rest, u16::from_be_bytes(*len).into()))
}

/// The position of the first message of a batch.
pub const FIRST: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::packed::unpack;

    fn message(list: &[&[u8]]) -> Vec<Vec<u8>> {
        list.iter().map(|frame| frame.to_vec()).collect()
    }

    fn unpack_all(batch: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, Malformed> {
        let (mut at, mut all) = (FIRST, Vec::new());
        loop {
            let mut frames = Vec::new();
            match unpack_next(batch, &mut at, &mut frames)? {
                true => all.push(frames),
                false => return Ok(all),
            }
        }
    }

    #[test]
    fn several_messages_in_one_frame() {
        let mut batch = Batch::new();
        let messages = [message(&[b"C", b"", b"abc"]), message(&[b"W", b"4"])];
        assert!(messages.iter().all(|message| batch.add(message)));
        let bytes = batch.flush(<[u8]>::to_vec);
        assert_eq!(bytes, b"\x02\x00\x07\x01C\x00\x03abc\x00\x04\x01W\x014");
        assert_eq!(unpack_all(&bytes).unwrap(), messages);
        assert!(batch.is_empty());
    }

    #[test]
    fn one_message_is_packed_by_itself() {
        let mut batch = Batch::new();
        for again in [b"4", b"5"] {
            assert!(batch.add(&message(&[b"W", again])));
            let mut frames = vec![batch.flush(<[u8]>::to_vec)];
            unpack(&mut frames).unwrap();
            assert_eq!(frames, message(&[b"W", again]));
        }
    }

    #[test]
    fn takes_no_more_than_there_is_room_for() {
        let mut batch = Batch::new();
        let mut messages = 0;
        while batch.add(&message(&[&[b'x'; 254], &[b'y'; 200]])) {
            messages += 1;
        }
        let bytes = batch.flush(<[u8]>::to_vec);
        assert!(bytes.len() <= MADE && bytes.len() > MADE - 500);
        assert_eq!(unpack_all(&bytes).unwrap().len(), messages);
        assert!(!batch.add(&message(&[&[b'x'; COPIED + 1]])));
        assert!(batch.is_empty());
    }

    #[test]
    fn long_frames_have_longer_lengths() {
        let long = message(&[b"C", &[b'x'; 255], &[b'y'; COPIED]]);
        let short = message(&[b"C", &[b'z'; 254]]);
        let mut batch = Batch::new();
        assert!(batch.add(&long));
        let alone = batch.flush(<[u8]>::to_vec);
        assert_eq!(alone[3..5], [1, b'C']);
        assert_eq!(alone[5..8], [0xff, 0, 255]);
        assert_eq!(unpack_all(&alone).unwrap(), std::slice::from_ref(&long));
        assert!(batch.add(&short) && batch.add(&long));
        let both = batch.flush(<[u8]>::to_vec);
        assert_eq!(unpack_all(&both).unwrap(), [short, long]);
    }

    #[test]
    fn malformed() {
        for bytes in [
            &b"\x02\x00"[..],
            b"\x02\x00\x02\x01",
            b"\x02\x00\x02\x02W",
            b"\x02\x00\x01\xff",
            b"\x02\x00\x03\xff\x00\x01",
            b"\x02\x00\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            &[2; ACCEPTED + 1],
        ] {
            assert_eq!(unpack_all(bytes), Err(Malformed::Packed));
        }
        assert_eq!(unpack_all(b"\x02"), Ok(vec![]));
    }
}
