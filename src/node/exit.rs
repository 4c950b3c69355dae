//! The end of an environment, which is the end of a process or of a worker thread: its peers end in
//! order, so that the messages and commands that they have got are sent.

use super::given::Loans;
use crate::io::{now, quiesce};
use crate::proto::Time;
use napi::bindgen_prelude::*;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How long the end of a thread waits for its peers.
const PATIENCE: Duration = Duration::from_millis(500);

/// Ends a driver, see [`CommandSink::exit`](crate::io::CommandSink::exit).
pub(super) type Exit = dyn Fn(Time) -> Receiver<Infallible>;

/// The drivers of an environment.
#[derive(Default)]
struct Drivers {
    of_peers: Vec<Weak<Exit>>,
    of_brokers: Vec<Weak<Exit>>,
    /// The memory of the environment that they use.
    loans: Option<Arc<Loans>>,
}

type Shared = Rc<RefCell<Drivers>>;

fn shared(env: &Env) -> Result<Shared> {
    if let Some(shared) = env.get_instance_data::<Shared>()? {
        return Ok(shared.clone());
    }
    let shared = Shared::default();
    env.set_instance_data(shared.clone(), (), |_| {})?;
    // For a thread that is terminated, which emits no event. There is no time for what waits for a
    // broker.
    env.add_env_cleanup_hook(shared.clone(), |shared| {
        let mut drivers = shared.borrow_mut();
        drivers.end(PATIENCE, Duration::ZERO);
        // Its memory ends with the environment.
        if let Some(loans) = &drivers.loans {
            loans.wait();
        }
    })?;
    Ok(shared)
}

/// The memory of an environment that its drivers use.
pub(super) fn loans(env: &Env) -> Result<Arc<Loans>> {
    let shared = shared(env)?;
    let mut drivers = shared.borrow_mut();
    match &drivers.loans {
        Some(loans) => Ok(loans.clone()),
        None => Ok(drivers.loans.insert(Loans::new(env)?).clone()),
    }
}

/// Registers a driver.
pub(super) fn register(env: &Env, is_broker: bool, exit: &Rc<Exit>) -> Result<()> {
    let shared = shared(env)?;
    let mut drivers = shared.borrow_mut();
    let drivers = match is_broker {
        true => &mut drivers.of_brokers,
        false => &mut drivers.of_peers,
    };
    if drivers.len() == drivers.capacity() {
        drivers.retain(|each| each.strong_count() > 0);
    }
    drivers.push(Rc::downgrade(exit));
    Ok(())
}

/// Ends the drivers of an environment, whose process ends, and blocks until the messages that they
/// have got have left the process. Messages that wait for a broker wait for half of the time.
pub(super) fn end(env: &Env, patience: Duration) -> Result<()> {
    if let Some(shared) = env.get_instance_data::<Shared>()? {
        shared.borrow_mut().end(patience, patience / 2);
    }
    Ok(())
}

impl Drivers {
    /// `waiting` is how long to wait for what waits for a broker.
    fn end(&mut self, patience: Duration, waiting: Duration) {
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
