//! One libzmq socket in the hands of one driver.

use super::context::Context;
use super::monitor::{Event, Monitor};
use super::outbound::HIGH_WATER;
use super::raw::Raw;
use super::readiness::Readiness;
use super::security::{ClientSecurity, Key, ServerSecurity};
use super::{Error, Message};
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use zmq_sys::errno;

/// How long a closed socket may try to hand what was sent to peers that are connected. Long enough
/// for a goodbye, short enough for a process that is to end within a second.
const LINGER_MS: c_int = 400;

/// How long closing a listener may take. It is done by a thread that has nothing else to do.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// After how many seconds without an answer the system gives a connection up.
const DEAD_S: c_int = 10;

/// How long a connection may take to be made. The system's own patience is minutes, in which it asks
/// ever more rarely, and so finds a host that comes back late.
const CONNECT_MS: c_int = DEAD_S * 1000;

/// In how many parts of its patience a client's kernel asks whether the broker's host is there.
const PROBES: c_int = 3;

/// The longest interval of keep-alive probes that every system takes, in seconds.
const MAX_PROBE_S: u64 = 7200;

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

/// What became of a message that was to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is in libzmq's hands.
    Yes,
    /// There is a connection, and it takes no more for now.
    Full,
    /// There is no connection to take it.
    NoPeer,
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

    /// Lets nobody in but whom the authenticator lets in, under this domain.
    pub(super) fn secure_server(
        &self,
        security: &ServerSecurity,
        domain: &str,
    ) -> Result<(), Error> {
        // Without a handler nobody is let in, rather than everybody.
        self.set_bytes(zmq_sys::ZMQ_ZAP_DOMAIN as c_int, domain.as_bytes())?;
        self.set(zmq_sys::ZMQ_ZAP_ENFORCE_DOMAIN as c_int, 1)?;
        // An identity belongs to whoever holds it until its connection has ended: libzmq hands it
        // over without asking who wants it. A connection that is dead and does not know it must
        // not hold it for long.
        self.set(zmq_sys::ZMQ_ROUTER_HANDOVER as c_int, 0)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, DEAD_S)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, DEAD_S)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_MAXRT as c_int, DEAD_S * 1000)?;
        match security {
            ServerSecurity::Curve { secret } => {
                self.set(zmq_sys::ZMQ_CURVE_SERVER as c_int, 1)?;
                self.set_key(zmq_sys::ZMQ_CURVE_SECRETKEY, secret)
            }
            ServerSecurity::Plain => self.set(zmq_sys::ZMQ_PLAIN_SERVER as c_int, 1),
        }
    }

    /// How this socket proves who it is.
    pub(super) fn secure_client(&self, security: &ClientSecurity) -> Result<(), Error> {
        match security {
            ClientSecurity::Null => Ok(()),
            ClientSecurity::Curve {
                server,
                public,
                secret,
            } => {
                self.set_key(zmq_sys::ZMQ_CURVE_SERVERKEY, server)?;
                self.set_key(zmq_sys::ZMQ_CURVE_PUBLICKEY, public)?;
                self.set_key(zmq_sys::ZMQ_CURVE_SECRETKEY, secret)
            }
            ClientSecurity::Plain { username, password } => {
                self.set_bytes(zmq_sys::ZMQ_PLAIN_USERNAME as c_int, username.as_bytes())?;
                self.set_bytes(zmq_sys::ZMQ_PLAIN_PASSWORD as c_int, password.as_bytes())
            }
        }
    }

    /// Has the system give a tcp connection up when nothing that was sent is acknowledged for
    /// `patience`, and ask for an acknowledgement where nothing is sent. Not before it does where
    /// it decides itself: it can't know of a broker whose heart beats more slowly, and a network
    /// may be away for a moment.
    ///
    /// Linux counts the time for which the other side takes nothing, too. Windows knows the first
    /// half of this alone, others the second.
    pub(super) fn limit_silence(&self, patience: Duration) -> Result<(), Error> {
        let patience = patience.max(Duration::from_secs(DEAD_S as u64));
        let ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
        let probe = (patience.as_secs() / PROBES as u64).min(MAX_PROBE_S) as c_int;
        self.set(zmq_sys::ZMQ_TCP_MAXRT as c_int, ms)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, probe)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, probe)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, PROBES)
    }

    /// How long a handshake may take.
    pub(super) fn limit_handshakes(&self, ms: c_int) -> Result<(), Error> {
        self.set(zmq_sys::ZMQ_HANDSHAKE_IVL as c_int, ms)
    }

    fn set_key(&self, option: u32, key: &Key) -> Result<(), Error> {
        self.set_bytes(option as c_int, &key.0)
    }

    pub(super) fn bind(&self, endpoint: &str) -> Result<(), Error> {
        let doing = || format!("cannot bind {endpoint}");
        check_port(endpoint, &doing())?;
        refuse_served_path(endpoint)?;
        self.allow_ipv6(endpoint)?;
        let address =
            CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL, &doing()))?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_bind(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(&doing())),
        }
    }

    pub(super) fn connect(&self, endpoint: &str) -> Result<(), Error> {
        let doing = || format!("cannot connect to {endpoint}");
        check_port(endpoint, &doing())?;
        self.allow_ipv6(endpoint)?;
        let address =
            CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL, &doing()))?;
        if let Some(context) = &self.context
            && endpoint.starts_with("inproc:")
        {
            context.will_connect(&address)?;
        }
        self.attach(endpoint)
    }

    /// Connects to an address of which it is known that it is bound, or no inproc one.
    pub(super) fn attach(&self, endpoint: &str) -> Result<(), Error> {
        let doing = || format!("cannot connect to {endpoint}");
        let address =
            CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL, &doing()))?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_connect(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(&doing())),
        }
    }

    /// Closes what was bound and waits until the addresses are free: libzmq does it in a thread of
    /// its own, and whoever stops a broker may bind its address again at once.
    pub(super) async fn close_listeners(&self, bound: &[String]) -> Result<(), Error> {
        let closed = Monitor::new(self, Event::ListenerClosed)?;
        let result = self.unbind_all(bound, &closed).await;
        closed.end(self);
        result
    }

    async fn unbind_all(&self, bound: &[String], closed: &Monitor) -> Result<(), Error> {
        for endpoint in bound {
            let address = CString::new(endpoint.as_str()).unwrap_or_default();
            // SAFETY: the socket is open, the string ends in NUL.
            let rc = unsafe { zmq_sys::zmq_unbind(self.raw, address.as_ptr()) };
            // Over inproc it is done with the call, and nothing is reported.
            if rc == 0 && !endpoint.starts_with("inproc:") {
                let closed = async {
                    while !closed.take() {
                        closed.ready().await?;
                    }
                    Ok(())
                };
                match timeout(CLOSE_PATIENCE, closed).await {
                    Ok(result) => result?,
                    // An address that stays taken is found out by whoever binds it next.
                    Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Has libzmq bind a PAIR of its own to `address`, and report events there.
    pub(super) fn report_events(&self, address: &str, events: c_int) -> Result<(), Error> {
        let address = CString::new(address).unwrap_or_default();
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_socket_monitor(self.raw, address.as_ptr(), events) } {
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

    /// Where the last bind really is: with the port that a `*` became.
    pub(super) fn last_endpoint(&self) -> Result<String, Error> {
        let mut text = [0u8; 1024];
        self.get(zmq_sys::ZMQ_LAST_ENDPOINT as c_int, &mut text)?;
        let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
        Ok(text.to_string_lossy().into_owned())
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

    /// Receives the frames of one message into `frames`, which is empty if there is none.
    pub(super) fn receive(&self, frames: &mut Vec<Message>) -> Result<(), Error> {
        let mut raw = Raw::new();
        let mut more = self.receive_frame(&mut raw)?;
        while let Some(follows) = more {
            frames.push(Message::take(&mut raw));
            more = match follows {
                true => self.receive_frame(&mut raw)?,
                false => None,
            };
        }
        Ok(())
    }

    /// Receives one frame, and tells whether another one of the same message follows; `None` if there is nothing.
    pub(super) fn receive_frame(&self, raw: &mut Raw) -> Result<Option<bool>, Error> {
        let flags = zmq_sys::ZMQ_DONTWAIT as c_int;
        // SAFETY: the socket is open, the message initialised.
        while unsafe { zmq_sys::zmq_msg_recv(raw.as_raw(), self.raw, flags) } == -1 {
            // SAFETY: reads a thread-local number.
            match unsafe { zmq_sys::zmq_errno() } {
                // Between two frames libzmq has the rest already, so this is the beginning.
                errno::EAGAIN => return Ok(None),
                errno::EINTR => {}
                other => return Err(Error::from_errno(other, "cannot receive")),
            }
        }
        Ok(Some(raw.more()))
    }

    /// Sends one message; `frames` is empty afterwards if it was taken, and as it was if not.
    pub(super) fn send(&self, frames: &mut Vec<Message>) -> Result<Sent, Error> {
        self.send_prepared(frames, |_| {})
    }

    /// The same; `prepare` may change each frame but the first once that was taken, and so all are.
    pub(super) fn send_prepared(
        &self,
        frames: &mut Vec<Message>,
        mut prepare: impl FnMut(&mut Message),
    ) -> Result<Sent, Error> {
        let last = frames.len().saturating_sub(1);
        let mut place = Raw::new();
        for (i, frame) in frames.iter_mut().enumerate() {
            if i > 0 {
                prepare(frame);
            }
            match self.send_frame(frame.for_libzmq(&mut place), i < last)? {
                Sent::Yes => {}
                trouble => return Ok(trouble),
            }
        }
        frames.clear();
        Ok(Sent::Yes)
    }

    /// Only the first frame of a message may not be taken; the others go where it went.
    fn send_frame(&self, raw: &mut Raw, more: bool) -> Result<Sent, Error> {
        let more = if more { zmq_sys::ZMQ_SNDMORE } else { 0 };
        let flags = (zmq_sys::ZMQ_DONTWAIT | more) as c_int;
        // SAFETY: the socket is open, the message initialised; a sent message is left empty.
        while unsafe { zmq_sys::zmq_msg_send(raw.as_raw(), self.raw, flags) } == -1 {
            // SAFETY: reads a thread-local number.
            match unsafe { zmq_sys::zmq_errno() } {
                errno::EINTR => {}
                errno::EAGAIN => return Ok(Sent::Full),
                errno::EHOSTUNREACH => return Ok(Sent::NoPeer),
                other => return Err(Error::from_errno(other, "cannot send")),
            }
        }
        Ok(Sent::Yes)
    }

    /// An address in brackets is IPv6, which libzmq refuses unless told; with it allowed a plain
    /// name would resolve to IPv6 first, so it is left alone otherwise.
    fn allow_ipv6(&self, endpoint: &str) -> Result<(), Error> {
        if endpoint.starts_with("tcp://[") {
            self.set(zmq_sys::ZMQ_IPV6 as c_int, 1)?;
        }
        Ok(())
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

/// libzmq would cut a port to 16 bits, and bind or connect somewhere else.
fn check_port(endpoint: &str, doing: &str) -> Result<(), Error> {
    let port = endpoint
        .strip_prefix("tcp://")
        .and_then(|address| address.rsplit_once(':'))
        .map(|(_, port)| port);
    match port {
        Some(port) if port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_err() => {
            Err(Error::from_errno(errno::EINVAL, doing))
        }
        _ => Ok(()),
    }
}

/// libzmq removes the file of an ipc endpoint before it binds, and so would take the endpoint from
/// a broker that lives. One that accepts a connection does.
#[cfg(unix)]
fn refuse_served_path(endpoint: &str) -> Result<(), Error> {
    let served = endpoint
        .strip_prefix("ipc://")
        .filter(|path| !path.starts_with(['@', '*']))
        .is_some_and(|path| std::os::unix::net::UnixStream::connect(path).is_ok());
    if served {
        let doing = format!("cannot bind {endpoint}");
        return Err(Error::from_errno(errno::EADDRINUSE, &doing));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_served_path(_endpoint: &str) -> Result<(), Error> {
    Ok(())
}
