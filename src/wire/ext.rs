//! Extension frames: the last frame of a message between two 1.x peers.
//!
//! 0.0.92 ignores additional frames, so a request may carry an extension frame to a broker of
//! unknown version. All other extension frames are sent only to a peer whose hello was received.
//! Layouts are fixed and binary, so that the broker's hot path parses no JSON; numbers are big
//! endian. An unknown length or flag is an error: a sender must stay within the version of the
//! receiver's hello.

mod reply;
mod request;

pub use reply::{Pace, ResultExt, TokenExt};
pub use request::{GivenExt, RequestData, RequestExt};

const BINARY: u8 = 0x01;

fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

#[cfg(test)]
mod tests;
