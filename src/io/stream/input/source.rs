//! Where the bytes of a connection come from.

use crate::io::descriptor::Descriptor;
use std::io::{self, Read};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;

/// A source of bytes.
pub(in crate::io) trait Source: Read {
    /// Appends up to `max` bytes, and fewer only at the end or with an error.
    fn append(&mut self, max: u64, to: &mut Vec<u8>) -> io::Result<usize> {
        self.take(max).read_to_end(to)
    }

    /// Sets the number of received bytes that cause an event. Without this call each byte does. The end
    /// always causes one.
    fn wake_at(&mut self, _bytes: usize) {}
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
