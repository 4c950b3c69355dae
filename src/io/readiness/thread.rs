//! A thread a socket, for platforms on which tokio can't watch a foreign descriptor.

use crate::io::Error;
use std::ffi::c_short;
use std::ptr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tokio::sync::Notify;
use zmq_sys::{RawFd, zmq_pollitem_t};

/// How long a poll lasts at most, and so how long the thread may outlive its socket.
const POLL_MS: i32 = 50;

pub(in crate::io) struct Readiness {
    news: Arc<Notify>,
    /// One message is one order to watch; closed, the thread ends.
    orders: Sender<()>,
}

impl Readiness {
    pub(in crate::io) fn new(fd: RawFd) -> Result<Self, Error> {
        let news = Arc::new(Notify::new());
        let (orders, inbox) = channel();
        let theirs = news.clone();
        thread::Builder::new()
            .name("omdp-watch".into())
            .spawn(move || watch(fd, &inbox, &theirs))
            .map_err(|error| Error::from_os(&error, "cannot watch a socket"))?;
        Ok(Readiness { news, orders })
    }

    pub(in crate::io) async fn wait(&self) -> Result<(), Error> {
        // The thread lives as long as the sender does. A wait that was given up leaves an order
        // behind: then the next one is woken once for nothing.
        let _ = self.orders.send(());
        self.news.notified().await;
        Ok(())
    }
}

fn watch(fd: RawFd, orders: &Receiver<()>, news: &Notify) {
    while orders.recv().is_ok() {
        // Orders that were given up are one with this one.
        while orders.try_recv().is_ok() {}
        let mut item = zmq_pollitem_t {
            socket: ptr::null_mut(),
            fd,
            events: zmq_sys::ZMQ_POLLIN as c_short,
            revents: 0,
        };
        // SAFETY: one item, which outlives the call. Not waiting for longer than `POLL_MS` keeps
        // the watch short on a descriptor whose socket was closed meanwhile.
        unsafe { zmq_sys::zmq_poll(&mut item, 1, POLL_MS.into()) };
        // Also after a poll without news: the driver looks, and gives the next order.
        news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Message;
    use crate::io::socket::Socket;

    #[test]
    fn wakes_a_driver_for_each_message() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let router = Socket::router(b"gone").unwrap();
            router.bind("inproc://readiness-thread").unwrap();
            let dealer = Socket::dealer(b"me", 100, b"gone").unwrap();
            dealer.connect("inproc://readiness-thread").unwrap();
            let readiness = Readiness::new(router.descriptor().unwrap()).unwrap();
            for round in 0..20u8 {
                let sent = [round];
                dealer.send(&mut vec![Message::from(&sent[..])]).unwrap();
                let mut frames = Vec::new();
                while frames.is_empty() {
                    if router.events().unwrap().0 {
                        router.receive(&mut frames).unwrap();
                    } else {
                        readiness.wait().await.unwrap();
                    }
                }
                assert_eq!(&*frames[0], b"me");
                assert_eq!(&*frames[1], &sent);
            }
        });
    }
}
