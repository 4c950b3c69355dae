//! One thread that watches the descriptors of all sockets, for platforms on which tokio cannot
//! watch a foreign one: by WSAPoll on Windows, and by poll elsewhere, for the tests.
//!
//! libzmq's own poll is unsuitable: it aborts the process when a descriptor is closed meanwhile,
//! which may happen at any time. Here such a descriptor is only skipped.

use super::system;
use crate::io::Error;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;
use zmq_sys::RawFd;

/// A descriptor that is watched until this is dropped.
///
/// The thread may be polling at that time, with a number that may soon be invalid or belong to
/// another file. It checks the registration before it notifies, so no stale result is reported. It
/// reads and writes nothing, so it does not affect another owner of the number.
pub(in crate::io) struct Readiness {
    id: u64,
    news: Arc<Notify>,
    poller: Arc<Poller>,
}

impl Readiness {
    pub(in crate::io) fn new(fd: RawFd) -> Result<Self, Error> {
        let poller =
            Poller::shared().map_err(|error| Error::from_os(&error, "cannot watch a socket"))?;
        let news = Arc::new(Notify::new());
        let id = poller.add(fd, news.clone());
        Ok(Readiness { id, news, poller })
    }

    pub(in crate::io) async fn wait(&self) -> Result<(), Error> {
        // A cancelled wait leaves its order behind; the next wait then gets one spurious wake-up.
        self.poller.order(self.id);
        self.news.notified().await;
        Ok(())
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.poller.remove(self.id);
    }
}

/// State shared between the thread and its users.
struct Poller {
    watched: Mutex<Watched>,
    /// A datagram to this socket ends the current poll.
    alarm: UdpSocket,
}

#[derive(Default)]
struct Watched {
    last: u64,
    items: HashMap<u64, Item>,
}

struct Item {
    fd: RawFd,
    news: Arc<Notify>,
    /// Whether a user waits. One poll answers one order: the descriptor signals each event once,
    /// and stays readable until its owner has looked.
    wanted: bool,
}

impl Poller {
    /// The poller of the process, which lives as long as a user shares it.
    fn shared() -> io::Result<Arc<Self>> {
        static SHARED: Mutex<Weak<Poller>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poller) = shared.upgrade() {
            return Ok(poller);
        }
        let alarm = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        // Connected to itself, so that it takes no other datagrams.
        alarm.connect(alarm.local_addr()?)?;
        alarm.set_nonblocking(true)?;
        let bell = alarm.try_clone()?;
        let poller = Arc::new(Poller {
            watched: Mutex::default(),
            alarm,
        });
        let theirs = Arc::downgrade(&poller);
        thread::Builder::new()
            .name("omdp-watch".into())
            .spawn(move || run(&theirs, &bell))?;
        *shared = Arc::downgrade(&poller);
        Ok(poller)
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        // No code under the lock can leave the table inconsistent.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // If the buffer is full, the thread will wake up anyway.
        let _ = self.alarm.send(&[0]);
    }

    fn add(&self, fd: RawFd, news: Arc<Notify>) -> u64 {
        let mut watched = self.watched();
        watched.last += 1;
        let id = watched.last;
        let wanted = false;
        watched.items.insert(id, Item { fd, news, wanted });
        id
    }

    fn order(&self, id: u64) {
        let mut watched = self.watched();
        let Some(item) = watched.items.get_mut(&id) else {
            return;
        };
        if !std::mem::replace(&mut item.wanted, true) {
            drop(watched);
            self.wake();
        }
    }

    fn remove(&self, id: u64) {
        // A poll contains only items with a waiting user.
        let was = self.watched().items.remove(&id);
        if was.is_some_and(|item| item.wanted) {
            self.wake();
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Maximum duration of a poll. The alarm ends it earlier when necessary.
const LONGEST: Duration = Duration::from_secs(60);

fn run(poller: &Weak<Poller>, bell: &UdpSocket) {
    let mut items: Vec<system::Item> = Vec::new();
    let mut ids: Vec<u64> = Vec::new();
    loop {
        items.clear();
        ids.clear();
        items.push(system::item(system::descriptor(bell)));
        match poller.upgrade() {
            None => return,
            Some(poller) => {
                for (id, item) in &poller.watched().items {
                    if item.wanted {
                        items.push(system::item(item.fd));
                        ids.push(*id);
                    }
                }
            }
        }
        let failed = system::poll(&mut items, LONGEST).is_err();
        while bell.recv(&mut [0; 16]).is_ok() {}
        let Some(poller) = poller.upgrade() else {
            return;
        };
        let mut watched = poller.watched();
        for (item, id) in items[1..].iter().zip(&ids) {
            // A notified user looks at its socket. An invalid descriptor ends its wait, too; after
            // a failed poll all waits end, because the reason is unknown.
            if (failed || system::has_news(item))
                && let Some(item) = watched.items.get_mut(id)
            {
                item.wanted = false;
                item.news.notify_one();
            }
        }
        drop(watched);
        if failed {
            // A pause, because the next poll may fail again.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::socket::Socket;
    use crate::io::{Address, Message};
    use tokio::time::timeout;

    fn run<F: Future>(test: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test)
    }

    #[test]
    fn wakes_a_driver_for_each_message() {
        run(async {
            let router = Socket::router(b"gone").unwrap();
            let address = Address::new("inproc://readiness-thread");
            router.bind(&address, None).unwrap();
            let dealer = Socket::dealer(b"me", b"gone").unwrap();
            dealer.connect(&address).unwrap();
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

    /// One thread serves many waits, each woken for its own descriptor.
    #[test]
    fn many_are_watched_by_one_thread() {
        run(async {
            let pairs: Vec<_> = (0..50)
                .map(|_| {
                    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
                    near.connect(near.local_addr().unwrap()).unwrap();
                    let readiness = Readiness::new(system::descriptor(&near)).unwrap();
                    (near, readiness)
                })
                .collect();
            let first = &pairs[0].1.poller;
            assert!(
                pairs
                    .iter()
                    .all(|(_, each)| Arc::ptr_eq(&each.poller, first))
            );
            for (near, readiness) in &pairs {
                let quiet = timeout(Duration::from_millis(1), readiness.wait()).await;
                assert!(quiet.is_err());
                near.send(b"x").unwrap();
                readiness.wait().await.unwrap();
            }
        });
    }

    /// A descriptor may be closed during the poll: its wait ends, and the others continue.
    #[test]
    fn a_closed_descriptor_ends_its_own_wait() {
        run(async {
            let near = UdpSocket::bind("127.0.0.1:0").unwrap();
            near.connect(near.local_addr().unwrap()).unwrap();
            let other = Readiness::new(system::descriptor(&near)).unwrap();
            let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
            let readiness = Readiness::new(system::descriptor(&closed)).unwrap();
            drop(closed);
            readiness.wait().await.unwrap();
            drop(readiness);
            near.send(b"x").unwrap();
            other.wait().await.unwrap();
        });
    }
}
