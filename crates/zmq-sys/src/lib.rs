//! The C declarations of libzmq 4.3.5, written after `zmq.h`, for the `zmq` crate and for what it does not cover.
//!
//! Constants are `u32`, as the `zmq` crate expects them; libzmq takes options as `c_int`, so cast where they are used.
//! `libzmq` is linked statically by this crate's build script, with CURVE and with the draft options.

#![warn(missing_docs)]
#![allow(non_camel_case_types)]

// Linked for the symbols that libzmq's CURVE needs.
use libsodium_sys as _;

pub mod errno;
mod functions;
mod options;

pub use functions::*;
pub use options::*;

/// A socket of the operating system, as libzmq hands it out and takes it.
#[cfg(unix)]
pub type RawFd = std::os::fd::RawFd;
/// A socket of the operating system, as libzmq hands it out and takes it.
#[cfg(windows)]
pub type RawFd = std::os::windows::io::RawSocket;

#[cfg(test)]
mod tests;
