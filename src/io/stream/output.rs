//! Bytes for a connection that the system has not taken yet.

use crate::io::Message;
use crate::wire::zmtp::Framing;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Frames of at least this size are not copied before they are written.
const LARGE: usize = 8 * 1024;

/// The first bytes of a larger output are written apart. They wake the reader, which takes as long as the copy of the
/// same number of bytes as [`MUCH`]: it reads while the rest is written.
const FIRST: usize = 8 * 1024;
const MUCH: usize = 128 * 1024;

/// The maximum number of pieces in one write.
const PIECES: usize = 64;

/// The buffer for small frames keeps at most this capacity.
const KEPT: usize = 64 * 1024;

#[derive(Default)]
pub(in crate::io) struct Output {
    /// The pieces before `small`.
    queue: VecDeque<Piece>,
    /// Headers and small frames at the end.
    small: Vec<u8>,
    /// How much of the first piece was written.
    written: usize,
    /// The number of bytes that are not written.
    len: usize,
    framing: Framing,
}

enum Piece {
    Bytes(Vec<u8>),
    Frame(Message),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Frame(frame) => frame,
        }
    }
}

impl Output {
    pub(in crate::io) fn len(&self) -> usize {
        self.len
    }

    /// Sends the following messages with these frames.
    pub(in crate::io) fn speak(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Gives an empty output the memory for small frames, so that it need not allocate any.
    pub(in crate::io) fn lend(&mut self, buffer: Vec<u8>) {
        if self.small.capacity() == 0 {
            self.small = buffer;
        }
    }

    /// Takes that memory back, if everything is written.
    pub(in crate::io) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        (self.len == 0).then(|| std::mem::take(&mut self.small))
    }

    /// Discards the unwritten bytes.
    pub(in crate::io) fn discard(&mut self) {
        *self = Output {
            framing: self.framing,
            ..Output::default()
        };
    }

    /// Appends one message.
    pub(in crate::io) fn push(&mut self, frames: &mut Vec<Message>) {
        let last = frames.len().saturating_sub(1);
        for (at, frame) in frames.drain(..).enumerate() {
            let before = self.small.len();
            (self.framing).append(&mut self.small, frame.len(), at < last);
            self.len += self.small.len() - before + frame.len();
            if frame.len() < LARGE {
                self.small.extend_from_slice(&frame);
            } else {
                let small = std::mem::take(&mut self.small);
                self.queue.push_back(Piece::Bytes(small));
                self.queue.push_back(Piece::Frame(frame));
            }
        }
    }

    /// Appends bytes as they are.
    pub(in crate::io) fn push_bytes(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Writes as many bytes as the system accepts.
    pub(in crate::io) fn flush(&mut self, to: impl Write) -> io::Result<()> {
        self.flush_some(to, usize::MAX).map(drop)
    }

    /// Writes as many bytes as the system accepts, and stops after about `most`. Returns whether the
    /// system may accept more.
    pub(in crate::io) fn flush_some(
        &mut self,
        mut to: impl Write,
        most: usize,
    ) -> io::Result<bool> {
        let mut room = most;
        let mut first = self.begins_with_much();
        while self.len > 0 {
            if room == 0 {
                return Ok(true);
            }
            let result = if self.queue.is_empty() {
                to.write(&self.small[self.written..])
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let mut used = 0;
                let all = self.queue.iter().map(Piece::bytes).chain([&self.small[..]]);
                let mut left = match std::mem::take(&mut first) {
                    true => FIRST,
                    false => usize::MAX,
                };
                for (piece, bytes) in pieces.iter_mut().zip(all) {
                    let skipped = if used == 0 { self.written } else { 0 };
                    let bytes = &bytes[skipped..];
                    *piece = IoSlice::new(&bytes[..left.min(bytes.len())]);
                    used += 1;
                    left = left.saturating_sub(bytes.len());
                    if left == 0 {
                        break;
                    }
                }
                to.write_vectored(&pieces[..used])
            };
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => {
                    room = room.saturating_sub(len);
                    self.advance(len);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Whether nothing of a large output is written.
    fn begins_with_much(&self) -> bool {
        self.written == 0 && self.len >= MUCH
    }

    fn advance(&mut self, len: usize) {
        self.len -= len;
        self.written += len;
        while let Some(first) = self.queue.front() {
            let size = first.bytes().len();
            if self.written < size {
                return;
            }
            self.written -= size;
            self.queue.pop_front();
        }
        if self.len == 0 {
            self.written = 0;
            self.small.clear();
            self.small.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::zmtp::append_header;

    /// Takes so many bytes with each write, then none until the next flush.
    struct Slow {
        taken: Vec<u8>,
        step: usize,
        is_full: bool,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.is_full = !self.is_full;
            if !self.is_full {
                return Err(ErrorKind::WouldBlock.into());
            }
            let len = bytes.len().min(self.step);
            self.taken.extend_from_slice(&bytes[..len]);
            Ok(len)
        }

        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let some = pieces.iter().flat_map(|piece| piece.iter());
            let some: Vec<u8> = some.take(self.step).copied().collect();
            self.write(&some)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_are_the_same_however_few_the_system_takes() {
        for step in [1, 5, 1000, LARGE, LARGE + 3, 1 << 20] {
            let mut output = Output::default();
            let mut to = Slow {
                taken: Vec::new(),
                step,
                is_full: false,
            };
            let mut expected = Vec::new();
            for len in [0, 1, 300, LARGE - 1, LARGE, 70_000, 2, 3] {
                let frame = vec![len as u8; len];
                let mut message = vec![Message::from(&frame[..]), Message::from(&b"x"[..])];
                output.push(&mut message);
                assert!(message.is_empty());
                append_header(&mut expected, len, true);
                expected.extend_from_slice(&frame);
                append_header(&mut expected, 1, false);
                expected.push(b'x');
                output.flush(&mut to).unwrap();
                assert_eq!(output.len(), expected.len() - to.taken.len());
            }
            output.push_bytes(b"end");
            expected.extend_from_slice(b"end");
            while output.len() > 0 {
                output.flush(&mut to).unwrap();
            }
            assert!(to.taken == expected, "{step}");
        }
    }

    /// Takes everything, and remembers the sizes of the writes.
    #[derive(Default)]
    struct Sizes(Vec<usize>);

    impl Write for Sizes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }

        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            self.0.push(pieces.iter().map(|piece| piece.len()).sum());
            self.0.last().copied().ok_or(ErrorKind::Other.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_reader_of_much_is_woken_before_the_rest_is_written() {
        let header = 9;
        for (len, expected) in [
            (MUCH - 10, vec![MUCH - 10 + header]),
            (MUCH, vec![FIRST, MUCH + header - FIRST]),
            (1 << 20, vec![FIRST, (1 << 20) + header - FIRST]),
        ] {
            let mut output = Output::default();
            let mut to = Sizes::default();
            for _ in 0..2 {
                output.push(&mut vec![Message::from(vec![0; len])]);
                output.flush(&mut to).unwrap();
            }
            assert_eq!(to.0, [&expected[..], &expected[..]].concat());
        }
    }

    #[test]
    fn an_end_of_the_connection_is_an_error() {
        let mut output = Output::default();
        output.push_bytes(b"x");
        assert!(output.flush(&mut [][..]).is_err());
    }
}
