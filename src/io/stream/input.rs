//! Reads messages from the bytes of a connection.

mod assembly;
mod awake;
mod buffer;
mod source;
#[cfg(test)]
mod tests;

use crate::io::Message;
use crate::io::raw::Raw;
use crate::wire::Malformed;
use crate::wire::zmtp::{Framing, MAX_COMMAND};
use assembly::Assembly;
use awake::Awake;
use buffer::Buffer;
pub(in crate::io) use source::Source;
use std::io::{self, ErrorKind};

/// The size of the buffer. Its pages are touched only as far as they are used.
pub(in crate::io) const BUFFER: usize = 32 * 1024;

/// Frames of at least this size are read into memory of their own, which their receiver gets.
const LARGE: usize = 8 * 1024;

/// If at least this number of bytes of a frame is missing, its reader sleeps until all of them, or
/// [`TURN`] bytes, have arrived: a wake-up costs more than the copy of a piece.
const AWAITED: usize = 64 * 1024;

/// The number of bytes after which other connections have their turn. The last read may exceed it by as many.
pub(in crate::io) const TURN: usize = 1024 * 1024;

/// A wait for the rest of a large frame ends with this number of bytes, or the last.
const PIECE: usize = 32 * 1024;

/// The error of a message that exceeds the maximum, with or without an end.
pub(in crate::io) const ENDLESS: ErrorKind = ErrorKind::FileTooLarge;

/// The error of a message with too many frames.
pub(in crate::io) const MANY_FRAMES: ErrorKind = ErrorKind::QuotaExceeded;

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
    awake: Awake,
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
            awake: Awake::new(),
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

    /// Whether an event waits for many bytes.
    pub(in crate::io) fn slumbers(&self) -> bool {
        self.wakes_at > 1
    }

    /// Whether nothing can be found without a further event of the system.
    pub(in crate::io) fn is_idle(&self) -> bool {
        self.is_drained && !self.message.is_complete() && self.buffer.is_empty()
    }

    /// Begins a turn, in which the system may have more bytes.
    pub(in crate::io) fn wake(&mut self) {
        self.is_drained = false;
        self.room = TURN;
        self.awake.begin_turn(false);
    }

    /// Permits waits for the rest of a large frame in this turn, as long as no message is taken.
    pub(in crate::io) fn may_wait(&mut self) {
        self.awake.begin_turn(true);
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
        let has_one = self.message.take(head, rest);
        if has_one {
            self.awake.end_waits();
        }
        has_one
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
                self.awake.begin_frame();
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
        let wanted = large.left.min(TURN as u64) as usize;
        match source.append(wanted, &mut large.bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_drained = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                large.left -= read as u64;
                self.room = self.room.saturating_sub(read);
                // As with shorter frames: later bytes cause a new event.
                self.is_drained = read < wanted;
                if self.is_drained
                    && let Some(most) = self.awake.time(TURN - self.room)
                {
                    let bytes = large.left.min(PIECE as u64) as usize;
                    let taken = source.await_bytes(bytes, most);
                    self.awake.note(taken);
                    self.is_drained = taken.is_none();
                }
            }
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
