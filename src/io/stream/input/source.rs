//! Where the bytes of a connection come from.

use crate::io::clock;
use crate::io::descriptor::Descriptor;
use crate::io::spin::cores;
use socket2::SockRef;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::time::Duration;

/// How often the processor pauses between two looks, for about a microsecond in all.
const PAUSES: u32 = 32;

/// A source of bytes.
pub(in crate::io) trait Source: Read {
    /// Appends up to `max` bytes. Returns how many; 0 at the end.
    fn append(&mut self, max: usize, to: &mut Vec<u8>) -> io::Result<usize> {
        let before = to.len();
        to.resize(before + max, 0);
        let result = self.read(&mut to[before..]);
        to.truncate(before + result.as_ref().map_or(0, |read| *read));
        result
    }

    /// Sets the number of received bytes that cause an event. Without this call each byte does. The end
    /// always causes one.
    fn wake_at(&mut self, _bytes: usize) {}

    /// Awaits this number of bytes without sleeping. Returns how long that has taken, or `None` if fewer came in the time.
    fn await_bytes(&mut self, _bytes: usize, _most: Duration) -> Option<Duration> {
        None
    }
}

impl Source for &Descriptor {
    fn append(&mut self, max: usize, to: &mut Vec<u8>) -> io::Result<usize> {
        let socket = match self {
            Descriptor::Tcp(stream) => SockRef::from(stream),
            Descriptor::Unix(stream) => SockRef::from(stream),
        };
        to.try_reserve_exact(max)
            .map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        let read = socket.recv(&mut to.spare_capacity_mut()[..max])?;
        // SAFETY: `recv` has initialised this number of bytes behind the end, and they are part of the capacity.
        unsafe { to.set_len(to.len() + read) };
        Ok(read)
    }

    fn await_bytes(&mut self, bytes: usize, most: Duration) -> Option<Duration> {
        if !has_cores() {
            return None;
        }
        let began = clock::now();
        loop {
            // Events wait for the number of bytes that `wake_at` has set, which may be larger.
            let is_there = self.readable()? >= bytes;
            let taken = clock::now().since(began);
            if is_there {
                return Some(taken);
            }
            if taken >= most {
                return None;
            }
            // Each look delays the sender, whose bytes come into the same cache lines.
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
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
        let Ok(buffer) = SockRef::from(stream).recv_buffer_size() else {
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

impl Descriptor {
    /// The number of bytes that can be read, if the system tells it.
    fn readable(&self) -> Option<usize> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the descriptor is open, and the system writes one int to the pointer.
        let result = unsafe { libc::ioctl(self.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
        (result == 0).then_some(usize::try_from(bytes).unwrap_or(0))
    }
}

/// Whether the sender may have a core of its own.
fn has_cores() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| cores() > 1)
}
