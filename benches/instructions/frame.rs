//! Frames that cost what the reactor's do: few bytes lie in the frame itself, more are allocated.

use std::fmt;
use std::ops::Deref;

/// As in the reactor.
const FEW: usize = 30;

/// See [`crate::frame`].
#[derive(Clone)]
pub struct Frame(Bytes);

const _: () = assert!(size_of::<Frame>() == 32);

#[derive(Clone)]
enum Bytes {
    Few(u8, [u8; FEW]),
    Many(Box<[u8]>),
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Few(len, bytes) => &bytes[..usize::from(*len).min(FEW)],
            Bytes::Many(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > FEW {
            return Frame(Bytes::Many(bytes.into()));
        }
        let mut few = [0; FEW];
        few[..bytes.len()].copy_from_slice(bytes);
        Frame(Bytes::Few(bytes.len() as u8, few))
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
