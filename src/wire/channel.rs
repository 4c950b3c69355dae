//! Channels: several workers on one connection.
//!
//! The messages of a channel are those of a worker with a connection of its own. The first frame of each, which may be
//! packed or a batch, is preceded by a mark and the number of the channel, so a message outside of any channel costs
//! nothing more.

use super::Frame;
use super::packed::ACCEPTED;
use std::num::NonZeroU16;

/// The number of a channel, unique on its connection.
pub type Channel = NonZeroU16;

/// The first byte of a message of a channel. No message of any dialect begins with it.
const MARK: u8 = 0x03;

/// The mark and the number.
const PREFIX: usize = 3;

/// Whether a message that begins with this frame is one of a channel.
#[inline]
pub fn is_marked(first: &[u8]) -> bool {
    first.first() == Some(&MARK)
}

/// Splits the first frame of a message of a channel into the number of the channel and the rest. `None` if
/// it has no number, or the rest is longer than any first frame of a channel.
pub fn split(first: &[u8]) -> Option<(Channel, &[u8])> {
    let ([MARK, high, low], rest) = first.split_first_chunk::<PREFIX>()? else {
        return None;
    };
    let channel = Channel::new(u16::from_be_bytes([*high, *low]))?;
    (rest.len() <= ACCEPTED).then_some((channel, rest))
}

/// Puts a message, whose first frame is short or packed, into a channel.
pub fn put<F: Frame>(channel: Channel, frames: &mut [F]) {
    let Some(first) = frames.first_mut() else {
        return;
    };
    let [high, low] = channel.get().to_be_bytes();
    let mut bytes = Vec::with_capacity(PREFIX + first.len());
    bytes.extend_from_slice(&[MARK, high, low]);
    first.append_to(&mut bytes);
    *first = F::from(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::corpus::vector;
    use crate::wire::packed::pack;

    fn frames(list: &[&[u8]]) -> Vec<Vec<u8>> {
        list.iter().map(|frame| frame.to_vec()).collect()
    }

    #[track_caller]
    fn golden(channel: u16, message: &[&[u8]], expected: &[&[u8]]) {
        let channel = Channel::new(channel).unwrap();
        let mut sent = frames(message);
        put(channel, &mut sent);
        assert_eq!(sent, frames(expected));
        assert_eq!(split(&sent[0]), Some((channel, message[0])));
        vector("packed", &sent);
    }

    #[test]
    fn the_number_precedes_the_first_frame() {
        golden(1, &[b"W", b"4"], &[b"\x03\x00\x01W", b"4"]);
        golden(
            0x1234,
            &[b"\x01\x01W\x014"],
            &[b"\x03\x12\x34\x01\x01W\x014"],
        );
        let mut packed = frames(&[b"W", b"3", &[b'x'; 300]]);
        pack(&mut packed, 0);
        put(Channel::MAX, &mut packed);
        vector("packed", &packed);
        assert_eq!(packed[0], b"\x03\xff\xff\x01\x01W\x013\xff");
        assert_eq!(packed[1].len(), 300);
        put::<Vec<u8>>(Channel::MIN, &mut []);
    }

    #[test]
    fn malformed() {
        let long = [b"\x03\x00\x01" as &[u8], &[0; ACCEPTED + 1]].concat();
        for first in [b"" as &[u8], b"\x03", b"\x03\x00", b"\x03\x00\x00W", &long] {
            vector("packed", &frames(&[first]));
            assert_eq!(split(first), None);
        }
        assert!(split(&long[..long.len() - 1]).is_some());
        assert!(split(b"\x03\x00\x01").is_some());
        assert_eq!(split(b"W"), None);
    }
}
