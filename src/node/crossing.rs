//! The numbers that both sides of the crossing agree on. JavaScript takes them from here when it loads the addon;
//! ARCHITECTURE.md says what each record holds, and a test compares it with these lists.

use crate::io::{AHEAD, CLAIMED, SHOWN};
use crate::proto::code::Code;
use crate::proto::flow;
use napi_derive::napi;

/// An enum whose numbers come back from JavaScript.
macro_rules! ops {
    ($(#[$meta:meta])* $Name:ident { $($(#[$doc:meta])* $Variant:ident = $number:tt,)* }) => {
        $(#[$meta])*
        #[napi]
        #[derive(Debug, PartialEq, Eq)]
        pub enum $Name {
            $($(#[$doc])* $Variant = $number,)*
        }

        impl $Name {
            /// The one with this number.
            pub(super) fn of(number: u32) -> Option<Self> {
                match number {
                    $($number => Some($Name::$Variant),)*
                    _ => None,
                }
            }
        }
    };
}

/// The kinds of records that JavaScript drains.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Client: a partial.
    Partial = 1,
    /// Client: the final.
    Final = 2,
    /// Client: an error value of the worker.
    Error = 3,
    /// Client: the request ended with a code.
    Failed = 4,
    /// Worker: a request.
    Request = 5,
    /// Worker: nobody waits for the reply any more.
    Cancelled = 6,
    /// Broker: whether a peer may come in.
    Authenticate = 7,
    /// Broker: whether a user may do something.
    Authorize = 8,
    /// All: a snapshot.
    Stats = 9,
    /// All: a life has begun.
    Started = 10,
    /// All: a life could not begin.
    StartFailed = 11,
    /// All: a life has ended.
    Stopped = 12,
    /// Worker and client: a connection came about.
    Connect = 13,
    /// Worker and client: a connection was lost.
    Disconnect = 14,
    /// All: something that is emitted under its name.
    Event = 15,
    /// Worker: more of a reply's parts may be sent. Client: more of a request's data.
    Credit = 16,
    /// Client: where a request is that fails.
    Place = 17,
    /// Worker: a part of a request's data.
    Chunk = 18,
    /// Worker: that was the last.
    ChunkEnd = 19,
    /// Client: no more of a request's data is wanted.
    Enough = 20,
}

ops! {
    /// The kinds of records that a client's JavaScript submits.
    ClientOp {
        /// A request.
        Request = 1,
        /// A request is given up.
        Cancel = 2,
        /// A sign of life, of one request or of the client.
        Heartbeat = 3,
        /// So many bytes of a reply were read.
        Credit = 4,
        /// A request whose data are a stream.
        Stream = 5,
        /// A part of its data.
        Chunk = 6,
        /// That was the last.
        ChunkEnd = 7,
    }
}

ops! {
    /// The kinds of records that a worker's JavaScript submits.
    WorkerOp {
        /// A partial.
        Partial = 1,
        /// The final.
        Final = 2,
        /// An error value.
        Error = 3,
        /// A sign of life.
        Heartbeat = 4,
        /// How many requests may run at a time.
        Concurrency = 5,
        /// Whether it takes new requests.
        Pause = 6,
        /// A delivery's handler has had all the time that it may have.
        Expired = 7,
        /// So many bytes of a request's data were read, and more is wanted.
        Read = 8,
        /// No more of them is wanted.
        Enough = 9,
        /// The request is not wanted.
        Reject = 10,
    }
}

/// Bits beside the number of a record's kind.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum Flag {
    /// The record's data is the next of the blobs.
    Blob = 0x100,
    /// To Rust: the service and the options are those of the request before it.
    Same = 0x200,
    /// To JavaScript: that blob is JSON.
    Json = 0x400,
    /// To JavaScript: the second of the record's texts is the next of the blobs, behind that of its data.
    Extra = 0x800,
}

/// How a request's record says what is asked of the broker, above its timeout: by powers of two.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum TermsShift {
    /// How often it may start again, 8 bits.
    Retry = 32,
    /// Whether it does not wait for a worker, 1 bit.
    FailFast = 40,
    /// Whether the options say more, 1 bit.
    Routed = 41,
}

/// How a record shares a number between what it always says and what few say, by powers of two: above the
/// length of a request's options, what is left until its deadline and 1 more; above the number of the attempt,
/// whether the data are a stream, which of its worker's services it is for, and what is left.
#[napi]
#[derive(Debug, PartialEq, Eq)]
pub enum LeftShift {
    /// To Rust.
    Options = 20,
    /// To JavaScript: the stream.
    Stream = 10,
    /// To JavaScript: the service.
    Service = 11,
    /// To JavaScript: what is left.
    Attempt = 21,
}

/// All bits of [`Flag`].
pub(super) const FLAGS: u32 = 0xffff_ff00;

/// How many numbers a record to Rust has.
#[napi]
pub const SUBMIT_FIELDS: u32 = 6;

/// How many numbers a record to JavaScript has.
#[napi]
pub const DRAIN_FIELDS: u32 = 6;

/// Where the records of a batch to JavaScript begin. Before them stand the number of records, the number of blobs,
/// whether more notices wait, how many of the records were offers, and how many offers are shown.
#[napi]
pub const DRAIN_HEADER: u32 = 5;

/// An offer is shown in this slot.
#[napi]
pub const SLOT_SHOWN: i32 = SHOWN;

/// The offer that is shown in this slot has been claimed.
#[napi]
pub const SLOT_CLAIMED: i32 = CLAIMED;

/// How many slots there are.
#[napi]
pub const SLOTS: u32 = AHEAD as u32;

/// How many bytes of a reply's parts may be under way.
#[napi]
pub const FLOW_WINDOW: u32 = flow::WINDOW;

/// What a part costs beyond its bytes.
#[napi]
pub const FLOW_OVERHEAD: u32 = flow::OVERHEAD;

/// How much of a reply is read before it is given back.
#[napi]
pub const FLOW_GRANT: u32 = flow::GRANT;

/// A code that requests end with, or that an error has.
#[napi(object)]
pub struct CodeInfo {
    /// As it stands on the wire.
    pub code: String,
    /// What it says, for the message of an error.
    pub meaning: String,
}

/// What JavaScript itself finds out, beside the codes of the protocol.
const OWN: [(&str, &str); 3] = [
    ("C_STOPPED", "the client was stopped before the reply came"),
    ("B_TOO_LARGE", "the snapshot is too large"),
    ("B_REFUSED", "the broker does not let this peer in"),
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
