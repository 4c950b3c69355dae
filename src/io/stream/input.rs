//! Reads messages from the bytes of a connection.

mod assembly;
mod buffer;

use crate::io::Message;
use crate::io::raw::Raw;
use crate::wire::Malformed;
use crate::wire::zmtp::{Framing, MAX_COMMAND};
use assembly::Assembly;
use buffer::Buffer;
use std::io::{self, ErrorKind, Read};

/// The size of the buffer. Its pages are touched only as far as they are used.
pub(in crate::io) const BUFFER: usize = 32 * 1024;

/// Frames of at least this size are read into memory of their own, which their receiver gets.
const LARGE: usize = 8 * 1024;

/// If at least this number of bytes of a frame is missing, its reader sleeps until all of them, or
/// [`TURN`] bytes, have arrived: a wake-up costs more than the copy of a piece.
const AWAITED: usize = 64 * 1024;

/// The number of bytes after which other connections have their turn.
pub(in crate::io) const TURN: usize = 1024 * 1024;

/// The error of a message that exceeds the maximum, with or without an end.
pub(in crate::io) const ENDLESS: ErrorKind = ErrorKind::FileTooLarge;

/// Where the bytes come from.
pub(in crate::io) trait Source: Read {
    /// Appends up to `max` bytes, and fewer only at the end or with an error.
    fn append(&mut self, max: u64, to: &mut Vec<u8>) -> io::Result<usize> {
        self.take(max).read_to_end(to)
    }

    /// Sets the number of received bytes that cause an event. Without this call each byte does. The end
    /// always causes one.
    fn wake_at(&mut self, _bytes: usize) {}
}

/// The received bytes of a connection, and the message that is being put together.
pub(in crate::io) struct Input {
    buffer: Buffer,
    /// A large frame that is being read.
    large: Option<Large>,
    message: Assembly,
    /// Whether the system has no more bytes.
    is_drained: bool,
    /// How many bytes cause an event.
    wakes_at: usize,
    /// The number of bytes that may be read in this turn.
    room: usize,
    framing: Framing,
    /// The largest accepted frame.
    max_frame: u64,
}

struct Large {
    bytes: Vec<u8>,
    left: u64,
    more: bool,
}

/// The next thing in the bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::io) enum Next {
    /// A message, which can be taken.
    Message,
    /// A command of the other side's libzmq.
    Command(Vec<u8>),
    /// Nothing at present.
    Nothing,
}

fn bad(reason: Malformed) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason.as_str())
}

impl Input {
    /// `received` are the bytes that came with the greeting.
    pub(in crate::io) fn new(received: &[u8], max_frame: u64) -> Self {
        Input {
            buffer: Buffer::with(received),
            max_frame,
            ..Input::without_buffer()
        }
    }

    /// An input that reads nothing before it gets a buffer, and accepts no message.
    pub(in crate::io) fn without_buffer() -> Self {
        Input {
            buffer: Buffer::none(),
            large: None,
            message: Assembly::new(),
            is_drained: false,
            wakes_at: 1,
            room: TURN,
            framing: Framing::Current,
            max_frame: 0,
        }
    }

    /// Accepts frames of this size from now on.
    pub(in crate::io) fn accept(&mut self, max_frame: u64) {
        self.max_frame = max_frame;
    }

    /// Accepts messages with this cost from now on: their bytes, and some for each frame.
    pub(in crate::io) fn accept_messages(&mut self, max_message: u64) {
        self.message.accept(max_message);
    }

    /// Expects these frames from now on.
    pub(in crate::io) fn hear(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Reads into this buffer from now on, whose content does not matter.
    pub(in crate::io) fn lend(&mut self, buffer: Box<[u8]>) {
        self.buffer.lend(buffer);
    }

    /// Whether it has a buffer to read into.
    pub(in crate::io) fn has_buffer(&self) -> bool {
        self.buffer.is_lent()
    }

    /// Returns the buffer, and keeps the bytes in memory of their own.
    pub(in crate::io) fn take_buffer(&mut self) -> Box<[u8]> {
        self.buffer.take()
    }

    /// The bytes that are not part of a message yet.
    pub(in crate::io) fn unread(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Skips this number of these bytes.
    pub(in crate::io) fn skip(&mut self, len: usize) {
        self.buffer.skip(len);
    }

    /// Reads more of these bytes. Returns false if there are none, or the turn is over.
    pub(in crate::io) fn read_more(&mut self, mut source: impl Source) -> io::Result<bool> {
        let may_read = !self.is_drained && self.room > 0;
        if may_read {
            self.fill(&mut source)?;
        }
        Ok(may_read)
    }

    /// The bytes that are there of a message that is not complete, as far as they have memory of their own.
    pub(in crate::io) fn unfinished(&self) -> usize {
        if self.message.is_complete() {
            return 0;
        }
        let missing = self.large.as_ref().map_or(0, |large| large.left);
        let there = self.message.cost().saturating_sub(missing);
        usize::try_from(there).unwrap_or(usize::MAX)
    }

    /// Whether nothing can be found without a further event of the system.
    pub(in crate::io) fn is_idle(&self) -> bool {
        self.is_drained && !self.message.is_complete() && self.buffer.is_empty()
    }

    /// Begins a turn, in which the system may have more bytes.
    pub(in crate::io) fn wake(&mut self) {
        self.is_drained = false;
        self.room = TURN;
    }

    /// Whether [`next`](Self::next) may find something.
    pub(in crate::io) fn may_have_more(&self) -> bool {
        self.message.is_complete() || !self.is_drained
    }

    /// Reads until a message is complete, the system has no more bytes, or the turn is over. An end
    /// of the connection is an error.
    pub(in crate::io) fn next(&mut self, mut source: impl Source) -> io::Result<Next> {
        while !self.message.is_complete() {
            if let Some(command) = self.parse()? {
                return Ok(Next::Command(command));
            }
            if self.message.is_complete() {
                break;
            }
            if self.is_drained || self.room == 0 {
                return Ok(Next::Nothing);
            }
            self.fill(&mut source)?;
        }
        Ok(Next::Message)
    }

    /// Takes the complete message. Returns false if there is none.
    pub(in crate::io) fn take(&mut self, head: &mut Raw, rest: &mut Vec<Message>) -> bool {
        self.message.take(head, rest)
    }

    /// Takes frames from the buffer until a message is complete, a command is found, or bytes are
    /// missing.
    fn parse(&mut self) -> io::Result<Option<Vec<u8>>> {
        while !self.message.is_complete() && self.large.is_none() {
            let bytes = self.buffer.bytes();
            let Some(header) = self.framing.read(bytes).map_err(bad)? else {
                break;
            };
            let max = if header.is_command {
                MAX_COMMAND
            } else {
                self.max_frame
            };
            if header.len > max {
                return Err(bad(Malformed::Size));
            }
            // No more than the maximum, which fits into memory.
            let len = header.len as usize;
            let body = &bytes[header.size..];
            if header.is_command {
                let Some(command) = body.get(..len).map(Vec::from) else {
                    break;
                };
                self.buffer.skip(header.size + len);
                return Ok(Some(command));
            }
            let cost = self.message.cost_with(header.len)?;
            if let Some(body) = body.get(..len) {
                self.message.begin(cost);
                self.message.add(body, header.more);
                self.buffer.skip(header.size + len);
            } else if len >= LARGE {
                let mut own = Vec::new();
                own.try_reserve_exact(len)
                    .map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
                own.extend_from_slice(body);
                self.message.begin(cost);
                self.large = Some(Large {
                    left: header.len - body.len() as u64,
                    bytes: own,
                    more: header.more,
                });
                self.buffer.clear();
            } else {
                break;
            }
        }
        Ok(None)
    }

    fn fill(&mut self, source: &mut impl Source) -> io::Result<()> {
        if self.large.is_some() {
            return self.fill_large(source);
        }
        let (len, is_drained) = self.buffer.fill(source)?;
        self.is_drained = is_drained;
        self.room = self.room.saturating_sub(len);
        Ok(())
    }

    fn fill_large(&mut self, source: &mut impl Source) -> io::Result<()> {
        let Some(large) = &mut self.large else {
            return Ok(());
        };
        let before = large.bytes.len();
        let wanted = large.left.min(self.room as u64);
        let result = source.append(wanted, &mut large.bytes);
        let read = large.bytes.len() - before;
        large.left -= read as u64;
        self.room -= read;
        match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_drained = true,
            Err(error) => return Err(error),
            Ok(_) if (read as u64) < wanted => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
        }
        if let Some(Large { bytes, more, .. }) = self.large.take_if(|large| large.left == 0) {
            self.message.add(bytes, more);
        }
        // After the frame nothing is missing: a smaller message may be the next.
        let missing = self.large.as_ref().map_or(0, |large| large.left);
        let wakes_at = match missing.min(TURN as u64) as usize {
            ..AWAITED => 1,
            missing => missing,
        };
        if self.wakes_at != wakes_at && (self.is_drained || missing == 0) {
            self.wakes_at = wakes_at;
            source.wake_at(wakes_at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::zmtp::{answer, append_header};
    use std::collections::VecDeque;

    /// Gives these pieces, one with each event of the system.
    struct Pieces {
        pieces: VecDeque<Vec<u8>>,
        current: VecDeque<u8>,
        /// How many bytes cause an event, each time it was said.
        wakes_at: Vec<usize>,
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.current.len() {
                0 => Err(ErrorKind::WouldBlock.into()),
                _ => self.current.read(buffer),
            }
        }
    }

    impl Source for &mut Pieces {
        fn wake_at(&mut self, bytes: usize) {
            self.wakes_at.push(bytes);
        }
    }
    impl Source for io::Empty {}

    fn messages() -> Vec<Vec<Vec<u8>>> {
        let sizes: &[&[usize]] = &[
            &[0],
            &[3, 0, 300],
            &[LARGE - 1, LARGE, 5],
            &[BUFFER * 3 + 7],
            &[TURN * 2 + 3, 2],
            &[1, BUFFER, BUFFER + 1],
            &[40; 2000],
            &[255, 256],
        ];
        let bytes = |len: usize| (0..len).map(|at| (at % 251) as u8).collect();
        let message = |sizes: &&[usize]| sizes.iter().map(|len| bytes(*len)).collect();
        sizes.iter().map(message).collect()
    }

    fn encoded() -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages() {
            for (at, frame) in message.iter().enumerate() {
                append_header(&mut out, frame.len(), at + 1 < message.len());
                out.extend_from_slice(frame);
            }
            out.extend_from_slice(b"\x04\x07\x04PING\0\x01");
        }
        out
    }

    #[test]
    fn messages_are_the_same_however_their_bytes_arrive() {
        let bytes = encoded();
        for size in [
            7,
            63,
            1000,
            LARGE,
            BUFFER - 1,
            BUFFER,
            BUFFER + 9,
            bytes.len(),
        ] {
            let mut source = Pieces {
                pieces: bytes[5.min(size)..].chunks(size).map(Vec::from).collect(),
                current: VecDeque::new(),
                wakes_at: Vec::new(),
            };
            let mut input = Input::new(&bytes[..5.min(size)], TURN as u64 * 3);
            let (mut found, mut commands) = (Vec::new(), 0);
            loop {
                match input.next(&mut source).unwrap() {
                    Next::Command(ping) => {
                        assert_eq!(answer(&ping), Some(b"\x04\x05\x04PONG".to_vec()));
                        commands += 1;
                    }
                    Next::Message => {
                        let (mut head, mut rest) = (Raw::new(), Vec::new());
                        assert!(input.take(&mut head, &mut rest));
                        let rest = rest.iter().map(|frame| frame.to_vec());
                        found.push([head.to_vec()].into_iter().chain(rest).collect::<Vec<_>>());
                    }
                    // The turn is over.
                    Next::Nothing if input.may_have_more() => input.wake(),
                    Next::Nothing => {
                        assert!(source.current.is_empty());
                        let Some(piece) = source.pieces.pop_front() else {
                            break;
                        };
                        source.current = piece.into();
                        input.wake();
                    }
                }
            }
            assert_eq!(found, messages(), "pieces of {size}");
            assert_eq!(commands, found.len());
        }
    }

    #[test]
    fn the_longest_command_is_one_in_pieces_too() {
        let len = MAX_COMMAND as usize;
        let mut bytes = vec![6];
        bytes.extend_from_slice(&MAX_COMMAND.to_be_bytes());
        bytes.resize(bytes.len() + len, b'x');
        let (first, rest) = bytes.split_at(len / 2);
        let mut source = Pieces {
            pieces: VecDeque::new(),
            current: first.to_vec().into(),
            wakes_at: Vec::new(),
        };
        let mut input = Input::new(&[], 1 << 20);
        assert_eq!(input.next(&mut source).unwrap(), Next::Nothing);
        source.current = rest.to_vec().into();
        input.wake();
        let command = Next::Command(vec![b'x'; len]);
        assert_eq!(input.next(&mut source).unwrap(), command);
    }

    #[test]
    fn a_reader_sleeps_until_a_large_frame_is_there_and_not_beyond_it() {
        let len = TURN + AWAITED + 5;
        let mut bytes = Vec::new();
        append_header(&mut bytes, len, false);
        let mut source = Pieces {
            pieces: VecDeque::new(),
            current: VecDeque::new(),
            wakes_at: Vec::new(),
        };
        let mut input = Input::new(&bytes, len as u64);
        for piece in [0, 5, TURN, AWAITED - 1, 1] {
            source.current = vec![0; piece].into();
            input.wake();
            while input.next(&mut source).unwrap() == Next::Nothing && input.may_have_more() {
                input.wake();
            }
        }
        assert!(input.take(&mut Raw::new(), &mut Vec::new()));
        assert_eq!(source.wakes_at, [TURN, AWAITED, 1]);
    }

    #[test]
    fn the_other_side_cannot_announce_more_than_the_maximum() {
        let announce = |flags: u8, len: u64| {
            let bytes = [&[flags | 2][..], &len.to_be_bytes()].concat();
            Input::new(&bytes, 1 << 20)
                .next(io::empty())
                .err()
                .map(|error| error.kind())
        };
        assert_eq!(announce(0, (1 << 20) + 1), Some(ErrorKind::InvalidData));
        assert_eq!(announce(4, MAX_COMMAND + 1), Some(ErrorKind::InvalidData));
        assert_eq!(announce(0, 1 << 20), Some(ErrorKind::UnexpectedEof));
    }
}
