//! What libzmq tells of a socket's connections and listeners, one kind of event at a time.

use super::socket::Socket;
use super::{Error, Message};
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

/// What can be waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A connection is ready to carry messages.
    Connected,
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
            Event::Connected => zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED,
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
        // Two frames: what happened, and where. There is only one kind to happen.
        let mut frames: Vec<Message> = Vec::new();
        self.pair.receive(&mut frames).is_ok() && !frames.is_empty()
    }

    /// Waits until [`take`](Self::take) may have something.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        if self.pair.events()?.0 {
            return Ok(());
        }
        self.pair.ready().await
    }
}
