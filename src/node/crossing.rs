//! The numbers of the crossing. JavaScript reads them when it loads the addon. ARCHITECTURE.md
//! describes the content of each record, and a test compares its tables with these lists.

use crate::io::{AHEAD, SHOWN, TAKEN};
use crate::proto::broker;
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::{Balance, Dialect};
use napi_derive::napi;

/// Defines an enum whose numbers JavaScript sends.
macro_rules! ops {
    ($(#[$meta:meta])* $Name:ident { $($(#[$doc:meta])* $Variant:ident = $number:tt,)* }) => {
        $(#[$meta])*
        #[napi]
        #[derive(Debug, PartialEq, Eq)]
        pub enum $Name {
            $($(#[$doc])* $Variant = $number,)*
        }

        impl $Name {
            /// The variant with this number.
            pub(super) fn of(number: u32) -> Option<Self> {
                match number {
                    $($number => Some($Name::$Variant),)*
                    _ => None,
                }
            }
        }
    };
}

/// Kinds of records to JavaScript.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Client: a partial.
    Partial = 1,
    /// Client: the final.
    Final = 2,
    /// Client: an error value of the worker.
    Error = 3,
    /// Client: the request has ended with a code.
    Failed = 4,
    /// Worker: a request.
    Request = 5,
    /// Worker: the reply is not wanted any longer.
    Cancelled = 6,
    /// Broker: a question whether to admit a peer.
    Authenticate = 7,
    /// Broker: a question whether a user has a permission.
    Authorize = 8,
    /// All: a snapshot.
    Stats = 9,
    /// All: a run has started.
    Started = 10,
    /// All: a run could not start.
    StartFailed = 11,
    /// All: a run has ended.
    Stopped = 12,
    /// Worker and client: a connection is open.
    Connect = 13,
    /// Worker and client: a connection was lost.
    Disconnect = 14,
    /// All: an event, with its name.
    Event = 15,
    /// Worker: credit for a reply. Client: credit for the stream of a request.
    Credit = 16,
    /// Client: where a failed request was.
    Place = 17,
    /// Worker: a part of a request's stream.
    Chunk = 18,
    /// Worker: the end of a request's stream.
    ChunkEnd = 19,
    /// Client: the rest of a request's stream is not needed.
    Enough = 20,
    /// Client: a request is made again by its retry policy.
    Attempt = 21,
}

// JavaScript relies on the order: the records that all roles have are consecutive (`lib/common-records.js`); those of a
// client up to the end of a request are before, and the others behind (`lib/requests.js`).
const _: () = {
    let (last_end, credit) = (Kind::Failed as u32, Kind::Credit as u32);
    assert!((Kind::Partial as u32) < Kind::Final as u32 && Kind::Final as u32 + 2 == last_end);
    assert!(last_end < Kind::Stats as u32 && Kind::Stats as u32 + 7 == credit);
    assert!(Kind::Event as u32 + 1 == credit && credit <= Kind::Place as u32);
    assert!(credit <= Kind::Enough as u32 && credit <= Kind::Attempt as u32);
};

/// Where a failed request was: the number of a record of the kind `Place`, and above it that of the latest attempt, see
/// [`LeftShift`].
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum RequestPlace {
    /// In the queue of a service without a worker.
    NoWorker = 0,
    /// In the queue of a service with workers.
    Queued = 1,
    /// At a worker.
    Worker = 2,
}

ops! {
    /// Kinds of records that a client's JavaScript submits.
    ClientOp {
        /// A request.
        Request = 1,
        /// Cancels a request.
        Cancel = 2,
        /// A heartbeat of one request or of the client.
        Heartbeat = 3,
        /// Bytes of a reply that were read.
        Credit = 4,
        /// A request whose data are a stream.
        Stream = 5,
        /// A part of the request's stream.
        Chunk = 6,
        /// The end of the request's stream.
        ChunkEnd = 7,
    }
}

ops! {
    /// Kinds of records that a worker's JavaScript submits.
    WorkerOp {
        /// A partial.
        Partial = 1,
        /// The final.
        Final = 2,
        /// An error value.
        Error = 3,
        /// A heartbeat.
        Heartbeat = 4,
        /// How many requests may run at the same time.
        Concurrency = 5,
        /// Whether the worker is paused.
        Pause = 6,
        /// The handler timeout of a delivery has passed.
        Expired = 7,
        /// Bytes of a request's stream that were read.
        Read = 8,
        /// The rest of a request's stream is not needed.
        Enough = 9,
        /// Rejects a request.
        Reject = 10,
    }
}

/// Flags, combined with the number of a record's kind.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum Flag {
    /// The record's data is the next blob.
    Blob = 0x100,
    /// To Rust: service and options are those of the previous request.
    Same = 0x200,
    /// To JavaScript: the blob is JSON.
    Json = 0x400,
    /// To JavaScript: the second text of the record is the next blob, after the blob of its data.
    Extra = 0x800,
}

/// Positions of further fields in the number that holds a request's timeout, as powers of two.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum TermsShift {
    /// The number of retries, 8 bits.
    Retry = 32,
    /// Whether the request fails fast, 1 bit.
    FailFast = 40,
    /// Whether the options affect routing, 1 bit.
    Routed = 41,
}

/// Positions of optional fields in a number, as powers of two: above the length of a request's
/// options, the ms left until its deadline plus 1; above the number of the attempt, whether the
/// data are a stream, the index of the worker's service, and the ms left plus 1; above the place of a request, the number
/// of its latest attempt.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum LeftShift {
    /// To Rust: the ms left plus 1.
    Options = 20,
    /// To JavaScript: whether the data are a stream.
    Stream = 10,
    /// To JavaScript: the index of the worker's service.
    Service = 11,
    /// To JavaScript: the ms left plus 1.
    Attempt = 21,
    /// To JavaScript: the latest attempt of a request with a place.
    Place = 2,
}

/// All bits of [`Flag`].
pub(super) const FLAGS: u32 = 0xffff_ff00;

/// The number of fields of a record to Rust.
#[napi]
pub const SUBMIT_FIELDS: u32 = 6;

/// The number of fields of a record to JavaScript: its kind, its id, the lengths of five texts, and a number.
#[napi]
pub const DRAIN_FIELDS: u32 = 8;

/// The position of the first record in a batch to JavaScript. The header consists of: the number of
/// records, the number of blobs, whether more notices wait, the number of taken offers, and the
/// number of shown offers.
#[napi]
pub const DRAIN_HEADER: u32 = 5;

/// The value of a slot that shows an offer.
#[napi]
pub const SLOT_SHOWN: i32 = SHOWN;

/// The value of a slot whose offer was taken.
#[napi]
pub const SLOT_TAKEN: i32 = TAKEN;

/// The number of slots.
#[napi]
pub const SLOTS: u32 = AHEAD as u32;

/// The window: how many bytes of a reply's partials may be under way.
#[napi]
pub const FLOW_WINDOW: u32 = flow::WINDOW;

/// The cost of a partial beyond its bytes.
#[napi]
pub const FLOW_OVERHEAD: u32 = flow::OVERHEAD;

/// How many bytes of a reply are read before they are given back as credit.
#[napi]
pub const FLOW_GRANT: u32 = flow::CREDIT_STEP;

/// Prefix of the name of the service whose workers are all called.
#[napi]
pub const ALL_PREFIX: &str = broker::ALL_PREFIX;

/// Flags of an answer of one of these workers: its value is binary.
#[napi]
pub const ANSWER_BINARY: u32 = broker::ANSWER_BINARY as u32;

/// Its value is an error value.
#[napi]
pub const ANSWER_ERROR: u32 = broker::ANSWER_ERROR as u32;

/// Its value is an own code.
#[napi]
pub const ANSWER_OWN: u32 = broker::ANSWER_OWN as u32;

/// The number of services in a page of `mmi.services`.
#[napi]
pub const SERVICES_PER_PAGE: u32 = broker::SERVICES_PER_PAGE as u32;

/// The number of workers in a page of `mmi.workers`.
#[napi]
pub const WORKERS_PER_PAGE: u32 = broker::WORKERS_PER_PAGE as u32;

/// How long the end of a process or thread waits for its peers, in ms.
#[napi]
pub const END_MS: u32 = 500;

/// A code of a failed request or of another error.
#[napi(object)]
pub struct CodeInfo {
    /// The code on the wire.
    pub code: String,
    /// Its meaning, for error messages.
    pub meaning: String,
}

/// Codes that JavaScript itself finds, in addition to those of the protocol.
const OWN: [(&str, &str); 3] = [
    ("C_STOPPED", "the client was stopped"),
    ("B_TOO_LARGE", "the snapshot is too large"),
    ("B_REFUSED", "the broker does not admit this peer"),
];

/// All codes of an OmdpError.
#[napi]
pub fn codes() -> Vec<CodeInfo> {
    let protocol = Code::ALL.map(|code| (code.as_str(), code.meaning()));
    let all = protocol.into_iter().chain(OWN);
    all.map(|(code, meaning)| CodeInfo {
        code: code.into(),
        meaning: meaning.into(),
    })
    .collect()
}

/// The names of the balancing policies.
#[napi]
pub fn balances() -> Vec<&'static str> {
    Balance::ALL.map(Balance::as_str).into()
}

/// The names of the dialects.
#[napi]
pub fn dialects() -> Vec<&'static str> {
    Dialect::ALL.map(Dialect::as_str).into()
}
