//! One libzmq socket, owned by one driver.

mod address;
mod keepalive;
mod security;
mod transfer;

pub(super) use address::Bound;

use super::Error;
use super::context::Context;
use super::random::jittered;
use super::readiness::Readiness;
use super::sent::LINGER;
use super::tcp::{KEEPALIVE, LISTEN_BACKLOG};
use crate::proto::link::Attempts;
use crate::wire::sizes::frame_of;
use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

/// The maximum number of messages in libzmq for each peer.
pub(super) const HIGH_WATER: i32 = 1000;

/// A ROUTER, a DEALER or an end of a monitor, closed on drop.
pub(super) struct Socket {
    raw: *mut c_void,
    readiness: Option<Arc<Readiness>>,
    /// Released after the socket is closed. `None` for the authenticator, whose socket ends with
    /// the context, which waits for it.
    context: Option<Arc<Context>>,
}

// SAFETY: libzmq allows a socket to move between threads with a full fence, which every way of
// moving a value to another thread contains.
unsafe impl Send for Socket {}

impl Socket {
    /// Makes a ROUTER that reports undeliverable messages, that hands the identity of a returning
    /// peer over from its dead connection, and that reports a broken connection by `gone`, a frame
    /// that appears to come from the peer.
    pub(super) fn router(gone: &[u8]) -> Result<Self, Error> {
        let socket = Socket::new(zmq_sys::ZMQ_ROUTER as c_int)?;
        socket.set(zmq_sys::ZMQ_ROUTER_MANDATORY as c_int, 1)?;
        socket.set(zmq_sys::ZMQ_ROUTER_HANDOVER as c_int, 1)?;
        socket.set(zmq_sys::ZMQ_BACKLOG as c_int, LISTEN_BACKLOG)?;
        socket.set(zmq_sys::ZMQ_SNDHWM as c_int, HIGH_WATER)?;
        let [idle, interval, count] = KEEPALIVE;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, idle)?;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, interval)?;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, count)?;
        socket.set_bytes(zmq_sys::ZMQ_DISCONNECT_MSG as c_int, gone)?;
        Ok(socket)
    }

    /// Makes a DEALER that reports a broken connection by `gone`, a frame that appears to come from
    /// the peer, after all messages of the peer.
    ///
    /// ZMQ_IMMEDIATE would report both ends of a connection by writability, but it discards
    /// received, unread messages when the connection breaks.
    pub(super) fn dealer(identity: &[u8], gone: &[u8]) -> Result<Self, Error> {
        let socket = Socket::new(zmq_sys::ZMQ_DEALER as c_int)?;
        if !identity.is_empty() {
            socket.set_bytes(zmq_sys::ZMQ_ROUTING_ID as c_int, identity)?;
        }
        socket.set_bytes(zmq_sys::ZMQ_HICCUP_MSG as c_int, gone)?;
        Ok(socket)
    }

    /// Limits the duration of an attempt to connect, and of a handshake. The system's default for the
    /// former is minutes with growing intervals, which detects a host that comes back late.
    pub(super) fn limit_attempts(&self, ms: c_int) -> Result<(), Error> {
        self.set(zmq_sys::ZMQ_CONNECT_TIMEOUT as c_int, ms)?;
        self.limit_handshakes(ms)
    }

    /// Sets the pauses between attempts to connect, which grow. They have no jitter, so their maximum
    /// differs from socket to socket.
    pub(super) fn set_reconnect_pauses(
        &self,
        attempts: &Attempts,
        is_patient: bool,
    ) -> Result<(), Error> {
        let (short, long) = attempts.longest_of_each();
        let (first, longest) = match is_patient {
            true => (short, long),
            false => (attempts.first(), short),
        };
        let ms = |pause: Duration| {
            c_int::try_from(pause.as_millis())
                .unwrap_or(c_int::MAX)
                .max(1)
        };
        self.set(zmq_sys::ZMQ_RECONNECT_IVL as c_int, ms(first))?;
        self.set(
            zmq_sys::ZMQ_RECONNECT_IVL_MAX as c_int,
            ms(jittered(longest).max(first)),
        )
    }

    /// Makes one end of a monitor.
    pub(super) fn pair() -> Result<Self, Error> {
        Socket::new(zmq_sys::ZMQ_PAIR as c_int)
    }

    /// Makes the socket of the authenticator: a ROUTER, because replies are sent in any order. The context waits for
    /// this socket before it ends.
    pub(super) fn zap_handler(context: &Context) -> Result<Self, Error> {
        Socket::in_context(context, None, zmq_sys::ZMQ_ROUTER as c_int)
    }

    fn new(kind: c_int) -> Result<Self, Error> {
        let context = Context::acquire()?;
        Socket::in_context(&context, Some(context.clone()), kind)
    }

    fn in_context(
        context: &Context,
        share: Option<Arc<Context>>,
        kind: c_int,
    ) -> Result<Self, Error> {
        // SAFETY: the context is alive, and its termination waits for the socket; null is checked.
        let raw = unsafe { zmq_sys::zmq_socket(context.as_ptr(), kind) };
        if raw.is_null() {
            return Err(Error::last("cannot create a socket"));
        }
        let mut socket = Socket {
            raw,
            readiness: None,
            context: share,
        };
        // No high water marks: the machines limit what has to be limited and can report it, whereas
        // libzmq drops or blocks at a mark. A mandatory ROUTER gets one elsewhere.
        socket.set(zmq_sys::ZMQ_SNDHWM as c_int, 0)?;
        socket.set(zmq_sys::ZMQ_RCVHWM as c_int, 0)?;
        socket.set(zmq_sys::ZMQ_LINGER as c_int, LINGER.as_millis() as c_int)?;
        socket.readiness = Some(Arc::new(Readiness::new(socket.descriptor()?)?));
        Ok(socket)
    }

    /// Sets the maximum size of a frame for a body of `body` bytes. libzmq ends a connection that
    /// announces a larger one before it allocates memory. Applies to later binds and connects.
    pub(super) fn limit_frames(&self, body: u64) -> Result<(), Error> {
        let frame = i64::try_from(frame_of(body)).unwrap_or(i64::MAX);
        self.set_bytes(zmq_sys::ZMQ_MAXMSGSIZE as c_int, &frame.to_ne_bytes())
    }

    /// Has libzmq bind a PAIR to `address` and report events there.
    pub(super) fn report_events(&self, address: &str, events: u64) -> Result<(), Error> {
        /// The version of reports that contain both ends of a connection.
        const VERSION: c_int = 2;
        let address = CString::new(address).unwrap_or_default();
        let (address, kind) = (address.as_ptr(), zmq_sys::ZMQ_PAIR as c_int);
        // SAFETY: the socket is open, the string ends in NUL.
        let rc = unsafe {
            zmq_sys::zmq_socket_monitor_versioned(self.raw, address, events, VERSION, kind)
        };
        match rc {
            0 => Ok(()),
            _ => Err(Error::last("cannot watch a socket")),
        }
    }

    /// Ends the reports.
    pub(super) fn stop_reporting(&self) {
        // SAFETY: the socket is open; null stands for no address.
        unsafe { zmq_sys::zmq_socket_monitor(self.raw, std::ptr::null(), 0) };
    }

    /// Closes the socket and discards unsent messages: they were for a peer that is gone, and must
    /// not reach its successor.
    pub(super) fn abandon(self) {
        // A failure has no remedy and no consequence.
        let _ = self.set(zmq_sys::ZMQ_LINGER as c_int, 0);
    }

    /// Whether a message can be received, and whether one can be sent. The call makes libzmq read
    /// its mailbox, and re-arms [`ready`](Self::ready).
    pub(super) fn events(&self) -> Result<(bool, bool), Error> {
        let mut events = [0u8; size_of::<c_int>()];
        self.get(zmq_sys::ZMQ_EVENTS as c_int, &mut events)?;
        let events = c_int::from_ne_bytes(events);
        Ok((
            events & zmq_sys::ZMQ_POLLIN as c_int != 0,
            events & zmq_sys::ZMQ_POLLOUT as c_int != 0,
        ))
    }

    /// Waits until libzmq has news; [`events`](Self::events) tells which. The wait is
    /// edge-triggered: the caller must have seen from `events` before that there is nothing to
    /// receive.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        match &self.readiness {
            Some(readiness) => readiness.wait().await,
            None => std::future::pending().await,
        }
    }

    /// The means to wait as [`ready`](Self::ready) does while another thread has the socket. It must
    /// be dropped before the socket is closed.
    pub(super) fn readiness(&self) -> Option<Arc<Readiness>> {
        self.readiness.clone()
    }

    pub(super) fn descriptor(&self) -> Result<zmq_sys::RawFd, Error> {
        let mut fd = [0u8; size_of::<zmq_sys::RawFd>()];
        self.get(zmq_sys::ZMQ_FD as c_int, &mut fd)?;
        Ok(zmq_sys::RawFd::from_ne_bytes(fd))
    }

    fn set(&self, option: c_int, value: c_int) -> Result<(), Error> {
        self.set_bytes(option, &value.to_ne_bytes())
    }

    fn set_bytes(&self, option: c_int, value: &[u8]) -> Result<(), Error> {
        // SAFETY: the socket is open; libzmq copies the value.
        let rc = unsafe {
            zmq_sys::zmq_setsockopt(self.raw, option, value.as_ptr().cast(), value.len())
        };
        match rc {
            0 => Ok(()),
            _ => Err(Error::last(&format!("cannot set socket option {option}"))),
        }
    }

    fn get(&self, option: c_int, value: &mut [u8]) -> Result<(), Error> {
        let mut len = value.len();
        // SAFETY: the socket is open; libzmq writes at most `len` bytes.
        let rc = unsafe {
            zmq_sys::zmq_getsockopt(self.raw, option, value.as_mut_ptr().cast(), &mut len)
        };
        match rc {
            0 => Ok(()),
            _ => Err(Error::last(&format!("cannot get socket option {option}"))),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The descriptor belongs to libzmq: the wait must end before the socket closes it.
        if let Some(readiness) = self.readiness.take() {
            debug_assert_eq!(
                Arc::strong_count(&readiness),
                1,
                "a wait outlives its socket"
            );
        }
        // SAFETY: the socket is open and not used afterwards.
        unsafe { zmq_sys::zmq_close(self.raw) };
    }
}
