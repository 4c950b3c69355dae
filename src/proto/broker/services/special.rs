//! The state of a service that most services do not have.

use super::balance::Balancer;
use super::rate::Limiter;
use crate::proto::Time;

/// State of a service with a balancing policy or a rate limit, or of which requests change their places.
#[derive(Debug, Default)]
pub(in crate::proto::broker) struct Special {
    pub(in crate::proto::broker) balancer: Option<Balancer>,
    pub(in crate::proto::broker) limiter: Option<Limiter>,
    pub(super) relocating: Relocating,
}

/// Whether requests are changing their places because of the service, see
/// [`relocation`](crate::proto::broker::relocation).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relocating {
    #[default]
    No,
    Once,
    /// They are, and are to be looked at again after that: further workers have come or gone.
    Again,
}

impl Special {
    pub(super) fn may_start(&self, now: Time) -> bool {
        let limiter = self.limiter.as_ref();
        self.relocating == Relocating::No
            && limiter.is_none_or(|limiter| limiter.free_at(now).is_none())
    }

    /// Whether any of it differs from the default.
    pub(super) fn is_needed(&self) -> bool {
        self.balancer.is_some() || self.limiter.is_some() || self.relocating != Relocating::No
    }
}
