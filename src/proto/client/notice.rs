//! What the client reports to its user.

use crate::proto::link::Loss;
use crate::wire::omdp::{Place, ReplyKind};
use crate::wire::{Body, Malformed};

/// What the client reports to its user.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientNotice<F> {
    /// A part of the reply, or its end.
    Reply {
        /// The request, as its submitter numbered it.
        id: u64,
        /// Partial, final or an error value of the worker; an error of the broker's own is
        /// `Failed`.
        kind: ReplyKind,
        /// What the worker sent.
        body: Body<F>,
    },
    /// The request ended with a code of ours.
    Failed {
        /// The request, as its submitter numbered it.
        id: u64,
        /// A stable code; the broker may know codes that this client does not.
        code: String,
    },
    /// Of the stream that is a request's data so much more may be given, by its user's own count.
    Credit {
        /// The request.
        id: u64,
        /// What it may cost.
        bytes: u64,
    },
    /// Of that stream nothing more is wanted. The request goes on.
    Enough {
        /// The request.
        id: u64,
    },
    /// Where a request is. It is about to fail, or is shortly before its timeout.
    Place {
        /// The request, as its submitter numbered it.
        id: u64,
        /// Where it is.
        place: Place<F>,
    },
    /// There is a broker.
    Connected,
    /// There is none any more; the client is looking for it.
    Disconnected(Loss),
    /// The broker sent something that is no message; it was dropped.
    Fault(Malformed),
}
