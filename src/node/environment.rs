//! The instance data of an environment, which ends with its process or its worker thread: the drivers that end in
//! order then, the memory that they use, and their wake-ups.

use super::crossing::END_MS;
use super::exit::{Drivers, Exit};
use super::given::Loans;
use super::wake::{Call, Wakes};
use napi::bindgen_prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of a thread waits for its peers.
const PATIENCE: Duration = Duration::from_millis(END_MS as u64);

#[derive(Default)]
struct Environment {
    drivers: Drivers,
    /// The memory of the environment that the drivers use.
    loans: Option<Arc<Loans>>,
    wakes: Option<Rc<Wakes>>,
}

type Shared = Rc<RefCell<Environment>>;

fn shared(env: &Env) -> Result<Shared> {
    if let Some(shared) = env.get_instance_data::<Shared>()? {
        return Ok(shared.clone());
    }
    let shared = Shared::default();
    env.set_instance_data(shared.clone(), (), |_| {})?;
    // For a thread that is terminated, which emits no event. There is no time for messages that wait for a broker.
    env.add_env_cleanup_hook(shared.clone(), |shared| {
        let mut environment = shared.borrow_mut();
        environment.drivers.end(PATIENCE, Duration::ZERO);
        // Its memory ends with the environment.
        if let Some(loans) = &environment.loans {
            loans.wait();
        }
    })?;
    Ok(shared)
}

/// The memory of an environment that its drivers use.
pub(super) fn loans(env: &Env) -> Result<Arc<Loans>> {
    made(env, |environment| &mut environment.loans, Loans::new)
}

/// The wake-ups of an environment. The first `call` is used for all of them.
pub(super) fn wakes(env: &Env, call: &Call<'_>) -> Result<Rc<Wakes>> {
    let new = |env: &Env| Wakes::new(env, call).map(Rc::new);
    made(env, |environment| &mut environment.wakes, new)
}

/// What is in this place; if there is nothing, what `new` makes. That may run JavaScript, for hooks of async resources,
/// which may start peers.
fn made<T: Clone>(
    env: &Env,
    place: impl Fn(&mut Environment) -> &mut Option<T>,
    new: impl FnOnce(&Env) -> Result<T>,
) -> Result<T> {
    let shared = shared(env)?;
    let present = place(&mut shared.borrow_mut()).clone();
    if let Some(present) = present {
        return Ok(present);
    }
    let new = new(env)?;
    Ok(place(&mut shared.borrow_mut()).get_or_insert(new).clone())
}

/// Registers a driver.
pub(super) fn register(env: &Env, is_broker: bool, exit: &Rc<Exit>) -> Result<()> {
    shared(env)?.borrow_mut().drivers.add(is_broker, exit);
    Ok(())
}

/// Ends the drivers of an environment, whose process ends, see [`Drivers::end`]. Messages that wait for a broker wait
/// for half of the time.
pub(super) fn end(env: &Env, patience: Duration) -> Result<()> {
    if let Some(shared) = env.get_instance_data::<Shared>()? {
        shared.borrow_mut().drivers.end(patience, patience / 2);
    }
    Ok(())
}
