//! What a socket received, message by message.

use super::raw::Raw;
use super::socket::Socket;
use super::{Error, Message};
use crate::wire::packed::{FIRST, is_batch, is_packed, unpack_from, unpack_next};
use std::ffi::CStr;

/// One message of libzmq, which may hold several of a peer's. Reused from one to the next.
pub(super) struct Inbound {
    /// The routing id of its sender, from a ROUTER.
    from: Raw,
    head: Raw,
    /// The frames behind the head.
    rest: Vec<Message>,
    left: Left,
}

/// What a message costs beyond its bytes while it is kept, and each of its frames.
const KEPT: usize = 512;
const FRAME: usize = 64;

/// What is left to be read.
enum Left {
    Nothing,
    /// The message that it is.
    Whole,
    /// The messages of a batch, from here on.
    Batch(usize),
}

impl Inbound {
    pub(super) fn new() -> Self {
        Inbound {
            from: Raw::new(),
            head: Raw::new(),
            rest: Vec::new(),
            left: Left::Nothing,
        }
    }

    /// Receives what is there for a DEALER. False if nothing is.
    pub(super) fn receive(&mut self, socket: &Socket) -> Result<bool, Error> {
        let more = socket.receive_frame(&mut self.head)?;
        self.receive_rest(socket, more)
    }

    /// The same for a ROUTER.
    pub(super) fn receive_routed(&mut self, socket: &Socket) -> Result<bool, Error> {
        let more = match socket.receive_frame(&mut self.from)? {
            Some(true) => socket.receive_frame(&mut self.head)?,
            // A routing id and nothing else: one empty frame is as good.
            Some(false) => {
                self.head = Raw::new();
                Some(false)
            }
            None => None,
        };
        self.receive_rest(socket, more)
    }

    fn receive_rest(&mut self, socket: &Socket, more: Option<bool>) -> Result<bool, Error> {
        let Some(more) = more else {
            return Ok(false);
        };
        self.rest.clear();
        if more {
            socket.receive(&mut self.rest)?;
        }
        self.left = match is_batch(&self.head) && self.rest.is_empty() {
            true => Left::Batch(FIRST),
            false => Left::Whole,
        };
        Ok(true)
    }

    /// Puts the next message into `frames`, which is empty. One that is malformed is put there as it came, and whoever
    /// decodes it says so. False if there is none left.
    pub(super) fn next(&mut self, frames: &mut Vec<Message>) -> bool {
        match &mut self.left {
            Left::Nothing => return false,
            Left::Whole if is_packed(&self.head) => {
                frames.append(&mut self.rest);
                if unpack_from(&self.head, frames).is_err() {
                    frames.insert(0, Message::take(&mut self.head));
                }
            }
            Left::Whole => {
                frames.push(Message::take(&mut self.head));
                frames.append(&mut self.rest);
            }
            Left::Batch(at) => match unpack_next(&self.head, at, frames) {
                Ok(found) => return found,
                Err(_) => {
                    frames.clear();
                    frames.push(Message::take(&mut self.head));
                }
            },
        }
        self.left = Left::Nothing;
        true
    }

    /// Whether [`next`](Self::next) may find something.
    pub(super) fn has_more(&self) -> bool {
        match self.left {
            Left::Nothing => false,
            Left::Whole => true,
            Left::Batch(at) => at < self.head.len(),
        }
    }

    /// Whether this is the only frame, and not looked at yet.
    pub(super) fn is(&self, frame: &[u8]) -> bool {
        matches!(self.left, Left::Whole) && self.rest.is_empty() && *self.head == *frame
    }

    /// What it costs to keep it.
    pub(super) fn size(&self) -> usize {
        let rest: usize = self.rest.iter().map(|frame| frame.len() + FRAME).sum();
        self.from.len() + self.head.len() + rest + KEPT
    }

    /// The routing id of the sender.
    pub(super) fn from(&self) -> &[u8] {
        &self.from
    }

    /// What the transport knows of the connection to the sender. `None` if there is no such property, or it is no text.
    pub(super) fn property(&self, name: &CStr) -> Option<&str> {
        self.from.property(name)
    }
}
