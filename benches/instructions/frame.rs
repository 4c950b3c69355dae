//! Frames with the costs of the reactor's frames: few bytes are stored inline, more are allocated.

use std::fmt;
use std::ops::Deref;
use zmq_omdp::wire::{SHORT, append_short, copy_short};

/// See [`crate::frame`].
#[derive(Clone)]
pub struct Frame(Bytes);

const _: () = assert!(size_of::<Frame>() == 32);

#[derive(Clone)]
enum Bytes {
    Few(u8, [u8; SHORT]),
    Many(Box<[u8]>),
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Few(len, bytes) => &bytes[..usize::from(*len).min(SHORT)],
            Bytes::Many(bytes) => bytes,
        }
    }
}

impl zmq_omdp::wire::Frame for Frame {
    #[inline]
    fn from_front(bytes: &[u8], len: usize) -> Self {
        match bytes.first_chunk() {
            Some(few) if len <= SHORT => Frame(Bytes::Few(len as u8, *few)),
            _ => Frame::from(&bytes[..len]),
        }
    }

    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Bytes::Few(len, bytes) => append_short(bytes, *len, out),
            Bytes::Many(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl From<&[u8]> for Frame {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > SHORT {
            return Frame(Bytes::Many(bytes.into()));
        }
        Frame(Bytes::Few(bytes.len() as u8, copy_short(bytes)))
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Frame::from(&bytes[..])
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}
