//! Short frames packed into one.
//!
//! libzmq passes each frame separately through four queues and two threads, which costs more than
//! the few bytes of most frames. Between peers that announced `packed` in their hellos, the short
//! frames of a message are sent as one: the mark, then for each frame its length in one byte and
//! its bytes, or 255 for a longer frame, which follows separately and uncopied. Unpacking restores
//! the message.

mod batch;

pub use batch::{Batch, FIRST, unpack_next};

use super::{Frame, Malformed};
pub(crate) use batch::{ACCEPTED, is_batch};
use std::mem;

/// The first byte of a packed frame. No message of any dialect begins with it.
const MARK: u8 = 0x01;

/// Replaces the length of a frame that is too long for one byte. That frame follows separately.
const LONG: u8 = 0xff;

/// Whether the first frame of a message is a packed frame.
pub(crate) fn is_packed(first: &[u8]) -> bool {
    first.first() == Some(&MARK)
}

/// The maximum number of frames, more than any message has. Without a limit each byte could become
/// a frame, and 1 MB of input 64 MB of memory.
const MAX_FRAMES: usize = 16;

/// Packs the frames from `start` on.
pub fn pack<F: Frame>(frames: &mut Vec<F>, start: usize) {
    let mut head = vec![MARK];
    let mut apart = Vec::new();
    for frame in frames.drain(start..) {
        if is_long(&frame) {
            head.push(LONG);
            apart.push(frame);
        } else {
            head.push(frame.len() as u8);
            head.extend_from_slice(&frame);
        }
    }
    frames.push(F::from(head));
    frames.extend(apart);
}

fn is_long(frame: &[u8]) -> bool {
    frame.len() >= usize::from(LONG)
}

/// Unpacks a whole message. Does not change one that is not packed.
pub(crate) fn unpack<F: Frame>(frames: &mut Vec<F>) -> Result<(), Malformed> {
    match frames.first() {
        Some(first) if is_packed(first) => {
            let head = frames.remove(0);
            unpack_from(&head, frames)
        }
        // The transport unpacks batches; one inside a batch is an error.
        Some(first) if is_batch(first) => Err(Malformed::Packed),
        _ => Ok(()),
    }
}

/// Unpacks a message of the packed frame `head` and the separate frames `frames`. After an error
/// `frames` has its original length; the contents are unspecified.
pub fn unpack_from<F: Frame>(head: &[u8], frames: &mut Vec<F>) -> Result<(), Malformed> {
    let received = frames.len();
    let result = unpack_behind(head.get(1..).unwrap_or_default(), frames);
    match result {
        Ok(()) if received > 0 => drop(frames.drain(..received)),
        Ok(()) => {}
        Err(_) => frames.truncate(received),
    }
    result
}

/// Appends the unpacked frames to the separate ones, which are moved to their places.
fn unpack_behind<F: Frame>(body: &[u8], frames: &mut Vec<F>) -> Result<(), Malformed> {
    let received = frames.len();
    let mut rest = body;
    let mut apart = 0;
    while let Some((&length, behind)) = rest.split_first() {
        if frames.len() - received == MAX_FRAMES {
            return Err(Malformed::Packed);
        }
        let frame = if length == LONG {
            rest = behind;
            if apart == received {
                return Err(Malformed::Packed);
            }
            apart += 1;
            mem::replace(&mut frames[apart - 1], F::from(&[][..]))
        } else {
            let length = usize::from(length);
            rest = behind.get(length..).ok_or(Malformed::Packed)?;
            F::from_front(behind, length)
        };
        frames.push(frame);
    }
    match apart == received {
        true => Ok(()),
        false => Err(Malformed::Packed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::corpus::vector;

    fn frames(list: &[&[u8]]) -> Vec<Vec<u8>> {
        list.iter().map(|frame| frame.to_vec()).collect()
    }

    #[track_caller]
    fn golden(message: &[&[u8]], packed: &[&[u8]]) {
        let mut both = frames(message);
        both.insert(0, b"to".to_vec());
        pack(&mut both, 1);
        assert_eq!(both[0], b"to");
        assert_eq!(both[1..], frames(packed));
        vector("packed", &frames(packed));
        vector("packed", &frames(message));
        let mut back = both.split_off(1);
        unpack(&mut back).unwrap();
        assert_eq!(back, frames(message));
    }

    #[test]
    fn short_frames_are_packed_and_long_ones_follow() {
        golden(&[b"W", b"4"], &[b"\x01\x01W\x014"]);
        golden(&[b"C", b"", b"abc"], &[b"\x01\x01C\x00\x03abc"]);
        let [long, longest] = [vec![b'x'; 255], vec![b'y'; 254]];
        golden(
            &[b"C", &long, b"r", &long],
            &[b"\x01\x01C\xff\x01r\xff", &long, &long],
        );
        let packed = [b"\x01\xfe", &longest[..], b"\xfe", &longest[..]].concat();
        golden(&[&longest, &longest], &[&packed]);
    }

    #[test]
    fn what_is_not_packed_stays_as_it_is() {
        for message in [&[b"C" as &[u8], b"2"] as &[&[u8]], &[b""], &[]] {
            let mut same = frames(message);
            unpack(&mut same).unwrap();
            assert_eq!(same, frames(message));
        }
    }

    #[test]
    fn malformed() {
        for message in [
            &[b"\x01\x02W" as &[u8]] as &[&[u8]],
            &[b"\x01\xff"],
            &[b"\x01\x01W", b"x"],
            &[b"\x01\xff\x01W\xff", b"x"],
            &[b"\x01\xff", b"x", b"y"],
            &[&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        ] {
            vector("packed", &frames(message));
            assert_eq!(unpack(&mut frames(message)), Err(Malformed::Packed));
        }
        let mut nothing = frames(&[b"\x01"]);
        unpack(&mut nothing).unwrap();
        assert!(nothing.is_empty());
    }
}
