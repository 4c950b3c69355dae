//! The memory that connections read into and write from. They have it for their turns only, so that
//! an idle connection costs next to nothing.

use crate::io::stream::{BUFFER, Input};

/// The maximum number of connections that keep their buffer until their next turn. The others keep
/// their unread bytes only.
const MAX_IN_USE: usize = 64;

/// The maximum number of idle buffers, and the maximum size of one for writing.
const MAX_IDLE: usize = 16;
const MAX_KEPT: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Buffers {
    idle: Vec<Box<[u8]>>,
    /// The number of connections that have a buffer.
    in_use: usize,
    /// Idle buffers for writing.
    output: Vec<Vec<u8>>,
}

impl Buffers {
    /// Gives a connection a buffer for its turn.
    pub(super) fn lend(&mut self, input: &mut Input) {
        if input.has_buffer() {
            return;
        }
        self.in_use += 1;
        let buffer = self.idle.pop();
        input.lend(buffer.unwrap_or_else(|| vec![0; BUFFER].into_boxed_slice()));
    }

    /// Takes the buffer back, if there is one, unless the connection has more to read soon.
    pub(super) fn take(&mut self, input: &mut Input, goes_on: bool) {
        if !input.has_buffer() || (goes_on && self.in_use <= MAX_IN_USE) {
            return;
        }
        self.in_use -= 1;
        let buffer = input.take_buffer();
        if self.idle.len() < MAX_IDLE && buffer.len() == BUFFER {
            self.idle.push(buffer);
        }
    }

    /// Memory for small frames to be written.
    pub(super) fn output(&mut self) -> Vec<u8> {
        self.output.pop().unwrap_or_default()
    }

    /// Keeps such memory for other connections.
    pub(super) fn keep_output(&mut self, buffer: Vec<u8>) {
        if self.output.len() < MAX_IDLE && (1..=MAX_KEPT).contains(&buffer.capacity()) {
            self.output.push(buffer);
        }
    }
}
