//! Frames on the wire <-> typed messages, one module a dialect.
//!
//! A message is parsed once, where it arrives, into a type that cannot be invalid; no other layer
//! addresses a frame by its position. Bodies stay opaque: they are moved, never parsed, with one
//! exception, the JSON form that 0.0.92 gives a Buffer (see [`body`]).
//!
//! This layer has no socket, clock or thread.

#![forbid(unsafe_code)]

pub mod body;
mod bridge;
mod dialect;
pub mod ext;
pub mod hello;
pub mod mdp;
pub(crate) mod members;
pub mod omdp;
pub mod packed;
pub mod pigato;
pub mod sizes;

pub use body::{Body, Encoding};
pub use dialect::{Dialect, Dialects, Form};
pub use hello::{About, Balance, Hello, Rate, Serving};

use std::fmt;
use std::ops::Deref;

/// One frame of a multipart message: owned bytes that can be moved from socket to socket.
///
/// The reactor uses libzmq's own message, so that forwarding copies nothing; tests use `Vec<u8>`.
/// A clone of libzmq's message shares the bytes of all but small ones.
pub trait Frame:
    Deref<Target = [u8]> + for<'a> From<&'a [u8]> + From<Vec<u8>> + Clone + fmt::Debug
{
    /// The first `len` bytes, of which there are so many. More may be read than these, and nobody sees them.
    fn from_front(bytes: &[u8], len: usize) -> Self {
        Self::from(&bytes[..len])
    }

    /// Appends the bytes to `out`.
    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Frame for Vec<u8> {}

/// Why frames are not a message of the dialect. It is always the sender's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer frames than the command needs.
    Short,
    /// More frames than the command has.
    Trailing,
    /// The first frame is neither a client's nor a worker's tag.
    Header,
    /// The command byte is unknown, or is not one that this side may receive.
    Command,
    /// A frame that must hold a name or an id is empty or too long.
    Name,
    /// An extension frame with a length or a flag that this version does not know.
    Extension,
    /// Packed frames with inconsistent lengths.
    Packed,
    /// A hello that is not valid JSON of its form.
    Hello,
    /// A frame beside the body is longer than its maximum, see [`sizes`].
    Size,
    /// A body that is marked as the JSON form of a Buffer and has another form.
    Body,
}

impl Malformed {
    /// A stable word for counters and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Malformed::Short => "too few frames",
            Malformed::Trailing => "too many frames",
            Malformed::Header => "unknown header",
            Malformed::Command => "unknown command",
            Malformed::Name => "bad name or id",
            Malformed::Extension => "bad extension frame",
            Malformed::Packed => "bad packed frames",
            Malformed::Hello => "bad hello",
            Malformed::Size => "frame too long",
            Malformed::Body => "bad body",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Malformed {}

/// Takes the frames of one message in order; missing and trailing frames are errors.
pub(crate) struct Cursor<'a, F> {
    frames: std::vec::Drain<'a, F>,
}

impl<'a, F: Frame> Cursor<'a, F> {
    /// Takes all of `frames`, which is empty when the cursor is dropped, whatever was read: the
    /// caller's vector is reused for the next message.
    pub(crate) fn new(frames: &'a mut Vec<F>) -> Self {
        Cursor {
            frames: frames.drain(..),
        }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn next(&mut self) -> Result<F, Malformed> {
        self.frames.next().ok_or(Malformed::Short)
    }

    /// The next frame as the name of a service.
    pub(crate) fn service(&mut self) -> Result<F, Malformed> {
        self.name(sizes::MAX_SERVICE)
    }

    /// The next frame as an id that its sender chose.
    pub(crate) fn id(&mut self) -> Result<F, Malformed> {
        self.name(sizes::MAX_ID)
    }

    /// The next frame as an id that may have passed through a peer of 0.0.92.
    pub(crate) fn echo(&mut self) -> Result<F, Malformed> {
        self.name(sizes::MAX_ECHO)
    }

    fn name(&mut self, max: usize) -> Result<F, Malformed> {
        let frame = self.next()?;
        if frame.is_empty() || frame.len() > max {
            return Err(Malformed::Name);
        }
        Ok(frame)
    }

    /// The next frame, which has at most `max` bytes.
    pub(crate) fn bounded(&mut self, max: usize) -> Result<F, Malformed> {
        at_most(max, self.next()?)
    }

    /// The same of a frame that may be missing.
    pub(crate) fn optional_bounded(&mut self, max: usize) -> Result<Option<F>, Malformed> {
        self.optional().map(|frame| at_most(max, frame)).transpose()
    }

    pub(crate) fn optional(&mut self) -> Option<F> {
        self.frames.next()
    }

    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.frames.len() == 0 {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }
}

fn at_most<F: Frame>(max: usize, frame: F) -> Result<F, Malformed> {
    match frame.len() <= max {
        true => Ok(frame),
        false => Err(Malformed::Size),
    }
}
