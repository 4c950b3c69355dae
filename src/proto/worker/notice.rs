//! What the worker reports to its user.

use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::{Body, Malformed};

/// What the worker reports to its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerNotice<F> {
    /// A request to be worked on.
    Request {
        /// This worker's number for it, never used twice.
        delivery: u64,
        /// What the client sent.
        body: Body<F>,
        /// The client's options as JSON, from a broker that passes them on.
        opts: Option<F>,
        /// How often other workers were lost with it before.
        retried: u8,
        /// When its time is over, as far as the broker knows.
        deadline: Option<Time>,
        /// Whether its data are a stream, of which the body is nothing.
        stream: bool,
        /// The name that the client asked for, if it is not that of this worker's service.
        service: Option<Box<F>>,
        /// Who the client is, from a broker that authenticates; see
        /// [`RequestExtra::user`](crate::wire::omdp::RequestExtra::user).
        user: Option<Box<F>>,
        /// Whether the broker takes it back.
        returnable: bool,
    },
    /// Nobody waits for this delivery any more: the owner drops it if it was not taken, and what
    /// the user still sends for it goes nowhere.
    Cancelled {
        /// The number it was given out under.
        delivery: u64,
        /// Why.
        code: Code,
    },
    /// So many bytes more of this delivery's parts may be sent, see [`flow`](crate::proto::flow).
    Credit {
        /// The number it was given out under.
        delivery: u64,
        /// How many, as its user counts; less than none if that counted too few before.
        bytes: i64,
    },
    /// The next part of the stream that is this delivery's data.
    Chunk {
        /// The number it was given out under.
        delivery: u64,
        /// What the client's user gave.
        body: Body<F>,
        /// What it costs, to be given back by [`read`](super::Worker::read).
        cost: u32,
    },
    /// Nothing follows in that stream.
    ChunkEnd {
        /// The number it was given out under.
        delivery: u64,
    },
    /// The broker has this worker.
    Connected,
    /// It has not any more; the worker is looking for it.
    Disconnected(Loss),
    /// The broker sent something that is no message; it was dropped.
    Fault(Malformed),
    /// The drain is over: nothing runs, and the broker was told.
    Drained,
}
