//! Watches the descriptors of a broker by one queue of the system's events, which is itself one
//! descriptor of the reactor. So the cost of a turn depends on the number of events and not on the
//! number of connections, and a thread that spins asks the queue only.

use crate::io::Error;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// The maximum number of events in one look.
const EVENTS: usize = 512;

pub(super) struct Poller {
    poll: AsyncFd<Poll>,
    events: Events,
    /// Whether the queue may have events that were not looked at.
    has_news: Cell<bool>,
}

/// An event of a descriptor.
pub(super) struct PollEvent {
    pub(super) token: usize,
    /// There may be bytes, a connection, or an end.
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The other side has ended the connection; received bytes may still be unread.
    pub(super) ends: bool,
}

impl From<&Event> for PollEvent {
    fn from(event: &Event) -> Self {
        let ends = event.is_read_closed() || event.is_error();
        PollEvent {
            token: event.token().0,
            readable: event.is_readable() || ends,
            ends,
            writable: event.is_writable(),
        }
    }
}

impl Poller {
    /// Makes a queue in the present reactor.
    pub(super) fn new() -> Result<Self, Error> {
        let failed = |error: io::Error| Error::from_os(&error, "cannot watch connections");
        let poll = Poll::new().map_err(failed)?;
        let readable = tokio::io::Interest::READABLE;
        // SAFETY: the descriptor is part of the registration, and so open as long as that.
        let watched = unsafe { AsyncFd::register_with_interest(poll, readable) };
        Ok(Poller {
            poll: watched.map_err(|error| failed(error.into()))?,
            events: Events::with_capacity(EVENTS),
            has_news: Cell::new(true),
        })
    }

    /// Watches a listener. Each event is told once.
    pub(super) fn listen(&self, fd: &impl AsRawFd, token: usize) -> io::Result<()> {
        self.watch(fd, token, Interest::READABLE)
    }

    /// Watches a connection, in both directions. Each event is told once.
    pub(super) fn add(&self, fd: &impl AsRawFd, token: usize) -> io::Result<()> {
        self.watch(fd, token, Interest::READABLE | Interest::WRITABLE)
    }

    fn watch(&self, fd: &impl AsRawFd, token: usize, interest: Interest) -> io::Result<()> {
        let registry = self.poll.get_ref().registry();
        registry.register(&mut SourceFd(&fd.as_raw_fd()), Token(token), interest)
    }

    /// Ends the watch, before the descriptor is closed.
    pub(super) fn remove(&self, fd: &impl AsRawFd) {
        let registry = self.poll.get_ref().registry();
        // A descriptor that is not watched needs no end.
        let _ = registry.deregister(&mut SourceFd(&fd.as_raw_fd()));
    }

    /// Waits until there may be events.
    pub(super) async fn ready(&self) {
        // An error means that the reactor ends.
        if let Ok(mut guard) = self.poll.readable().await {
            guard.clear_ready();
        }
        self.has_news.set(true);
    }

    /// Whether [`look`](Self::look) may find events without a further one.
    pub(super) fn has_news(&self) -> bool {
        self.has_news.get()
    }

    /// Takes the present events.
    pub(super) fn look(&mut self) -> impl Iterator<Item = PollEvent> + '_ {
        let Poller {
            poll,
            events,
            has_news,
        } = self;
        let looked = poll.get_mut().poll(events, Some(Duration::ZERO));
        if looked.is_err() {
            // It was interrupted.
            events.clear();
        }
        let len = events.iter().count();
        has_news.set(looked.is_err() || len == EVENTS);
        events.iter().map(PollEvent::from)
    }
}
