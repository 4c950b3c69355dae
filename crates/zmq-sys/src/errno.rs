//! The error numbers that libzmq reports.

// The names are standard and document themselves.
#![allow(missing_docs)]

/// The first of libzmq's own error numbers.
const HAUSNUMERO: i32 = 156_384_712;

#[cfg(unix)]
pub use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EBUSY, ECONNREFUSED, EFAULT, EHOSTUNREACH,
    EINPROGRESS, EINTR, EINVAL, EMFILE, EMSGSIZE, ENAMETOOLONG, ENETDOWN, ENOBUFS, ENODEV, ENOENT,
    ENOMEM, ENOTCONN, ENOTSOCK, ENOTSUP, EPROTO, EPROTONOSUPPORT,
};

/// The values in `errno.h` of the universal C runtime, with which libzmq is compiled.
#[cfg(windows)]
mod ucrt {
    pub const EACCES: i32 = 13;
    pub const EADDRINUSE: i32 = 100;
    pub const EADDRNOTAVAIL: i32 = 101;
    pub const EAGAIN: i32 = 11;
    pub const EBUSY: i32 = 16;
    pub const ECONNREFUSED: i32 = 107;
    pub const EFAULT: i32 = 14;
    pub const EHOSTUNREACH: i32 = 110;
    pub const EINPROGRESS: i32 = 112;
    pub const EINTR: i32 = 4;
    pub const EINVAL: i32 = 22;
    pub const EMFILE: i32 = 24;
    pub const EMSGSIZE: i32 = 115;
    pub const ENAMETOOLONG: i32 = 38;
    pub const ENETDOWN: i32 = 116;
    pub const ENOBUFS: i32 = 119;
    pub const ENODEV: i32 = 19;
    pub const ENOENT: i32 = 2;
    pub const ENOMEM: i32 = 12;
    pub const ENOTCONN: i32 = 126;
    pub const ENOTSOCK: i32 = 128;
    pub const ENOTSUP: i32 = 129;
    pub const EPROTO: i32 = 134;
    pub const EPROTONOSUPPORT: i32 = 135;
}
#[cfg(windows)]
pub use ucrt::*;

pub const EFSM: i32 = HAUSNUMERO + 51;
pub const ENOCOMPATPROTO: i32 = HAUSNUMERO + 52;
pub const ETERM: i32 = HAUSNUMERO + 53;
pub const EMTHREAD: i32 = HAUSNUMERO + 54;

// libzmq's substitutes for numbers that a platform's `errno.h` lacks.
pub const ENOTSUP_ALT: i32 = HAUSNUMERO + 1;
pub const EPROTONOSUPPORT_ALT: i32 = HAUSNUMERO + 2;
pub const ENOBUFS_ALT: i32 = HAUSNUMERO + 3;
pub const ENETDOWN_ALT: i32 = HAUSNUMERO + 4;
pub const EADDRINUSE_ALT: i32 = HAUSNUMERO + 5;
pub const EADDRNOTAVAIL_ALT: i32 = HAUSNUMERO + 6;
pub const ECONNREFUSED_ALT: i32 = HAUSNUMERO + 7;
pub const EINPROGRESS_ALT: i32 = HAUSNUMERO + 8;
pub const ENOTSOCK_ALT: i32 = HAUSNUMERO + 9;
pub const EMSGSIZE_ALT: i32 = HAUSNUMERO + 10;
pub const EAFNOSUPPORT_ALT: i32 = HAUSNUMERO + 11;
pub const ENETUNREACH_ALT: i32 = HAUSNUMERO + 12;
pub const ECONNABORTED_ALT: i32 = HAUSNUMERO + 13;
pub const ECONNRESET_ALT: i32 = HAUSNUMERO + 14;
pub const ENOTCONN_ALT: i32 = HAUSNUMERO + 15;
pub const ETIMEDOUT_ALT: i32 = HAUSNUMERO + 16;
pub const EHOSTUNREACH_ALT: i32 = HAUSNUMERO + 17;
pub const ENETRESET_ALT: i32 = HAUSNUMERO + 18;
