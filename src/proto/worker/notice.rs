//! Notices of the worker to its application.

use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::proto::request_id::IdEnd;
use crate::wire::{Body, Malformed};

/// A notice of the worker to its application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerNotice<F> {
    /// An offered request.
    Request {
        /// The number of the delivery, never used twice by this worker.
        delivery: u64,
        /// The end of the client's id of the request.
        id_end: IdEnd,
        /// The data of the request.
        body: Body<F>,
        /// The client's options as JSON, from a broker that passes them on.
        opts: Option<F>,
        /// Number of earlier attempts at workers that were lost.
        retried: u8,
        /// The deadline of the request; [`Time::NEVER`] if the broker knows none. An option would make a notice so large
        /// that a move of it costs twice as much.
        deadline: Time,
        /// Whether its data are a stream. Then the body is empty.
        stream: bool,
        /// The name that the client asked for, if it is not that of this worker's service.
        service: Option<Box<F>>,
        /// The user, from a broker with authentication; see
        /// [`RequestExtra::user`](crate::wire::omdp::RequestExtra::user).
        user: Option<Box<F>>,
        /// Whether the broker takes it back.
        returnable: bool,
    },
    /// The delivery is cancelled. The owner drops its offer if that was not taken. Later replies to
    /// it are ignored.
    Cancelled {
        /// The number of the delivery.
        delivery: u64,
        /// The reason.
        code: Code,
    },
    /// Credit for partials of this delivery, see [`flow`](crate::proto::flow).
    Credit {
        /// The number of the delivery.
        delivery: u64,
        /// The credit as counted by the application; negative if that counted too little before.
        bytes: i64,
    },
    /// The next chunk of the stream that is this delivery's data.
    Chunk {
        /// The number of the delivery.
        delivery: u64,
        /// The data of the chunk.
        body: Body<F>,
        /// Its cost, to be given back by [`read`](super::Worker::read).
        cost: u32,
    },
    /// The end of that stream.
    ChunkEnd {
        /// The number of the delivery.
        delivery: u64,
    },
    /// The worker is registered at a broker.
    Connected,
    /// The connection is lost; the worker reconnects.
    Disconnected(Loss),
    /// A malformed message of the broker was dropped.
    Fault(Malformed),
    /// The drain is complete: nothing runs, and the broker was told.
    Drained,
}
