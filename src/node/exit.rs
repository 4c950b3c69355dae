//! The end of the drivers of an environment, in order, so that the messages and commands that they have got are sent.

use crate::io::{now, quiesce};
use crate::proto::Time;
use std::convert::Infallible;
use std::rc::{Rc, Weak};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Ends a driver, see [`CommandSink::exit`](crate::io::CommandSink::exit).
pub(super) type Exit = dyn Fn(Time) -> Receiver<Infallible>;

/// The drivers of an environment.
#[derive(Default)]
pub(super) struct Drivers {
    of_peers: Vec<Weak<Exit>>,
    of_brokers: Vec<Weak<Exit>>,
}

impl Drivers {
    pub(super) fn add(&mut self, is_broker: bool, exit: &Rc<Exit>) {
        let drivers = match is_broker {
            true => &mut self.of_brokers,
            false => &mut self.of_peers,
        };
        if drivers.len() == drivers.capacity() {
            drivers.retain(|each| each.strong_count() > 0);
        }
        drivers.push(Rc::downgrade(exit));
    }

    /// Ends the drivers, and blocks until the messages that they have got have left the process. Messages that wait
    /// for a broker wait for `waiting`.
    pub(super) fn end(&mut self, patience: Duration, waiting: Duration) {
        let begin = now();
        let of_peers = take(&mut self.of_peers);
        let of_brokers = take(&mut self.of_brokers);
        // Brokers last: other peers of the process may be connected to them.
        match of_brokers.is_empty() {
            true => end_all(of_peers, begin + patience, begin + waiting),
            false => {
                end_all(of_peers, begin + patience / 2, begin + waiting / 2);
                end_all(of_brokers, begin + patience, begin);
            }
        }
    }
}

fn take(drivers: &mut Vec<Weak<Exit>>) -> Vec<Rc<Exit>> {
    let drivers = std::mem::take(drivers);
    drivers.iter().filter_map(Weak::upgrade).collect()
}

/// Ends drivers together, and waits for all of them until `end`.
fn end_all(drivers: Vec<Rc<Exit>>, end: Time, waiting_until: Time) {
    let running: Vec<_> = drivers.iter().map(|exit| exit(waiting_until)).collect();
    for driver in running {
        // An error in time is the end of the driver.
        let _ = driver.recv_timeout(end.since(now()));
    }
    quiesce(end.since(now()));
}
