//! The counts that the addon's part of libzmq keeps for descriptors, where it counts: on Unix. Elsewhere all are 0.

/// The number of a descriptor, as libzmq reports it.
pub(in crate::io) type Fd = i64;

/// The number of bytes that libzmq has read from the latest connection with this descriptor. The parts of messages cost
/// more than their bytes there.
pub(in crate::io) fn received(fd: Fd) -> u64 {
    // SAFETY: any number may be asked for.
    unsafe { zmq_sys::zmq_sys_received(fd) }
}

/// A number that changes when bytes have reached the other side of this connection, on systems where it is known. It is
/// their number over tcp; over ipc, memory of the system is subtracted, which may be more than was sent.
pub(in crate::io) fn arrived(fd: Fd) -> u64 {
    #[cfg(unix)]
    let in_transit = crate::io::descriptor::in_transit(fd);
    #[cfg(not(unix))]
    let in_transit = 0;
    // SAFETY: as above.
    unsafe { zmq_sys::zmq_sys_sent(fd) }.wrapping_sub(in_transit)
}

/// A number that grows when a connection with this descriptor is reset, or given up by the system.
pub(super) fn resets(fd: Fd) -> u32 {
    // SAFETY: as above.
    unsafe { zmq_sys::zmq_sys_resets(fd) }
}

/// The part of the received bytes that belongs to a message which is not complete.
pub(in crate::io) fn unfinished(fd: Fd) -> u64 {
    // SAFETY: as above.
    unsafe { zmq_sys::zmq_sys_unfinished(fd) }
}

/// Why libzmq's part of the addon has ended a connection with this descriptor since the last call, if it has.
pub(super) fn was_cut(fd: Fd) -> Option<&'static str> {
    // SAFETY: as above.
    match unsafe { zmq_sys::zmq_sys_was_cut(fd) } {
        0 => None,
        1 => Some(super::TOO_MANY_FRAMES),
        _ => Some("too many bytes before the handshake"),
    }
}

/// Allows a connection an incomplete message of this size although all together have too much.
pub(super) fn allow(fd: Fd, bytes: u64) {
    // SAFETY: any number may be named.
    unsafe { zmq_sys::zmq_sys_allow(fd, bytes) };
}

/// Whether bytes of this connection wait because it is not allowed more.
pub(super) fn waits(fd: Fd) -> bool {
    // SAFETY: any number may be asked for.
    unsafe { zmq_sys::zmq_sys_waits(fd) != 0 }
}

/// The number of the latest connection among those with this descriptor.
pub(super) fn serial(fd: Fd) -> u32 {
    // SAFETY: as above.
    unsafe { zmq_sys::zmq_sys_serial(fd) }
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
        unsafe { zmq_sys::zmq_sys_add_room(bytes) };
    }

    /// Whether incomplete messages have this size.
    pub(super) fn is_used_up() -> bool {
        // SAFETY: it reads two numbers.
        unsafe { zmq_sys::zmq_sys_is_full() != 0 }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.add(-self.0);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
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
}
