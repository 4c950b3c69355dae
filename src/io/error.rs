//! Errors of the environment: a stable code for programs, and a message for people.

use std::ffi::{CStr, c_int};
use std::fmt;
use std::io::ErrorKind;

/// An operation that the operating system or libzmq refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// A code in the form of Node.js errors, such as `EADDRINUSE`.
    pub code: &'static str,
    /// The operation, and libzmq's description of the error.
    pub message: String,
}

impl Error {
    /// The error of the libzmq call that just failed on this thread.
    pub(super) fn last(doing: &str) -> Self {
        // SAFETY: reads a thread-local number.
        Self::from_errno(unsafe { zmq_sys::zmq_errno() }, doing)
    }

    pub(super) fn from_errno(errno: c_int, doing: &str) -> Self {
        // SAFETY: libzmq returns a static or thread-local string for any number.
        let words = unsafe { CStr::from_ptr(zmq_sys::zmq_strerror(errno)) };
        Error {
            code: name(errno),
            message: format!("{doing}: {}", words.to_string_lossy()),
        }
    }

    /// The error of a failed operation that does not involve libzmq.
    pub(super) fn from_os(error: &std::io::Error, doing: &str) -> Self {
        Error {
            code: code_of(error),
            message: format!("{doing}: {}", words(error)),
        }
    }

    /// The error of a failed lookup of a name or a scope.
    pub(super) fn not_found(error: &std::io::Error, doing: &str) -> Self {
        Error {
            code: "ENOTFOUND",
            message: format!("{doing}: {}", words(error)),
        }
    }
}

/// The system's description of an error, without the addition of the standard library.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text);
    let text = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(text);
    text.to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

#[cfg(unix)]
fn code_of(error: &std::io::Error) -> &'static str {
    match error.kind() {
        // Timeouts of the standard library have no number.
        ErrorKind::TimedOut => "ETIMEDOUT",
        _ => error.raw_os_error().map_or("EIO", name),
    }
}

/// The system's numbers differ from those of libzmq's C runtime; the standard library maps most of
/// them.
#[cfg(not(unix))]
fn code_of(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "ENOENT",
        ErrorKind::PermissionDenied => "EACCES",
        ErrorKind::AddrInUse => "EADDRINUSE",
        ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        ErrorKind::ConnectionRefused => "ECONNREFUSED",
        ErrorKind::HostUnreachable => "EHOSTUNREACH",
        ErrorKind::NetworkUnreachable => "ENETUNREACH",
        ErrorKind::TimedOut => "ETIMEDOUT",
        ErrorKind::InvalidInput => "EINVAL",
        ErrorKind::OutOfMemory => "ENOMEM",
        ErrorKind::Unsupported => "EAFNOSUPPORT",
        _ => match error.raw_os_error() {
            // WSAEMFILE, WSAENOBUFS and WSAEAFNOSUPPORT.
            Some(10024) => "EMFILE",
            Some(10055) => "ENOBUFS",
            Some(10047) => "EAFNOSUPPORT",
            _ => "EIO",
        },
    }
}

fn name(errno: c_int) -> &'static str {
    use zmq_sys::errno as e;
    match errno {
        e::EACCES => "EACCES",
        e::EADDRINUSE | e::EADDRINUSE_ALT => "EADDRINUSE",
        e::EADDRNOTAVAIL | e::EADDRNOTAVAIL_ALT => "EADDRNOTAVAIL",
        e::ECONNREFUSED | e::ECONNREFUSED_ALT => "ECONNREFUSED",
        e::EINVAL => "EINVAL",
        e::EMFILE => "EMFILE",
        e::EMTHREAD => "EMTHREAD",
        e::ENAMETOOLONG => "ENAMETOOLONG",
        e::ENOBUFS | e::ENOBUFS_ALT => "ENOBUFS",
        e::ENOCOMPATPROTO => "ENOCOMPATPROTO",
        e::ENODEV => "ENODEV",
        e::ENOENT => "ENOENT",
        e::ENOMEM => "ENOMEM",
        e::EPROTONOSUPPORT | e::EPROTONOSUPPORT_ALT => "EPROTONOSUPPORT",
        e::ETERM => "ETERM",
        #[cfg(unix)]
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        #[cfg(unix)]
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        #[cfg(unix)]
        libc::EISDIR => "EISDIR",
        #[cfg(unix)]
        libc::ENFILE => "ENFILE",
        #[cfg(unix)]
        libc::ENETUNREACH => "ENETUNREACH",
        #[cfg(unix)]
        libc::ENOTDIR => "ENOTDIR",
        #[cfg(unix)]
        libc::EPERM => "EPERM",
        #[cfg(unix)]
        libc::EROFS => "EROFS",
        #[cfg(unix)]
        libc::ETIMEDOUT => "ETIMEDOUT",
        #[cfg(windows)]
        // The number in the universal C runtime, which libzmq uses.
        102 => "EAFNOSUPPORT",
        _ => "EIO",
    }
}
