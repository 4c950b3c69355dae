//! What libzmq tells of a socket's connections and listeners, one kind of event at a time.

use super::socket::Socket;
use super::{Error, Message};
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

/// What can be waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A connection is ready to carry messages, or its handshake failed.
    Connected,
    /// A handshake failed for another reason than that the authenticator refused.
    HandshakeFailed,
    /// A listener is closed, and its address free.
    ListenerClosed,
}

/// Events of one kind, in order.
pub(super) struct Monitor {
    pair: Socket,
}

impl Monitor {
    /// Watches `socket` from now on.
    pub(super) fn new(socket: &Socket, event: Event) -> Result<Self, Error> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let address = format!("inproc://omdp-monitor-{serial}");
        let event = match event {
            Event::Connected => {
                zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
            }
            Event::HandshakeFailed => {
                zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                    | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
            }
            Event::ListenerClosed => zmq_sys::ZMQ_EVENT_CLOSED,
        };
        let pair = Socket::pair()?;
        socket.report_events(&address, event as c_int)?;
        if let Err(error) = pair.attach(&address) {
            socket.stop_reporting();
            return Err(error);
        }
        Ok(Monitor { pair })
    }

    /// Ends the watch. First the reports, then their reader: libzmq's I/O thread waits for a reader
    /// to take a report, and with it every socket of the process.
    pub(super) fn end(self, socket: &Socket) {
        socket.stop_reporting();
        drop(self);
    }

    /// Whether an event has come, which is taken.
    pub(super) fn take(&self) -> bool {
        self.next().is_some()
    }

    /// The next event that has come: its number, and its value.
    pub(super) fn next(&self) -> Option<(u32, u32)> {
        // Two frames: what happened, with 16 and 32 bits, and where.
        let mut frames: Vec<Message> = Vec::new();
        self.pair.receive(&mut frames).ok()?;
        let (event, value) = frames.first()?.split_first_chunk()?;
        let (value, _) = value.split_first_chunk()?;
        Some((
            u16::from_ne_bytes(*event).into(),
            u32::from_ne_bytes(*value),
        ))
    }

    /// Waits until [`take`](Self::take) may have something.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        if self.pair.events()?.0 {
            return Ok(());
        }
        self.pair.ready().await
    }
}
