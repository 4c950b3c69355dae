//! C declarations of libzmq 4.3.5, after `zmq.h`, for the `zmq` crate and for functions that it
//! does not cover.
//!
//! Constants are `u32`, as the `zmq` crate expects them; libzmq takes options as `c_int`, so their
//! users cast them. The build script of this crate links `libzmq` statically, with CURVE and with
//! the draft options.

#![warn(missing_docs)]
#![allow(non_camel_case_types)]

// Linked for the symbols of libsodium, which CURVE needs.
use libsodium_sys as _;

mod counting;
pub mod errno;
mod functions;
mod options;

pub use counting::*;
pub use functions::*;
pub use options::*;

/// A descriptor of the operating system in libzmq's interface.
#[cfg(unix)]
pub type RawFd = std::os::fd::RawFd;
/// A socket of the operating system in libzmq's interface.
#[cfg(windows)]
pub type RawFd = std::os::windows::io::RawSocket;

/// A text of binaries whose crates were optimised one by one. `scripts/inspect.js` looks for it.
const APART: &str = "zmq-omdp was optimised crate by crate";

/// The mark of a binary without optimisation across crates. No caller passes `true`; only an optimiser that sees all callers
/// in other crates knows that, and drops the text.
#[inline(never)]
pub fn mark(apart: bool) -> &'static str {
    if apart { APART } else { "" }
}

#[cfg(test)]
mod tests;
