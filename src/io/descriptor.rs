//! The descriptor of a connection without libzmq; and what the system tells of any descriptor.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// A connected tcp or Unix socket, which does not block.
#[derive(Debug)]
pub(in crate::io) enum Descriptor {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Descriptor {
    /// Tells the other side that nothing follows.
    pub(in crate::io) fn end_output(&self) -> io::Result<()> {
        match self {
            Descriptor::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Descriptor::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

/// The number of bytes that the system has taken for the connection with this descriptor, and the other side has not
/// acknowledged; 0 where it is not known. The descriptor may have been closed.
pub(in crate::io) fn in_transit(fd: i64) -> u64 {
    let Ok(fd) = RawFd::try_from(fd) else {
        return 0;
    };
    let mut bytes: libc::c_int = 0;
    // SAFETY: the system refuses what has no output, and writes one int otherwise, for a terminal as well.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let rc = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) };
    // SAFETY: the system refuses what is no socket, and writes one int otherwise.
    #[cfg(target_vendor = "apple")]
    let rc = unsafe {
        let mut size = size_of_val(&bytes) as libc::socklen_t;
        let value = (&raw mut bytes).cast();
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_NWRITE, value, &raw mut size)
    };
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    let rc = fd.min(0);
    match rc {
        0 => u64::try_from(bytes).unwrap_or(0),
        _ => 0,
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Descriptor::Tcp(stream) => stream.as_raw_fd(),
            Descriptor::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

impl Read for &Descriptor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Descriptor::Tcp(stream) => (&*stream).read(buffer),
            Descriptor::Unix(stream) => (&*stream).read(buffer),
        }
    }
}

impl Write for &Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Descriptor::Tcp(stream) => (&*stream).write(bytes),
            Descriptor::Unix(stream) => (&*stream).write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Descriptor::Tcp(stream) => (&*stream).write_vectored(pieces),
            Descriptor::Unix(stream) => (&*stream).write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
