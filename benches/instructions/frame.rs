//! Frames with the costs of the reactor's frames: few bytes are stored inline, more are allocated.

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

impl zmq_omdp::wire::Frame for Frame {
    #[inline]
    fn from_front(bytes: &[u8], len: usize) -> Self {
        match bytes.first_chunk() {
            Some(few) if len <= FEW => Frame(Bytes::Few(len as u8, *few)),
            _ => Frame::from(&bytes[..len]),
        }
    }

    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Bytes::Few(len, bytes) => {
                let end = out.len() + usize::from(*len).min(FEW);
                out.extend_from_slice(bytes);
                out.truncate(end);
            }
            Bytes::Many(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl From<&[u8]> for Frame {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > FEW {
            return Frame(Bytes::Many(bytes.into()));
        }
        Frame(Bytes::Few(bytes.len() as u8, few(bytes)))
    }
}

/// As in the reactor: copies by overlapping fixed sizes.
#[inline]
fn few(bytes: &[u8]) -> [u8; FEW] {
    let mut few = [0; FEW];
    let len = bytes.len();
    macro_rules! ends {
        ($size:literal) => {{
            few[..$size].copy_from_slice(&bytes[..$size]);
            few[len - $size..len].copy_from_slice(&bytes[len - $size..]);
        }};
    }
    match len {
        16.. => ends!(16),
        8.. => ends!(8),
        4.. => ends!(4),
        2.. => ends!(2),
        1 => few[0] = bytes[0],
        0 => {}
    }
    few
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
