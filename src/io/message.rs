//! One frame.

use super::bytes_in_flight::BytesInFlight;
use super::foreign::{Borrowed, Foreign};
use super::raw::Raw;
use crate::wire::{Frame, SHORT, append_short, copy_short};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

/// Maximum number of bytes that are copied. Sharing costs libzmq more for so few bytes, and a
/// shared frame keeps the whole receive buffer alive.
const COPIED: usize = 1024;

/// A received frame, or one to be sent. It is small, because messages are moved many times between
/// two sockets and most frames are short. libzmq's own message has twice its size, and needs a call
/// to access its bytes. The bytes of large frames are moved and shared, never copied.
#[derive(Clone)]
pub struct Message(Bytes);

const _: () = assert!(size_of::<Message>() == 32);

#[derive(Clone)]
enum Bytes {
    Few(u8, [u8; SHORT]),
    Apart(Apart),
}

/// Bytes outside of the message. Reading and dropping them are functions of their own, since there are hundreds of places
/// where a message is read or dropped.
struct Apart(ManuallyDrop<Memory>);

#[derive(Clone)]
enum Memory {
    Some(Box<[u8]>),
    Many(Box<Raw>),
    /// libzmq never gets these: it would keep them for as long as it likes, or pass them on within this process.
    Foreign(Arc<Foreign>),
}

impl Borrowed {
    /// A frame of the bytes.
    pub fn frame(&self) -> Message {
        Message::from(self.0.clone())
    }
}

impl Apart {
    fn new(memory: Memory) -> Self {
        Apart(ManuallyDrop::new(memory))
    }

    fn into_memory(self) -> Memory {
        let mut apart = ManuallyDrop::new(self);
        // SAFETY: `apart` is not dropped, so nothing uses its memory again.
        unsafe { ManuallyDrop::take(&mut apart.0) }
    }

    #[inline(never)]
    fn bytes(&self) -> &[u8] {
        match &*self.0 {
            Memory::Some(bytes) => bytes,
            Memory::Many(raw) => raw,
            Memory::Foreign(bytes) => bytes,
        }
    }
}

impl Clone for Apart {
    #[inline(never)]
    fn clone(&self) -> Self {
        Apart(self.0.clone())
    }
}

impl Drop for Apart {
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: nothing uses it after this.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

impl Message {
    /// Takes a received frame. `raw` is valid afterwards; its contents are unspecified.
    pub(super) fn take(raw: &mut Raw) -> Self {
        match raw.len() <= COPIED {
            true => Message::from(&raw[..]),
            false => Message::many(std::mem::take(raw)),
        }
    }

    /// The frame as libzmq's message, which sending leaves empty. It is built in `place` unless the
    /// frame has one already.
    pub(super) fn for_libzmq<'a>(&'a mut self, place: &'a mut Raw) -> &'a mut Raw {
        match &mut self.0 {
            Bytes::Apart(apart) => match &mut *apart.0 {
                Memory::Many(raw) => return raw,
                Memory::Foreign(bytes) => *place = Raw::from(&bytes[..]),
                Memory::Some(bytes) => *place = Raw::from(&bytes[..]),
            },
            Bytes::Few(len, bytes) => *place = Raw::from(&bytes[..usize::from(*len)]),
        }
        place
    }

    /// The bytes of a large frame as memory that nothing else refers to, so that its owner may write to it. Returns the
    /// frame if it is small, or if others may share its bytes.
    pub fn into_own(self) -> Result<OwnBytes, Message> {
        let Bytes::Apart(apart) = self.0 else {
            return Err(self);
        };
        match apart.into_memory() {
            Memory::Many(raw) if !raw.is_shared() => Ok(OwnBytes(raw)),
            memory => Err(Message(Bytes::Apart(Apart::new(memory)))),
        }
    }

    /// A frame with the same bytes, for which `in_flight` counts `cost` until the last reference is
    /// released.
    pub(super) fn counted(self, in_flight: &Arc<BytesInFlight>, cost: usize) -> Message {
        let raw = match self.0 {
            Bytes::Apart(apart) => match apart.into_memory() {
                Memory::Many(raw) => *raw,
                Memory::Some(bytes) => Raw::from(&bytes[..]),
                Memory::Foreign(bytes) => Raw::from(&bytes[..]),
            },
            Bytes::Few(..) => Raw::from(&self[..]),
        };
        Message::many(raw.counted(in_flight, cost))
    }

    fn many(raw: Raw) -> Message {
        Message(Bytes::Apart(Apart::new(Memory::Many(Box::new(raw)))))
    }
}

/// The memory of a large frame, which belongs to its owner alone.
pub struct OwnBytes(Box<Raw>);

impl OwnBytes {
    /// The memory, which stays in its place until this is dropped.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// The size of the memory.
    #[expect(clippy::len_without_is_empty, reason = "it is large")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Default for Message {
    fn default() -> Self {
        Message(Bytes::Few(0, [0; SHORT]))
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Few(len, bytes) => &bytes[..usize::from(*len).min(SHORT)],
            Bytes::Apart(apart) => apart.bytes(),
        }
    }
}

impl Frame for Message {
    #[inline]
    fn from_front(bytes: &[u8], len: usize) -> Self {
        match bytes.first_chunk() {
            Some(few) if len <= SHORT => Message(Bytes::Few(len as u8, *few)),
            _ => Message::from(&bytes[..len]),
        }
    }

    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Bytes::Few(len, bytes) => append_short(bytes, *len, out),
            _ => out.extend_from_slice(self),
        }
    }
}

impl From<&[u8]> for Message {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() <= SHORT {
            return Message(Bytes::Few(bytes.len() as u8, copy_short(bytes)));
        }
        match bytes.len() <= COPIED {
            true => Message(Bytes::Apart(Apart::new(Memory::Some(bytes.into())))),
            false => Message::many(Raw::from(bytes)),
        }
    }
}

impl From<Foreign> for Message {
    fn from(bytes: Foreign) -> Self {
        match bytes.len() <= COPIED {
            true => Message::from(&bytes[..]),
            false => Message::from(Arc::new(bytes)),
        }
    }
}

/// The bytes are not copied, however few.
impl From<Arc<Foreign>> for Message {
    fn from(bytes: Arc<Foreign>) -> Self {
        Message(Bytes::Apart(Apart::new(Memory::Foreign(bytes))))
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        match bytes.len() <= COPIED {
            true => Message::from(&bytes[..]),
            false => Message::many(Raw::from(bytes)),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;

    #[test]
    fn a_loan_ends_with_the_last_frame_that_libzmq_does_not_have() {
        let given = vec![7; 100_000];
        let loan = Arc::new(());
        // SAFETY: the bytes live longer than all frames.
        let foreign = |len: usize| unsafe { Foreign::new((&given[..len]).into(), loan.clone()) };
        assert_eq!(Message::from(foreign(COPIED))[..], given[..COPIED]);
        assert_eq!(Arc::strong_count(&loan), 1, "copied");

        let mut frame = Message::from(foreign(given.len()));
        let second = frame.clone();
        assert_eq!(second[..].as_ptr(), given.as_ptr());
        let mut place = Raw::new();
        frame.for_libzmq(&mut place);
        drop(frame);
        assert_eq!(Arc::strong_count(&loan), 2);
        let in_flight = BytesInFlight::new(0, Arc::new(Notify::new()));
        let counted = second.counted(&in_flight, 1);
        assert_eq!(Arc::strong_count(&loan), 1);
        assert_eq!((&counted[..], &place[..]), (&given[..], &given[..]));
    }

    #[test]
    fn only_memory_that_nothing_else_refers_to_becomes_own() {
        let bytes = vec![7; 100_000];
        let frame = || Message::from(bytes.clone());
        let mut own = frame().into_own().ok().unwrap();
        assert_eq!(own.len(), bytes.len());
        // SAFETY: the memory is larger, and its own.
        unsafe { own.as_mut_ptr().write(8) };
        assert!(Message::from(&bytes[..]).into_own().is_ok());
        assert!(Message::from(&bytes[..COPIED]).into_own().is_err());

        let first = frame();
        let second = first.clone();
        assert!(first.into_own().is_err());
        // Its sharer is gone, but libzmq does not tell.
        assert_eq!(second.into_own().err().unwrap()[..], bytes[..]);

        let in_flight = BytesInFlight::new(0, Arc::new(Notify::new()));
        let shared = frame();
        let counted = shared.clone().counted(&in_flight, 1);
        assert!(counted.into_own().is_err());
        assert_eq!(shared[..], bytes[..]);
    }

    #[test]
    fn keeps_bytes_of_every_size() {
        for len in (0..=SHORT + 1).chain([COPIED, COPIED + 1, 1 << 20]) {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let mut raw = Raw::from(&bytes[..]);
            for message in [
                Message::from(&bytes[..]),
                Message::from(bytes.clone()),
                Message::take(&mut raw),
            ] {
                let mut clone = message.clone();
                drop(message);
                assert_eq!(&clone[..], &bytes[..]);
                assert_eq!(&clone.for_libzmq(&mut Raw::new())[..], &bytes[..]);
            }
        }
    }
}
