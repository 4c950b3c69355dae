//! The maximum sizes of the frames of a message, except its body.
//!
//! Everything that a receiver keeps for a message beside its body has a maximum here, so that what a
//! peer can make it keep follows from the number of messages. The body has a maximum for each
//! receiver, its option `maxMessageSize`.

/// The longest routing id of ZMTP; and of a request id and of a session in OMDP.
pub const MAX_ID: usize = 255;

/// 0.0.92 passes ids through UTF-8, where a byte that is not text becomes three: the longest id that
/// comes back.
pub const MAX_ECHO: usize = 3 * MAX_ID;

/// The longest name of a service.
pub const MAX_SERVICE: usize = 255;

/// The longest hello. Without what a worker says about itself ours have less than 512 bytes; the rest is
/// for members that a later version adds.
pub const MAX_HELLO: usize = 16_384;

/// The longest description of a worker.
pub const MAX_DESCRIPTION: usize = 512;

/// The longest JSON of a worker's metadata.
pub const MAX_METADATA: usize = 4096;

/// The longest options of a request, its headers included.
pub const MAX_OPTIONS: usize = 65_536;

/// What a broker says of a client's user: the name, and what its authenticator returned beside it.
pub const MAX_USER: usize = 65_536;

/// The longest list of tokens or request ids for a broker. It takes the broker a millisecond.
pub const MAX_LIST: usize = 1 << 15;

/// The longest list of numbers or request ids for a worker or client.
pub const MAX_LIST_OF_BROKER: usize = 1 << 20;

/// So much may a frame be larger than the largest body: it is packed, or encrypted, or a list.
pub const FRAME_RESERVE: u64 = 2 << 20;
