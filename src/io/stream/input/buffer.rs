//! The bytes that were read from a connection and are not part of a frame yet.

use super::{BUFFER, LARGE, Source};
use std::io::{self, ErrorKind};

/// A buffer that may be lent for a turn. Without it, the bytes are in memory of their own.
pub(super) struct Buffer {
    memory: Box<[u8]>,
    /// The bytes that are not yet part of a frame.
    start: usize,
    end: usize,
}

impl Buffer {
    /// A buffer with these bytes.
    pub(super) fn with(received: &[u8]) -> Self {
        let mut memory = vec![0; BUFFER.max(received.len())].into_boxed_slice();
        memory[..received.len()].copy_from_slice(received);
        Buffer {
            memory,
            start: 0,
            end: received.len(),
        }
    }

    /// No memory to read into.
    pub(super) fn none() -> Self {
        Buffer {
            memory: Box::default(),
            start: 0,
            end: 0,
        }
    }

    pub(super) fn is_lent(&self) -> bool {
        self.memory.len() >= BUFFER
    }

    /// Moves the bytes into this memory, whose content does not matter.
    pub(super) fn lend(&mut self, mut memory: Box<[u8]>) {
        let kept = self.end - self.start;
        memory[..kept].copy_from_slice(self.bytes());
        (self.start, self.end) = (0, kept);
        self.memory = memory;
    }

    /// Returns the memory, and keeps the bytes in memory of their own.
    pub(super) fn take(&mut self) -> Box<[u8]> {
        let kept = Box::from(self.bytes());
        (self.start, self.end) = (0, self.end - self.start);
        std::mem::replace(&mut self.memory, kept)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Skips this number of bytes.
    pub(super) fn skip(&mut self, len: usize) {
        self.start = self.end.min(self.start + len);
    }

    /// Skips all bytes.
    pub(super) fn clear(&mut self) {
        self.start = self.end;
    }

    /// Reads once. Returns how many bytes were read, and whether the system has no more.
    pub(super) fn fill(&mut self, source: &mut impl Source) -> io::Result<(usize, bool)> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.memory.len() - self.end < LARGE {
            self.memory.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = &mut self.memory[self.end..];
        let len = loop {
            match source.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => break len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        // Fewer bytes than there is room for are all that there are. Later ones cause a new event.
        let is_drained = len < room.len();
        self.end += len;
        Ok((len, is_drained))
    }
}
