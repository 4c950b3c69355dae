//! Messages to the broker: of clients, and of workers.

use super::*;
use crate::wire::{Cursor, Frame, Hello, Malformed, packed};

/// A message that the broker receives, by the role in its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage<F> {
    Client(ClientMessage<F>),
    Worker(WorkerMessage<F>),
}

impl<F: Frame> PeerMessage<F> {
    /// Decodes the frames after the routing id. `frames` is empty afterwards, also after an error.
    pub fn decode(frames: &mut Vec<F>) -> Result<Self, Malformed> {
        packed::unpack(frames).inspect_err(|_| frames.clear())?;
        let mut cursor = Cursor::new(frames);
        let header = cursor.next()?;
        match &*header {
            CLIENT => ClientMessage::decode(cursor),
            WORKER => WorkerMessage::decode(cursor),
            _ => Err(Malformed::Header),
        }
    }
}

/// The hello in a message, given as unpacked frames without the routing id, and whether it is of a worker.
pub fn hello_of<F: Frame>(frames: &[F]) -> Option<(bool, Hello)> {
    let (is_of_worker, hello) = match frames {
        [tag, command, hello] if **tag == *CLIENT && **command == *READY => (false, hello),
        [tag, command, _, hello] if **tag == *WORKER && **command == *READY => (true, hello),
        _ => return None,
    };
    Some((is_of_worker, Hello::parse(hello).ok()?))
}

#[cfg(test)]
#[path = "to_broker_tests.rs"]
mod tests;
