//! libzmq's reports about a socket's connections and listeners.

use super::socket::Socket;
use super::{Error, Message};
use std::sync::atomic::{AtomicU64, Ordering};

/// The kind of the reports.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watch {
    /// Of a connecting socket: the connection is made, or ready, or an attempt or a handshake has failed.
    Connecting,
    /// Of a bound socket: its connections from beginning to end.
    Connections,
    /// A listener is closed, and its address is free.
    ListenerClosed,
}

impl Watch {
    fn events(self) -> u64 {
        let events = match self {
            Watch::Connecting => {
                zmq_sys::ZMQ_EVENT_CONNECTED
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                    | zmq_sys::ZMQ_EVENT_CONNECT_RETRIED
            }
            Watch::Connections => {
                zmq_sys::ZMQ_EVENT_ACCEPTED
                    | zmq_sys::ZMQ_EVENT_ACCEPT_FAILED
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                    | zmq_sys::ZMQ_EVENT_DISCONNECTED
            }
            Watch::ListenerClosed => zmq_sys::ZMQ_EVENT_CLOSED,
        };
        events.into()
    }
}

/// One report.
#[derive(Debug)]
pub(super) struct Report {
    /// One of `ZMQ_EVENT_…`.
    pub(super) event: u32,
    /// A descriptor, an errno or a status, depending on the event.
    pub(super) value: u64,
    /// The remote end of the connection, as `tcp://address:port`; `ipc://` without a path over ipc.
    pub(super) remote: String,
}

/// A reader of the reports of one kind, in order.
pub(super) struct Monitor {
    pair: Socket,
}

impl Monitor {
    /// Starts the reports of `socket`.
    pub(super) fn new(socket: &Socket, watch: Watch) -> Result<Self, Error> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let address = format!("inproc://omdp-monitor-{serial}");
        let pair = Socket::pair()?;
        socket.report_events(&address, watch.events())?;
        if let Err(error) = pair.attach(&address) {
            socket.stop_reporting();
            return Err(error);
        }
        Ok(Monitor { pair })
    }

    /// Ends the reports, then drops their reader. The order matters: libzmq's I/O thread, and with
    /// it every socket of the process, waits until a reader takes a report.
    pub(super) fn end(self, socket: &Socket) {
        socket.stop_reporting();
        drop(self);
    }

    /// Takes the next report.
    pub(super) fn next(&self) -> Option<Report> {
        // The frames are the event, the number of its values, the values, and the two ends.
        let mut frames: Vec<Message> = Vec::new();
        self.pair.receive(&mut frames).ok()?;
        let number = |frame: &Message| Some(u64::from_ne_bytes((**frame).try_into().ok()?));
        let event = number(frames.first()?)?;
        let value = number(frames.get(2)?)?;
        let remote = String::from_utf8_lossy(frames.last()?).into_owned();
        Some(Report {
            event: u32::try_from(event).ok()?,
            value,
            remote,
        })
    }

    /// Whether a report is waiting.
    pub(super) fn has_more(&self) -> bool {
        self.pair.events().is_ok_and(|(readable, _)| readable)
    }

    /// Waits for the next report, after [`has_more`](Self::has_more) was false.
    pub(super) async fn news(&self) -> Result<(), Error> {
        self.pair.ready().await
    }

    /// Waits until [`next`](Self::next) may have a report.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        if self.pair.events()?.0 {
            return Ok(());
        }
        self.pair.ready().await
    }
}
