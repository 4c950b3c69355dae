//! The connections of the services of one worker to one broker. They share one connection if the broker supports
//! channels, which its hello states. Until then, one service connects, and the others wait.

use crate::io::clock;
use crate::io::transport::{Seat, Shared};
use crate::proto::Time;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the others wait for the hello. A broker of 0.0.92 sends none.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// The services of one worker at one endpoint.
#[derive(Clone, Default)]
pub struct SharingGroup(Arc<Mutex<Sharing>>);

#[derive(Default)]
enum Sharing {
    /// The next service that connects finds out whether the broker supports channels.
    #[default]
    Unknown,
    /// A service connects, or waits until this time for the broker's hello.
    Asking(Option<Time>),
    Shared(Shared),
    /// The last broker supports no channels, and so many services are connected to it. When all have lost their
    /// connections, another broker may follow.
    Apart(usize),
}

/// How a service gets its connection.
pub(super) enum Way {
    /// It shares this one.
    Join(Seat),
    /// It connects, and has to call one of the methods below.
    Ask,
    /// It connects.
    Apart,
    /// It has to wait until [`may_go_on`](SharingGroup::may_go_on).
    Wait,
}

impl SharingGroup {
    pub(super) fn way(&self) -> Way {
        let mut sharing = self.state();
        match &*sharing {
            Sharing::Asking(Some(until)) if *until <= clock::now() => *sharing = Sharing::Apart(0),
            Sharing::Asking(_) => return Way::Wait,
            Sharing::Shared(shared) => {
                if let Some(seat) = shared.join() {
                    return Way::Join(seat);
                }
                *sharing = Sharing::Asking(None);
                return Way::Ask;
            }
            Sharing::Unknown => {
                *sharing = Sharing::Asking(None);
                return Way::Ask;
            }
            Sharing::Apart(_) => {}
        }
        Way::Apart
    }

    pub(super) fn may_go_on(&self) -> bool {
        match &*self.state() {
            Sharing::Asking(until) => until.is_some_and(|until| until <= clock::now()),
            _ => true,
        }
    }

    /// When the wait ends at the latest.
    pub(super) fn until(&self) -> Option<Time> {
        match &*self.state() {
            Sharing::Asking(until) => *until,
            _ => None,
        }
    }

    /// Handles that the first service is connected.
    pub(super) fn asked(&self) {
        if let Sharing::Asking(until) = &mut *self.state() {
            *until = Some(clock::now() + ANSWER_TIME);
        }
    }

    /// Handles that the first service has lost its connection without a hello.
    pub(super) fn not_answered(&self) {
        let mut sharing = self.state();
        if let Sharing::Asking(_) = *sharing {
            *sharing = Sharing::Unknown;
        }
    }

    /// Handles that the broker supports no channels.
    pub(super) fn part(&self) {
        let mut sharing = self.state();
        if let Sharing::Asking(_) = *sharing {
            *sharing = Sharing::Apart(0);
        }
    }

    /// Handles that a service is connected. Returns whether it is apart from the others.
    pub(super) fn joined_apart(&self) -> bool {
        match &mut *self.state() {
            Sharing::Apart(services) => {
                *services += 1;
                true
            }
            _ => false,
        }
    }

    /// Handles that a service that was apart has lost its connection.
    pub(super) fn left_apart(&self) {
        let mut sharing = self.state();
        if let Sharing::Apart(services) = &mut *sharing {
            *services = services.saturating_sub(1);
            if *services == 0 {
                *sharing = Sharing::Unknown;
            }
        }
    }

    pub(super) fn is_apart(&self) -> bool {
        matches!(&*self.state(), Sharing::Apart(_))
    }

    pub(super) fn is(&self, other: &SharingGroup) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether services share a connection that has room for another one.
    pub(super) fn may_join(&self) -> bool {
        matches!(&*self.state(), Sharing::Shared(shared) if shared.may_join())
    }

    pub(super) fn share(&self, shared: Shared) {
        *self.state() = Sharing::Shared(shared);
    }

    fn state(&self) -> MutexGuard<'_, Sharing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharingGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharingGroup")
    }
}
