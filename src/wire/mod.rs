//! Conversion between frames on the wire and typed messages, one module a dialect.
//!
//! A message is parsed once, on arrival, into a type that cannot be invalid; no other layer
//! addresses a frame by its position. Bodies are opaque: they are moved and never parsed, except
//! the JSON form of a Buffer in 0.0.92 (see [`body`]).
//!
//! This layer has no socket, clock or thread.

#![forbid(unsafe_code)]

pub mod body;
mod bridge;
pub mod channel;
mod dialect;
pub mod ext;
pub mod hello;
pub mod json;
pub mod mdp;
pub(crate) mod members;
pub mod omdp;
pub mod packed;
pub mod pigato;
mod serving;
mod short;
pub mod sizes;
pub mod trace_context;
pub mod zmtp;

pub use body::{Body, Encoding};
pub use dialect::{Dialect, Dialects, Form};
pub use hello::{About, Hello};
pub use serving::{Balance, Rate, Serving};
pub use short::{SHORT, append_short, copy_short};

use std::fmt;
use std::ops::Deref;

/// One frame of a multipart message: owned bytes that can be moved from socket to socket.
///
/// The reactor uses libzmq's message type, so that forwarding copies nothing; tests use `Vec<u8>`.
/// A clone of libzmq's message shares the bytes of all but small ones.
pub trait Frame:
    Deref<Target = [u8]> + for<'a> From<&'a [u8]> + From<Vec<u8>> + Clone + fmt::Debug
{
    /// Makes a frame of the first `len` bytes of `bytes`, which has at least as many. An
    /// implementation may read and store more of them; the frame does not expose these.
    fn from_front(bytes: &[u8], len: usize) -> Self {
        Self::from(&bytes[..len])
    }

    /// Appends the bytes to `out`.
    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Frame for Vec<u8> {}

/// Why frames are no message of the dialect. The fault is always the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer frames than the command needs.
    Short,
    /// More frames than the command has.
    Trailing,
    /// The first frame is neither the client's nor the worker's tag.
    Header,
    /// An unknown command, or a command that this side does not receive.
    Command,
    /// A name or an id that is empty or too long.
    Name,
    /// An extension frame with an unknown length or flag.
    Extension,
    /// Packed frames with inconsistent lengths.
    Packed,
    /// A hello that is not JSON of the required form.
    Hello,
    /// A frame other than the body exceeds its maximum, see [`sizes`].
    Size,
    /// A body that is marked as the JSON form of a Buffer but has another form.
    Body,
}

impl Malformed {
    /// A stable description for counters and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Malformed::Short => "too few frames",
            Malformed::Trailing => "too many frames",
            Malformed::Header => "unknown header",
            Malformed::Command => "unknown command",
            Malformed::Name => "invalid name or id",
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

/// Takes the frames of a message in order; missing and trailing frames are errors.
pub(crate) struct Cursor<'a, F> {
    frames: std::vec::Drain<'a, F>,
}

impl<'a, F: Frame> Cursor<'a, F> {
    /// Takes all of `frames`, which is empty once the cursor is dropped, also after an error. The
    /// caller reuses the vector for the next message.
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

    /// Takes the next frame as the name of a service.
    pub(crate) fn service(&mut self) -> Result<F, Malformed> {
        self.name(sizes::MAX_SERVICE)
    }

    /// Takes the next frame as an id that its sender chose.
    pub(crate) fn id(&mut self) -> Result<F, Malformed> {
        self.name(sizes::MAX_ID)
    }

    /// Takes the next frame as an id that may have passed through a peer of 0.0.92.
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

    /// Takes the next frame, which has at most `max` bytes.
    pub(crate) fn bounded(&mut self, max: usize) -> Result<F, Malformed> {
        at_most(max, self.next()?)
    }

    /// Takes the next frame, if there is one, which has at most `max` bytes.
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
