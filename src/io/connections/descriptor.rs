//! Access to a connection's descriptor, which belongs to libzmq.
//!
//! libzmq reports the number of a descriptor when it accepts a connection, and closes it at any
//! time on a thread of its own. The number may then belong to any other file of this process. All
//! operations therefore use a copy of the descriptor, after a check whose connection the copy is:
//! the copy cannot change any more.

#[cfg(unix)]
pub(super) use unix::{DescriptorCopy, Reserve};

#[cfg(not(unix))]
pub(super) use elsewhere::{DescriptorCopy, Reserve};

/// The number of a descriptor, as libzmq reports it.
pub(in crate::io) type Fd = i64;

/// The number of bytes that libzmq has read from the latest connection with this descriptor, on systems where it is
/// counted. The parts of messages cost more than their bytes there.
pub(in crate::io) fn received(fd: Fd) -> u64 {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    return unsafe { zmq_sys::zmq_sys_received(fd) };
    #[cfg(not(unix))]
    return 0;
}

/// A number that changes when bytes have reached the other side of this connection, on systems where it is known. It is
/// their number over tcp; over ipc, memory of the system is subtracted, which may be more than was sent.
pub(in crate::io) fn arrived(fd: Fd) -> u64 {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    return unsafe { zmq_sys::zmq_sys_sent(fd) }
        .wrapping_sub(crate::io::descriptor::in_transit(fd));
    #[cfg(not(unix))]
    return 0;
}

/// A number that grows when a connection with this descriptor is reset, or given up by the system, where this is known.
pub(super) fn resets(fd: Fd) -> u32 {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    return unsafe { zmq_sys::zmq_sys_resets(fd) };
    #[cfg(not(unix))]
    return 0;
}

/// The part of the received bytes that belongs to a message which is not complete.
pub(in crate::io) fn unfinished(fd: Fd) -> u64 {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    return unsafe { zmq_sys::zmq_sys_unfinished(fd) };
    #[cfg(not(unix))]
    return 0;
}

/// Why libzmq's part of the addon has ended a connection with this descriptor since the last call, if it has.
pub(super) fn was_cut(fd: Fd) -> Option<&'static str> {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    let why = unsafe { zmq_sys::zmq_sys_was_cut(fd) };
    #[cfg(not(unix))]
    let why = fd * 0;
    match why {
        0 => None,
        1 => Some(super::TOO_MANY_FRAMES),
        _ => Some("too many bytes before the handshake"),
    }
}

/// Allows a connection an incomplete message of this size although all together have too much.
pub(super) fn allow(fd: Fd, bytes: u64) {
    // SAFETY: any number may be named.
    #[cfg(unix)]
    unsafe {
        zmq_sys::zmq_sys_allow(fd, bytes);
    }
    #[cfg(not(unix))]
    let _ = (fd, bytes);
}

/// Whether bytes of this connection wait because it is not allowed more.
pub(super) fn waits(fd: Fd) -> bool {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    return unsafe { zmq_sys::zmq_sys_waits(fd) != 0 };
    #[cfg(not(unix))]
    return fd < 0;
}

/// The number of the latest connection among those with this descriptor.
pub(super) fn serial(fd: Fd) -> u32 {
    // SAFETY: any number may be asked for.
    #[cfg(unix)]
    return unsafe { zmq_sys::zmq_sys_serial(fd) };
    #[cfg(not(unix))]
    return (fd * 0) as u32;
}

/// The size of incomplete messages up to which libzmq reads all connections. It belongs to the process, which rarely has
/// more than one broker with libzmq.
#[derive(Debug)]
pub(super) struct Room(i64);

/// A broker without limits takes no more part in it, so that it does not remove those of another one.
const MOST_OF_ROOM: u64 = 1 << 30;

impl Room {
    pub(super) fn new(bytes: u64) -> Self {
        let room = Room(bytes.clamp(1, MOST_OF_ROOM) as i64);
        room.add(room.0);
        room
    }

    fn add(&self, bytes: i64) {
        // SAFETY: the sum remains that of all that exist.
        #[cfg(unix)]
        unsafe {
            zmq_sys::zmq_sys_add_room(bytes);
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }

    /// Whether incomplete messages have this size.
    pub(super) fn is_used_up() -> bool {
        // SAFETY: it reads two numbers.
        #[cfg(unix)]
        return unsafe { zmq_sys::zmq_sys_is_full() != 0 };
        #[cfg(not(unix))]
        return false;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.add(-self.0);
    }
}

#[cfg(unix)]
mod unix {
    use super::Fd;
    use std::fs::File;
    use std::io;
    use std::mem::ManuallyDrop;
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::os::unix::net::UnixStream;

    /// Opens a file without content.
    fn nothing() -> io::Result<File> {
        File::open("/dev/null")
    }

    /// A reserved descriptor for one copy at a time, so that a connection can be ended even when no
    /// descriptor is left.
    pub(in crate::io) struct DescriptorCopy {
        descriptor: OwnedFd,
        empty: File,
    }

    impl DescriptorCopy {
        pub(in crate::io) fn new() -> io::Result<Self> {
            Ok(DescriptorCopy {
                descriptor: nothing()?.into(),
                empty: nothing()?,
            })
        }

        /// Shuts a connection down: libzmq reads the end and closes it, whatever waits. Returns false if it no
        /// longer exists. `serial` is its number among those with this descriptor.
        pub(in crate::io) fn end(&mut self, fd: Fd, serial: u32, remote: &str) -> bool {
            let end = |connection: &Connection| {
                // Before the end, after which another connection may have the descriptor.
                // SAFETY: any numbers may be named.
                unsafe { zmq_sys::zmq_sys_end(fd, serial) };
                match connection {
                    Connection::Tcp(stream) => stream.shutdown(Shutdown::Both).ok(),
                    Connection::Ipc(stream) => stream.shutdown(Shutdown::Both).ok(),
                    Connection::Reset => Some(()),
                }
            };
            self.with(fd, remote, end).is_some()
        }

        /// Calls `act` with the connection to `remote`, if the number still refers to it.
        fn with<T>(
            &mut self,
            fd: Fd,
            remote: &str,
            act: impl FnOnce(&Connection) -> Option<T>,
        ) -> Option<T> {
            let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)?;
            copy(fd, &self.descriptor).ok()?;
            let result =
                Connection::of(&self.descriptor, remote).and_then(|connection| act(&connection));
            // A remaining copy would keep the connection open after libzmq has closed it.
            let _ = copy(self.empty.as_raw_fd(), &self.descriptor);
            result
        }
    }

    /// Replaces the file of `to` by a copy of `from`.
    fn copy(from: RawFd, to: &OwnedFd) -> io::Result<()> {
        let to = to.as_raw_fd();
        // SAFETY: `to` is open and owned by this type. `from` may be any number: `dup3` refuses an
        // invalid one, and a copy of a valid one has no effect on it.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let rc = unsafe { libc::dup3(from, to, libc::O_CLOEXEC) };
        // SAFETY: as above.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let rc = unsafe {
            match libc::dup2(from, to) {
                -1 => -1,
                _ => libc::fcntl(to, libc::F_SETFD, libc::FD_CLOEXEC),
            }
        };
        match rc {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// A connection by its copied descriptor, which [`DescriptorCopy`] owns.
    enum Connection {
        Tcp(ManuallyDrop<TcpStream>),
        Ipc(ManuallyDrop<UnixStream>),
        /// A socket without another side. It may be another one than expected, so it is left alone.
        Reset,
    }

    impl Connection {
        fn of(descriptor: &OwnedFd, remote: &str) -> Option<Self> {
            let fd = descriptor.as_raw_fd();
            let Some(address) = remote.strip_prefix("tcp://") else {
                // SAFETY: the descriptor is open while it is borrowed, and
                // `ManuallyDrop` does not close it.
                let stream = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(fd) });
                // Ipc connections have no remote name; the check covers the kind of the socket
                // only.
                let is_ipc = stream.local_addr().is_ok_and(|local| !local.is_unnamed());
                return is_ipc.then_some(Connection::Ipc(stream));
            };
            let address: SocketAddr = address.parse().ok()?;
            // SAFETY: as above.
            let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
            match stream.peer_addr() {
                Ok(peer) => (peer == address).then_some(Connection::Tcp(stream)),
                Err(error) => {
                    let is_reset = error.kind() == io::ErrorKind::NotConnected;
                    is_reset.then_some(Connection::Reset)
                }
            }
        }
    }

    /// Reserved descriptors. Without a free one libzmq retries to accept a connection in a busy
    /// loop; with these released it accepts the connection, which can then be ended.
    #[derive(Debug, Default)]
    pub(in crate::io) struct Reserve(Vec<File>);

    impl Reserve {
        const SIZE: usize = 8;

        /// Opens missing descriptors, as far as possible.
        pub(in crate::io) fn fill(&mut self) {
            while self.0.len() < Reserve::SIZE {
                match nothing() {
                    Ok(file) => self.0.push(file),
                    Err(_) => return,
                }
            }
        }

        /// Releases all descriptors.
        pub(in crate::io) fn release(&mut self) {
            self.0.clear();
        }
    }
}

/// Windows has no practical limit of descriptors, and its handles cannot be copied here.
#[cfg(not(unix))]
mod elsewhere {
    use super::Fd;
    use std::io;

    pub(in crate::io) struct DescriptorCopy;

    impl DescriptorCopy {
        pub(in crate::io) fn new() -> io::Result<Self> {
            Ok(DescriptorCopy)
        }

        pub(in crate::io) fn end(&mut self, _fd: Fd, _serial: u32, _remote: &str) -> bool {
            false
        }
    }

    #[derive(Debug, Default)]
    pub(in crate::io) struct Reserve;

    impl Reserve {
        pub(in crate::io) fn fill(&mut self) {}
        pub(in crate::io) fn release(&mut self) {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn it_is_known_that_bytes_arrive_although_the_system_takes_more_memory_for_them() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let fd = i64::from(near.as_raw_fd());
        near.write_all(&[0; 10]).unwrap();
        let before = arrived(fd);
        far.read_exact(&mut [0; 10]).unwrap();
        assert_ne!(arrived(fd), before);
    }

    #[test]
    fn a_connection_is_ended_if_it_is_the_one_that_is_meant() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let fd = i64::from(far.as_raw_fd());
        let mut copy = DescriptorCopy::new().unwrap();
        let remote = format!("tcp://{}", near.local_addr().unwrap());
        for other in ["tcp://127.0.0.1:1", "tcp://", "ipc://"] {
            assert!(!copy.end(fd, 0, other), "{other}");
        }
        assert!(!copy.end(-1, 0, &remote));
        assert!(copy.end(fd, 0, &remote));
        assert_eq!(near.read(&mut [0; 1]).unwrap(), 0);
    }

    /// Without another side a connection has no address any more, but libzmq has to read its end.
    #[test]
    fn a_connection_that_was_reset_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let remote = format!("tcp://{}", near.local_addr().unwrap());
        // The system resets a connection that ends with unread bytes.
        std::io::Write::write_all(&mut far, &[0]).unwrap();
        drop(near);
        while far.read(&mut [0; 1]).is_ok_and(|bytes| bytes > 0) {}
        std::thread::sleep(std::time::Duration::from_millis(10));
        let mut copy = DescriptorCopy::new().unwrap();
        assert!(copy.end(far.as_raw_fd().into(), 0, &remote));
        // One that waits for connections is not ended.
        let waiting = listener.as_raw_fd().into();
        copy.end(waiting, 0, &remote);
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(listener.accept().is_ok());
    }

    /// The descriptor of a connection is open only at its owner.
    #[test]
    fn the_hand_is_empty_afterwards() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let mut copy = DescriptorCopy::new().unwrap();
        let remote = format!("tcp://{}", near.local_addr().unwrap());
        assert!(copy.end(far.as_raw_fd().into(), 0, &remote));
        drop(far);
        assert_eq!(near.read(&mut [0; 1]).unwrap(), 0);
    }
}
