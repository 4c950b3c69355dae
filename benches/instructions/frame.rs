//! Frames that cost what libzmq's do: few bytes lie in the frame itself, more are shared.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// As in libzmq on a machine of 64 bits.
const FEW: usize = 33;

/// See [`crate::frame`].
#[derive(Clone)]
pub struct Frame {
    bytes: Bytes,
    /// A message of libzmq is of 64 bytes, and is moved as a whole.
    _rest: [u64; 3],
}

const _: () = assert!(size_of::<Frame>() == 64);

#[derive(Clone)]
enum Bytes {
    Few(u8, [u8; FEW]),
    Many(Arc<[u8]>),
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        Frame {
            bytes,
            _rest: [0; 3],
        }
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Few(len, bytes) => &bytes[..usize::from(*len)],
            Bytes::Many(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > FEW {
            return Bytes::Many(bytes.into()).into();
        }
        let mut few = [0; FEW];
        few[..bytes.len()].copy_from_slice(bytes);
        Bytes::Few(bytes.len() as u8, few).into()
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
