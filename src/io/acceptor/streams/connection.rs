//! One connection of a broker, from the greeting of its peer to its end.

use crate::io::Message;
use crate::io::connections::host_of;
use crate::io::descriptor::Descriptor;
use crate::io::raw::Raw;
use crate::io::security::HandshakeFailure;
use crate::io::stream::{ENDLESS, Input, MANY_FRAMES, Next, Output};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::wire::zmtp::{self, Accepted, Accepting, GREETING, MAX_ROUTING_ID, Ready};
use std::io::{self, ErrorKind};

/// The number of bytes written after which other connections have their turn.
const SHARE: usize = 1024 * 1024;

/// The maximum sizes of the messages of a peer after its handshake.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) frame: u64,
    pub(super) message: u64,
}

pub(super) struct Connection {
    pub(super) descriptor: Descriptor,
    pub(super) input: Input,
    pub(super) output: Output,
    phase: Phase,
    /// The address of the peer with the port; `None` over ipc.
    pub(super) address: Option<Box<str>>,
    pub(super) since: Time,
    /// After the handshake.
    pub(super) id: Option<RoutingId>,
    /// The size of its unfinished message, as it was last reported.
    pub(super) unfinished: usize,
    /// Its actual size at the last look.
    pub(super) seen: usize,
    /// When it was last reported that more of its unfinished message has arrived.
    pub(super) told: Time,
    /// Whether it is among those whose events wait for many bytes.
    pub(super) is_slumbering: bool,
    /// Whether a message has come.
    pub(super) speaks: bool,
    /// Whether it waits for its turn to be read.
    pub(super) is_queued: bool,
    /// Whether nothing is read for now.
    pub(super) is_paused: bool,
    /// Whether the other side has ended it, after what is still to be read.
    pub(super) ends: bool,
    /// Whether it has bytes to be written at the end of the turn.
    pub(super) is_dirty: bool,
    /// Whether no more bytes can be written.
    pub(super) is_broken: bool,
    /// Whether it was reset or timed out, which the process at the other side may not have noticed.
    pub(super) was_reset: bool,
    /// When it ends unless its peer sends something: the time to live of a PING.
    pub(super) expires: Option<Time>,
    /// Whether it is among those that may expire.
    pub(super) is_expiring: bool,
}

enum Phase {
    Greeting(Accepting),
    Ready,
    /// The peer speaks an earlier version; its first message is its routing id.
    RoutingId,
    Open,
}

/// A thing that was received.
pub(super) enum Received {
    /// Nothing at present.
    Nothing,
    /// The end of the handshake, with the peer's routing id, which may be empty.
    Introduction(Vec<u8>),
    Command(Vec<u8>),
    /// A message, which can be taken.
    Message,
}

/// Why a connection is of no further use.
#[derive(Debug)]
pub(super) enum Broken {
    /// It has ended, or does not speak ZMTP.
    Off,
    /// The network has ended it, or a process that had not read everything.
    Reset,
    /// The handshake cannot succeed.
    Refused(HandshakeFailure),
    /// A message exceeds the maximum, with or without an end.
    Endless,
    /// A message has too many frames.
    ManyFrames,
}

const FOREIGN: Broken = Broken::Refused(HandshakeFailure::Protocol);

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ENDLESS => Broken::Endless,
            MANY_FRAMES => Broken::ManyFrames,
            _ if is_reset(&error) => Broken::Reset,
            _ => Broken::Off,
        }
    }
}

/// Whether the system reports a reset or a failure of the network. Before a broken pipe, the other side has closed the
/// connection.
fn is_reset(error: &io::Error) -> bool {
    let is_of_end = matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe
    );
    error.raw_os_error().is_some() && !is_of_end
}

impl Connection {
    pub(super) fn new(descriptor: Descriptor, address: Option<Box<str>>, since: Time) -> Self {
        Connection {
            descriptor,
            input: Input::without_buffer(),
            output: Output::default(),
            phase: Phase::Greeting(Accepting::default()),
            address,
            since,
            id: None,
            unfinished: 0,
            seen: 0,
            told: Time::ZERO,
            is_slumbering: false,
            speaks: false,
            is_queued: false,
            is_paused: false,
            ends: false,
            is_dirty: false,
            is_broken: false,
            was_reset: false,
            expires: None,
            is_expiring: false,
        }
    }

    /// The address without the port; empty over ipc.
    pub(super) fn host(&self) -> &str {
        host_of(self.address.as_deref().unwrap_or_default())
    }

    /// Records a reset. One of ipc comes from the end of the process.
    pub(super) fn note_reset(&mut self) {
        self.was_reset = self.address.is_some();
    }

    /// Reads up to the next thing that the caller has to handle.
    pub(super) fn next(&mut self, sizes: Sizes) -> Result<Received, Broken> {
        loop {
            match self.phase {
                Phase::Open => {
                    return Ok(match self.input.next(&self.descriptor)? {
                        Next::Nothing => Received::Nothing,
                        Next::Message => Received::Message,
                        Next::Command(command) => Received::Command(command),
                    });
                }
                Phase::Greeting(_) => {
                    if !self.greet()? {
                        return Ok(Received::Nothing);
                    }
                }
                Phase::Ready => return self.hear_ready(sizes),
                Phase::RoutingId => return self.hear_routing_id(sizes),
            }
        }
    }

    /// Answers the greeting as far as it has arrived. Returns false if there is nothing more to read.
    #[cold]
    fn greet(&mut self) -> Result<bool, Broken> {
        let Phase::Greeting(accepting) = &mut self.phase else {
            return Ok(true);
        };
        let mut answer = Vec::new();
        let verdict = accepting.look(self.input.unread(), &mut answer);
        if verdict == Accepted::Current {
            answer.extend_from_slice(&zmtp::ready_of_router());
        }
        if !answer.is_empty() {
            self.output.push_bytes(&answer);
            self.output.flush(&self.descriptor)?;
        }
        match verdict {
            Accepted::Current => {
                self.input.skip(GREETING);
                self.phase = Phase::Ready;
            }
            Accepted::Old(framing, len) => {
                self.input.skip(len);
                self.input.hear(framing);
                self.input.accept(MAX_ROUTING_ID as u64);
                self.output.speak(framing);
                self.phase = Phase::RoutingId;
            }
            Accepted::OtherMechanism => {
                return Err(Broken::Refused(HandshakeFailure::Mechanism));
            }
            Accepted::Unfinished => return Ok(self.input.read_more(&self.descriptor)?),
        }
        Ok(true)
    }

    /// The peer says who it is, before any message.
    #[cold]
    fn hear_ready(&mut self, sizes: Sizes) -> Result<Received, Broken> {
        let id = match self.input.next(&self.descriptor) {
            Ok(Next::Nothing) => return Ok(Received::Nothing),
            Ok(Next::Command(command)) => Ready::read(&command)
                .filter(Ready::can_talk_to_router)
                .map(|ready| ready.routing_id.to_vec())
                .ok_or(FOREIGN)?,
            Ok(Next::Message) => return Err(FOREIGN),
            Err(error) => return Err(in_handshake(error)),
        };
        Ok(self.introduce(id, sizes))
    }

    /// The same of a peer with an older ZMTP, whose first message is its routing id.
    #[cold]
    fn hear_routing_id(&mut self, sizes: Sizes) -> Result<Received, Broken> {
        match self.input.next(&self.descriptor) {
            Ok(Next::Nothing) => return Ok(Received::Nothing),
            Ok(Next::Message) => {}
            Ok(Next::Command(_)) => return Err(FOREIGN),
            Err(error) => return Err(in_handshake(error)),
        }
        let mut id = Raw::new();
        self.input.take(&mut id, &mut Vec::new());
        Ok(self.introduce(id.to_vec(), sizes))
    }

    fn introduce(&mut self, id: Vec<u8>, sizes: Sizes) -> Received {
        self.input.accept(sizes.frame);
        self.input.accept_messages(sizes.message);
        self.phase = Phase::Open;
        Received::Introduction(id)
    }

    /// Takes a message to be sent with the next [`flush`](Self::flush).
    pub(super) fn send(&mut self, frames: &mut Vec<Message>) {
        if self.is_broken {
            return frames.clear();
        }
        self.output.push(frames);
    }

    /// Sends as many bytes as the system accepts, [`SHARE`] at most. Returns whether the system may
    /// accept more.
    pub(super) fn flush(&mut self) -> bool {
        match self.output.flush_some(&self.descriptor, SHARE) {
            Ok(may_go_on) => may_go_on,
            Err(error) => {
                // The system reports a reset once.
                if is_reset(&error) {
                    self.note_reset();
                }
                // The end counts after the messages that have arrived before it.
                self.output.discard();
                self.is_broken = true;
                false
            }
        }
    }
}

fn in_handshake(error: io::Error) -> Broken {
    match error.kind() {
        ErrorKind::InvalidData => FOREIGN,
        _ => Broken::Off,
    }
}
