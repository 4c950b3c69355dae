//! Splits received messages of the transport into messages of a peer.

use super::raw::Raw;
use super::socket::Socket;
#[cfg(unix)]
use super::stream::{Input, Stream};
use super::{Error, Message};
use crate::wire::channel::{self, Channel};
use crate::wire::packed::{FIRST, is_batch, is_packed, unpack_from, unpack_next};
use std::ffi::CStr;

/// One received message of libzmq, which may contain several messages of a peer. Reused.
pub(super) struct Inbound {
    /// The routing id of the sender; only at a ROUTER.
    from: Raw,
    head: Raw,
    /// The frames after the head.
    rest: Vec<Message>,
    left: Left,
    /// The channel of the sender.
    channel: Option<Channel>,
}

/// Estimated cost of a kept message beyond its bytes, and of each of its frames.
const KEPT: usize = 512;
const FRAME: usize = 64;

/// The part that is still to be read.
enum Left {
    Nothing,
    /// The whole message.
    Whole,
    /// The messages of a batch, from this position on.
    Batch(usize),
}

impl Inbound {
    pub(super) fn new() -> Self {
        Inbound {
            from: Raw::new(),
            head: Raw::new(),
            rest: Vec::new(),
            left: Left::Nothing,
            channel: None,
        }
    }

    /// Receives a message at a DEALER. Returns false if there is none.
    pub(super) fn receive(&mut self, socket: &Socket) -> Result<bool, Error> {
        let more = socket.receive_frame(&mut self.head)?;
        self.receive_rest(socket, more)
    }

    /// Receives a message of a stream. Returns false if there is none.
    #[cfg(unix)]
    pub(super) fn receive_from(&mut self, stream: &mut Stream) -> bool {
        let found = stream.receive(&mut self.head, &mut self.rest);
        if found {
            self.begin();
        }
        found
    }

    /// Takes a message of a stream at a broker.
    #[cfg(unix)]
    pub(super) fn take_from(&mut self, input: &mut Input, from: Option<&[u8]>) {
        if input.take(&mut self.head, &mut self.rest) {
            self.from = Raw::from(from.unwrap_or_default());
            self.begin();
        }
    }

    /// Becomes a message with this frame, and an empty one if it is marked.
    #[cfg(unix)]
    pub(super) fn put(&mut self, from: &[u8], frame: &[u8], is_marked: bool) {
        self.from = Raw::from(from);
        self.head = Raw::from(frame);
        self.rest.clear();
        if is_marked {
            self.rest.push(Message::from(&b""[..]));
        }
        self.begin();
    }

    /// Receives a message at a ROUTER. Returns false if there is none.
    pub(super) fn receive_routed(&mut self, socket: &Socket) -> Result<bool, Error> {
        let more = match socket.receive_frame(&mut self.from)? {
            Some(true) => socket.receive_frame(&mut self.head)?,
            // A routing id without a frame is treated as a message of one empty frame.
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
        self.begin();
        Ok(true)
    }

    fn begin(&mut self) {
        self.channel = None;
        // Each look at libzmq's message is a call.
        let head: &[u8] = &self.head;
        if is_batch(head) && self.rest.is_empty() {
            self.left = Left::Batch(FIRST);
            return;
        }
        let is_of_channel = channel::is_marked(head);
        self.left = Left::Whole;
        if is_of_channel {
            self.leave_channel();
        }
    }

    /// Takes the message out of its channel. One that is malformed stays unchanged, and so does one in a channel of a
    /// channel.
    #[cold]
    fn leave_channel(&mut self) {
        if let Some((channel, first)) = channel::split(&self.head) {
            let head = Raw::from(first);
            self.channel = Some(channel);
            self.head = head;
            if is_batch(&self.head) && self.rest.is_empty() {
                self.left = Left::Batch(FIRST);
            }
        }
    }

    /// Moves the next message into `frames`, which must be empty. A malformed message is moved
    /// unchanged, and its decoding fails. Returns false if no message is left.
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

    /// Whether [`next`](Self::next) may return a message.
    pub(super) fn has_more(&self) -> bool {
        match self.left {
            Left::Nothing => false,
            Left::Whole => true,
            Left::Batch(at) => at < self.head.len(),
        }
    }

    /// Whether this is the first frame of an unread message.
    pub(super) fn begins_with(&self, frame: &[u8]) -> bool {
        matches!(self.left, Left::Whole) && *self.head == *frame
    }

    /// The cost of keeping the message.
    pub(super) fn size(&self) -> usize {
        let rest: usize = self.rest.iter().map(|frame| frame.len() + FRAME).sum();
        self.from.len() + self.head.len() + rest + KEPT
    }

    /// The routing id of the sender.
    pub(super) fn from(&self) -> &[u8] {
        &self.from
    }

    /// The channel of the sender, on its connection.
    pub(super) fn channel(&self) -> Option<Channel> {
        self.channel
    }

    /// A property of the connection to the sender; `None` if it does not exist or is not text.
    pub(super) fn property(&self, name: &CStr) -> Option<&str> {
        self.from.property(name)
    }
}
