//! Notices of the client to its application.

use crate::proto::link::Loss;
use crate::wire::omdp::{Place, ReplyKind};
use crate::wire::{Body, Malformed};

/// A notice of the client to its application.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientNotice<F> {
    /// A partial of the reply, or its end.
    Reply {
        /// The submitter's id of the request.
        id: u64,
        /// Partial, final or an error value of the worker. An own code is reported as `Failed`.
        kind: ReplyKind,
        /// The data from the worker.
        body: Body<F>,
    },
    /// The request ended with an own code.
    Failed {
        /// The submitter's id of the request.
        id: u64,
        /// The code. The broker may send codes that this client does not know.
        code: String,
    },
    /// Credit for the stream that is a request's data, as counted by the application.
    Credit {
        /// The request.
        id: u64,
        /// The additional cost that may be submitted.
        bytes: u64,
    },
    /// The worker needs no more of that stream. The request goes on.
    Enough {
        /// The request.
        id: u64,
    },
    /// The request is made again by its retry policy.
    Attempt {
        /// The request.
        id: u64,
        /// The number of the attempt, 2 or more.
        attempt: u8,
    },
    /// The place of a request that is about to fail, or is shortly before its timeout.
    Place {
        /// The submitter's id of the request.
        id: u64,
        /// The place.
        place: Place<F>,
        /// The number of its earlier attempts.
        earlier: u8,
    },
    /// The client is connected to a broker.
    Connected,
    /// The connection is lost; the client reconnects.
    Disconnected(Loss),
    /// A malformed message of the broker was dropped.
    Fault(Malformed),
}
