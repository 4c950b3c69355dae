//! Detection of a dead other end by the system, for sockets of libzmq.

use super::Socket;
use crate::io::Error;
use crate::io::tcp::{MAX_PROBE_S, PROBES, SHORTEST_SILENCE};
use std::ffi::c_int;
use std::time::Duration;

impl Socket {
    /// Has the system end a tcp connection when sent data is not acknowledged for `patience`, and
    /// probe an idle one. The time is at least [`SHORTEST_SILENCE`], as at brokers: slower heartbeats of the
    /// broker are not known here, and a network may be interrupted for a moment.
    ///
    /// On Linux the time also counts while the other side accepts no data. Windows supports only
    /// the first half of this, others only the second.
    pub(in crate::io) fn limit_silence(&self, patience: Duration) -> Result<(), Error> {
        let patience = patience.max(SHORTEST_SILENCE);
        let ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
        let probe = (patience.as_secs() / PROBES as u64).min(MAX_PROBE_S) as c_int;
        self.limit_unacknowledged(ms)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, probe)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, probe)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, PROBES)
    }

    /// Has the system end a tcp connection when sent data is not acknowledged for this time.
    pub(super) fn limit_unacknowledged(&self, ms: c_int) -> Result<(), Error> {
        // libzmq takes a refusal for a failed attempt to connect, and leaves the descriptor open.
        #[cfg(windows)]
        if !windows::can_limit_unacknowledged() {
            return Ok(());
        }
        self.set(zmq_sys::ZMQ_TCP_MAXRT as c_int, ms)
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::{c_char, c_int};
    use std::net::{Ipv4Addr, TcpListener};
    use std::os::windows::io::{AsRawSocket, RawSocket};
    use std::sync::OnceLock;

    const IPPROTO_TCP: c_int = 6;
    const TCP_MAXRT: c_int = 5;

    #[link(name = "ws2_32")]
    unsafe extern "system" {
        fn setsockopt(
            socket: RawSocket,
            level: c_int,
            name: c_int,
            value: *const c_char,
            length: c_int,
        ) -> c_int;
    }

    /// Whether the system has the option: Windows has, wine 8.0 has not.
    pub(super) fn can_limit_unacknowledged() -> bool {
        static CAN: OnceLock<bool> = OnceLock::new();
        *CAN.get_or_init(|| {
            let Ok(socket) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else {
                return true;
            };
            let seconds: c_int = 10;
            let value = (&raw const seconds).cast();
            let length = size_of::<c_int>() as c_int;
            // SAFETY: the socket is open, and the value has this length; both outlive the call.
            let rc = unsafe {
                setsockopt(
                    socket.as_raw_socket(),
                    IPPROTO_TCP,
                    TCP_MAXRT,
                    value,
                    length,
                )
            };
            rc == 0
        })
    }
}
