//! The descriptor of a connection.

use super::input::Source;
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

impl Source for &Descriptor {
    // The standard library reads into memory that is not initialised, but only for its own types.
    fn append(&mut self, max: u64, to: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Descriptor::Tcp(stream) => stream.take(max).read_to_end(to),
            Descriptor::Unix(stream) => stream.take(max).read_to_end(to),
        }
    }

    // Other systems, and Unix sockets, cause an event for each byte whatever they are told.
    #[cfg(target_os = "linux")]
    fn wake_at(&mut self, bytes: usize) {
        let Descriptor::Tcp(stream) = self else {
            return;
        };
        // Far below the buffer, which is full earlier if segments are short: some versions of Linux
        // would never wake the reader then.
        let Ok(buffer) = socket2::SockRef::from(stream).recv_buffer_size() else {
            return;
        };
        let bytes = libc::c_int::try_from(bytes.min(buffer / 4)).unwrap_or(1);
        // SAFETY: the descriptor is open, and the system reads one int from the pointer. A failure
        // leaves the descriptor as it was, which costs events and loses nothing.
        unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVLOWAT,
                (&raw const bytes).cast(),
                size_of_val(&bytes) as libc::socklen_t,
            );
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
