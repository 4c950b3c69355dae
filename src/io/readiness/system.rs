//! The system's call that waits for one of many descriptors: WSAPoll on Windows, and poll elsewhere, for the tests.

#[cfg(unix)]
pub(super) use unix::{Item, descriptor, has_news, item, poll};
#[cfg(windows)]
pub(super) use windows::{Item, descriptor, has_news, item, poll};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::time::Duration;
    use zmq_sys::RawFd;

    pub(in crate::io::readiness) type Item = libc::pollfd;

    pub(in crate::io::readiness) fn descriptor(socket: &UdpSocket) -> RawFd {
        socket.as_raw_fd()
    }

    pub(in crate::io::readiness) fn item(fd: RawFd) -> Item {
        libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        }
    }

    pub(in crate::io::readiness) fn has_news(item: &Item) -> bool {
        item.revents != 0
    }

    pub(in crate::io::readiness) fn poll(items: &mut [Item], most: Duration) -> io::Result<()> {
        let most = i32::try_from(most.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `items` has this length and outlives the call.
        let rc = unsafe { libc::poll(items.as_mut_ptr(), items.len() as libc::nfds_t, most) };
        match rc {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::{c_int, c_short, c_ulong};
    use std::io;
    use std::net::UdpSocket;
    use std::os::windows::io::AsRawSocket;
    use std::time::Duration;
    use zmq_sys::RawFd;

    /// `WSAPOLLFD` of winsock2.h.
    #[repr(C)]
    pub(in crate::io::readiness) struct Item {
        fd: RawFd,
        events: c_short,
        revents: c_short,
    }

    const POLLRDNORM: c_short = 0x0100;

    #[link(name = "ws2_32")]
    unsafe extern "system" {
        fn WSAPoll(items: *mut Item, count: c_ulong, timeout: c_int) -> c_int;
    }

    pub(in crate::io::readiness) fn descriptor(socket: &UdpSocket) -> RawFd {
        socket.as_raw_socket() as RawFd
    }

    pub(in crate::io::readiness) fn item(fd: RawFd) -> Item {
        Item {
            fd,
            events: POLLRDNORM,
            revents: 0,
        }
    }

    pub(in crate::io::readiness) fn has_news(item: &Item) -> bool {
        item.revents != 0
    }

    /// A closed descriptor is reported as POLLNVAL in its item, or as an error of the call if it is
    /// the only item.
    pub(in crate::io::readiness) fn poll(items: &mut [Item], most: Duration) -> io::Result<()> {
        let most = c_int::try_from(most.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: `items` has this length and outlives the call.
        let rc = unsafe { WSAPoll(items.as_mut_ptr(), items.len() as c_ulong, most) };
        match rc {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}
