//! The maximum sizes of the frames of a message, in bytes, except its body.
//!
//! Everything that a receiver keeps of a message besides its body has a maximum here. The memory
//! that a peer can occupy therefore follows from the number of its messages. The body has a maximum
//! for each receiver, its option `maxMessageSize`.

/// Routing ids (the limit of ZMTP); request ids and sessions of OMDP.
pub const MAX_ID: usize = 255;

/// Ids that have passed through 0.0.92, which converts them to UTF-8: a byte that is not text
/// becomes three.
pub const MAX_ECHO: usize = 3 * MAX_ID;

/// Names of services.
pub const MAX_SERVICE: usize = 255;

/// Hellos. Without description and metadata those of this version have less than 512 bytes; the
/// rest is for members of later versions.
pub const MAX_HELLO: usize = 16_384;

/// Descriptions of workers.
pub const MAX_DESCRIPTION: usize = 512;

/// Metadata of workers, as JSON.
pub const MAX_METADATA: usize = 4096;

/// Options of a request, with its headers.
pub const MAX_OPTIONS: usize = 65_536;

/// The user of a client: its name and what the authenticator returned about it.
pub const MAX_USER: usize = 65_536;

/// Lists of tokens or request ids to a broker, which takes about a millisecond for one.
pub const MAX_LIST: usize = 1 << 15;

/// The longest list of services with their workers; a broker that has more tells none.
pub const MAX_ROSTER: usize = 65_536;

/// Lists of numbers or request ids to a worker or client.
pub const MAX_LIST_OF_BROKER: usize = 1 << 20;

/// Channels of a connection at one time, beside the peer that has the connection itself.
pub const MAX_CHANNELS: u16 = 255;

/// How much larger than the largest body a frame may be, because it is packed, encrypted or a list.
pub const FRAME_RESERVE: u64 = 2 << 20;
