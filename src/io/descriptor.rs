//! The descriptor of a connection without libzmq.

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
