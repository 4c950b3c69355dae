//! Access to a connection's descriptor, which belongs to libzmq.
//!
//! libzmq reports the number of a descriptor when it accepts a connection, and closes it at any
//! time on a thread of its own. The number may then belong to any other file of this process. All
//! operations therefore use a copy of the descriptor, after a check whose connection the copy is:
//! the copy cannot change any more.

use std::fs::File;
use std::io;

#[cfg(not(unix))]
pub(super) use elsewhere::DescriptorCopy;
#[cfg(unix)]
pub(super) use unix::DescriptorCopy;

/// Opens a file without content.
pub(super) fn nothing() -> io::Result<File> {
    File::open("/dev/null")
}

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::io::connections::Fd;
    use std::mem::ManuallyDrop;
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::os::unix::net::UnixStream;

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
}

/// The handles of Windows cannot be copied here.
#[cfg(not(unix))]
mod elsewhere {
    use super::io;
    use crate::io::connections::Fd;

    pub(in crate::io) struct DescriptorCopy;

    impl DescriptorCopy {
        pub(in crate::io) fn new() -> io::Result<Self> {
            Ok(DescriptorCopy)
        }

        pub(in crate::io) fn end(&mut self, _fd: Fd, _serial: u32, _remote: &str) -> bool {
            false
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::io::clock;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

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
        far.write_all(&[0]).unwrap();
        drop(near);
        let until = clock::now() + Duration::from_secs(10);
        while far.peer_addr().is_ok() {
            assert!(clock::now() < until, "no reset");
            std::thread::yield_now();
        }
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
    fn no_copy_is_left() {
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
