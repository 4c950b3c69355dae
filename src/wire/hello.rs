//! The hello: a 1.x peer announces itself, its heartbeats and its features.
//!
//! It is sent where 0.0.92 ignores it: as a trailing frame of a worker's READY and as a client
//! command that is unknown to a broker of 0.0.92. The broker answers only a hello with its own.
//! Unknown members are ignored, so that a later version may add some.

mod json;

use super::serving::Serving;

/// The version of the extension in this crate.
pub const VERSION: u64 = 1;

/// 2^31 - 1 ms, the longest delay of a Node.js timer and thus of any option in ms.
pub const MAX_HEARTBEAT_MS: u64 = i32::MAX as u64;

/// The first message of each side on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The version of the extension; receivers accept 1 and more.
    pub version: u64,
    /// Milliseconds between two heartbeats of the sender.
    pub heartbeat_ms: u64,
    /// How many silent intervals the sender tolerates before it gives up the receiver.
    pub liveness: u32,
    /// An id that differs between the connections of one identity, so that the broker can
    /// distinguish a new connection from an update of the existing one. A broker's id differs
    /// between processes, or between starts.
    pub session: String,
    /// The name of a worker or client, if its routing id is not the name: 1 to 255 bytes, the first
    /// of them not zero.
    pub name: Option<String>,
    /// Workers only: how many requests run at the same time; -1 means no limit, 0 means that the
    /// worker accepts no more requests, because it leaves or is paused.
    pub concurrency: Option<i64>,
    /// Workers only: it leaves when its requests have ended, and no longer needs its name.
    pub leaves: bool,
    /// Workers only: name pattern, policy and rate of the service.
    pub serving: Serving,
    /// Workers only: how many further requests the worker accepts in advance. It gives back, by
    /// RETURN, requests that it cannot start soon.
    pub prefetch: Option<u32>,
    /// Clients only: whether requests may be parked with it.
    pub parks: bool,
    /// Clients and brokers: whether WHERE and PLACE are supported.
    pub places: bool,
    /// Whether the windows of streams are supported, see `proto::flow`.
    pub flow: bool,
    /// Whether requests whose data are a stream are supported.
    pub streams: bool,
    /// Whether the time left until a request's deadline is supported.
    pub deadlines: bool,
    /// Whether it knows which workers a broker has, or tells which requests it had, see
    /// `proto::broker::roster`.
    pub roster: bool,
    /// Workers and clients: whether PING is supported.
    pub pings: bool,
    /// Workers only: whether HOLD is supported.
    pub holds: bool,
    /// A broker's to a worker: the number of this worker.
    pub number: Option<u64>,
    /// A broker's to a worker: how many [channels](super::channel) a connection may have at a time.
    pub channels: u16,
    /// Whether [`packed`](super::packed) frames are supported.
    pub packs: bool,
    /// The largest accepted body, in bytes; `None` if unknown.
    pub max_message: Option<u64>,
    /// Workers only: description and metadata.
    pub about: Option<Box<About>>,
}

/// A worker's description of itself. The broker lists it by MMI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Free text of at most [`MAX_DESCRIPTION`](super::sizes::MAX_DESCRIPTION) bytes.
    pub description: String,
    /// JSON text of at most [`MAX_METADATA`](super::sizes::MAX_METADATA) bytes; empty if there is none.
    pub metadata: String,
}

impl About {
    /// The total size in bytes.
    pub fn size(&self) -> usize {
        self.description.len() + self.metadata.len()
    }
}

impl Hello {
    pub fn new(heartbeat_ms: u64, liveness: u32) -> Self {
        Hello {
            version: VERSION,
            heartbeat_ms,
            liveness,
            session: String::new(),
            name: None,
            concurrency: None,
            leaves: false,
            serving: Serving::default(),
            prefetch: None,
            parks: false,
            places: false,
            flow: false,
            streams: false,
            deadlines: false,
            roster: false,
            pings: false,
            holds: false,
            number: None,
            channels: 0,
            packs: true,
            max_message: None,
            about: None,
        }
    }

    /// Whether the sender accepts a body of this size.
    pub fn takes(&self, bytes: usize) -> bool {
        self.max_message.is_none_or(|max| bytes as u64 <= max)
    }

    /// Without the description and metadata, for holders that do not need them.
    pub fn without_about(self) -> Self {
        Hello {
            about: None,
            ..self
        }
    }
}
