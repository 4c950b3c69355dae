//! One libzmq socket in the hands of one driver.

mod address;
mod file;
mod security;
mod transfer;

pub(super) use address::Bound;
pub(super) use transfer::Sent;

use super::Error;
use super::context::Context;
use super::outbound::HIGH_WATER;
use super::readiness::Readiness;
use crate::wire::sizes::FRAME_RESERVE;
use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;

/// How long a closed socket may try to hand what was sent to peers that are connected. Long enough
/// for a goodbye, short enough for a process that is to end within a second.
const LINGER_MS: c_int = 400;

/// After how many seconds without an answer the system gives a connection up.
const DEAD_S: c_int = 10;

/// How long a connection may take to be made. The system's own patience is minutes, in which it asks
/// ever more rarely, and so finds a host that comes back late.
const CONNECT_MS: c_int = DEAD_S * 1000;

/// After how many silent seconds a broker's kernel asks whether the host at the other end is still
/// there, how many seconds it waits for each answer, and how often it asks. A client need not say
/// anything while it waits, for ever if it wants to; this alone tells that it has vanished.
const KEEPALIVE: [c_int; 3] = [60, 10, 6];

/// A ROUTER, a DEALER or an end of a monitor, closed on drop.
pub(super) struct Socket {
    raw: *mut c_void,
    readiness: Option<Readiness>,
    /// Not let go before the socket is closed. The authenticator has no share: its socket ends with
    /// the context, which waits for it.
    context: Option<Arc<Context>>,
}

impl Socket {
    /// A ROUTER that tells when a message can't be delivered, lets a peer that comes back take its
    /// identity over from its dead connection, and reports a broken connection by `gone`, a frame
    /// that looks as if the peer had sent it.
    pub(super) fn router(gone: &[u8]) -> Result<Self, Error> {
        let socket = Socket::new(zmq_sys::ZMQ_ROUTER as c_int)?;
        socket.set(zmq_sys::ZMQ_ROUTER_MANDATORY as c_int, 1)?;
        socket.set(zmq_sys::ZMQ_ROUTER_HANDOVER as c_int, 1)?;
        socket.set(zmq_sys::ZMQ_BACKLOG as c_int, 1024)?;
        socket.set(zmq_sys::ZMQ_SNDHWM as c_int, HIGH_WATER)?;
        let [idle, interval, count] = KEEPALIVE;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, idle)?;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, interval)?;
        socket.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, count)?;
        socket.set_bytes(zmq_sys::ZMQ_DISCONNECT_MSG as c_int, gone)?;
        Ok(socket)
    }

    /// A DEALER that reports a broken connection by `gone`, a frame that looks as if the peer had
    /// sent it, after all that the peer did send.
    ///
    /// Not with ZMQ_IMMEDIATE, which would tell both ends of a connection by what can be sent: when
    /// the connection breaks it throws away what was received and not read.
    pub(super) fn dealer(identity: &[u8], reconnect_ms: c_int, gone: &[u8]) -> Result<Self, Error> {
        let socket = Socket::new(zmq_sys::ZMQ_DEALER as c_int)?;
        if !identity.is_empty() {
            socket.set_bytes(zmq_sys::ZMQ_ROUTING_ID as c_int, identity)?;
        }
        socket.set(zmq_sys::ZMQ_RECONNECT_IVL as c_int, reconnect_ms)?;
        socket.set(zmq_sys::ZMQ_CONNECT_TIMEOUT as c_int, CONNECT_MS)?;
        socket.set_bytes(zmq_sys::ZMQ_HICCUP_MSG as c_int, gone)?;
        Ok(socket)
    }

    /// One end of a monitor.
    pub(super) fn pair() -> Result<Self, Error> {
        Socket::new(zmq_sys::ZMQ_PAIR as c_int)
    }

    /// The authenticator's: a ROUTER, because answers come in any order.
    ///
    /// # Safety
    ///
    /// The context is alive; from then on it waits for this socket before it ends.
    pub(super) unsafe fn zap_handler(context: *mut c_void) -> Result<Self, Error> {
        // SAFETY: as the caller says.
        unsafe { Socket::in_context(context, None, zmq_sys::ZMQ_ROUTER as c_int) }
    }

    fn new(kind: c_int) -> Result<Self, Error> {
        let context = Context::acquire()?;
        let raw = context.as_raw();
        // SAFETY: the socket holds the context.
        unsafe { Socket::in_context(raw, Some(context), kind) }
    }

    /// # Safety
    ///
    /// `raw` is a context that lives until the socket is closed.
    unsafe fn in_context(
        raw: *mut c_void,
        context: Option<Arc<Context>>,
        kind: c_int,
    ) -> Result<Self, Error> {
        // SAFETY: the context is alive; null is checked.
        let raw = unsafe { zmq_sys::zmq_socket(raw, kind) };
        if raw.is_null() {
            return Err(Error::last("cannot make a socket"));
        }
        let mut socket = Socket {
            raw,
            readiness: None,
            context,
        };
        // Without limits: what must be bounded is bounded by the machines, which can say so; at a
        // high water mark libzmq would drop or block. A ROUTER that says when it would has one.
        socket.set(zmq_sys::ZMQ_SNDHWM as c_int, 0)?;
        socket.set(zmq_sys::ZMQ_RCVHWM as c_int, 0)?;
        socket.set(zmq_sys::ZMQ_LINGER as c_int, LINGER_MS)?;
        socket.readiness = Some(Readiness::new(socket.descriptor()?)?);
        Ok(socket)
    }

    /// Has libzmq end a connection over which a frame for a body of more than `body` bytes is announced,
    /// before it makes room for it. Counts for whatever is bound or connected after this.
    pub(super) fn limit_frames(&self, body: u64) -> Result<(), Error> {
        let frame = i64::try_from(body.saturating_add(FRAME_RESERVE)).unwrap_or(i64::MAX);
        self.set_bytes(zmq_sys::ZMQ_MAXMSGSIZE as c_int, &frame.to_ne_bytes())
    }

    /// Has libzmq bind a PAIR of its own to `address`, and report events there.
    pub(super) fn report_events(&self, address: &str, events: u64) -> Result<(), Error> {
        /// The form of the reports that names both ends of a connection.
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

    /// Closes it without sending what is not sent yet: it was for a peer that is gone, and must not
    /// reach the one that takes its place.
    pub(super) fn abandon(self) {
        // Nothing can be done about a failure, and nothing depends on it.
        let _ = self.set(zmq_sys::ZMQ_LINGER as c_int, 0);
    }

    /// Whether there is something to receive, and whether there is a connection to send to. Asking
    /// is what makes libzmq look at its own mailbox, and re-arms [`readable`](Self::ready).
    pub(super) fn events(&self) -> Result<(bool, bool), Error> {
        let mut events = [0u8; size_of::<c_int>()];
        self.get(zmq_sys::ZMQ_EVENTS as c_int, &mut events)?;
        let events = c_int::from_ne_bytes(events);
        Ok((
            events & zmq_sys::ZMQ_POLLIN as c_int != 0,
            events & zmq_sys::ZMQ_POLLOUT as c_int != 0,
        ))
    }

    /// Waits until libzmq has news; [`events`](Self::events) tells which. It is edge-triggered:
    /// before waiting, the caller must have seen from `events` that there is nothing to receive.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        match &self.readiness {
            Some(readiness) => readiness.wait().await,
            None => std::future::pending().await,
        }
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
        // The descriptor is libzmq's: nobody may watch it any more when the socket closes it.
        self.readiness = None;
        // SAFETY: the socket is open, and nobody can use it after this.
        unsafe { zmq_sys::zmq_close(self.raw) };
    }
}
