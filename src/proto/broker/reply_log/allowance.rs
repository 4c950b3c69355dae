//! How large the log of a client may be. It grows by what its account is charged for.

#[cfg(test)]
use super::FREE;
use super::{OVERHEAD, ReplyLogs};
use crate::proto::broker::context::Context;
use crate::proto::broker::keys::ClientKey;
use crate::wire::Frame;

/// Minimum growth of an allowance, in bytes, and its relation to what is free of the log.
#[cfg(test)]
pub(super) const STEP: usize = STEPS * FREE;
const STEPS: usize = 4;

impl<F: Frame> ReplyLogs<F> {
    /// Whether there is room for one more message of this size, beside those that are `coming`.
    #[cold]
    pub(in crate::proto::broker) fn has_room(
        &mut self,
        cx: &mut Context<F>,
        key: ClientKey,
        bytes: usize,
        coming: usize,
    ) -> bool {
        let used = self.bytes(key) + coming;
        let needed = used + bytes + OVERHEAD;
        if used > 0 && needed > cx.config.unacknowledged_bytes {
            return false;
        }
        let log = self.log(key);
        let growth = needed.saturating_sub(log.allowance);
        let step = STEPS * log.free;
        growth == 0 || self.grow(cx, key, growth.max(step))
    }

    /// Whether a reply may come: there is room for it, or it is the only one (`is_only`), which is sent without a copy if
    /// it is too large.
    #[cold]
    pub(in crate::proto::broker) fn admits(
        &mut self,
        cx: &mut Context<F>,
        key: ClientKey,
        bytes: usize,
        coming: usize,
        is_only: bool,
    ) -> bool {
        if self.has_room(cx, key, bytes, coming) {
            return true;
        }
        if is_only && let Some(client) = cx.clients.get_mut(key) {
            // Its worker has the only copy.
            client.is_behind = true;
        }
        is_only
    }

    /// The necessary growth of the allowance.
    pub(super) fn lacks(&self, client: ClientKey) -> usize {
        let log = self.0.get(client.0);
        log.map_or(STEPS * self.1, |log| {
            log.bytes
                .saturating_sub(log.allowance)
                .max(STEPS * log.free)
        })
    }

    /// Increases the allowance.
    pub(super) fn allow(&mut self, client: ClientKey, bytes: usize) {
        self.log(client).allowance += bytes;
    }

    /// Reduces the allowance to what the log needs. Returns the difference.
    pub(super) fn take_back(&mut self, client: ClientKey) -> usize {
        let Some(log) = self.0.get_mut(client.0) else {
            return 0;
        };
        if log.allowance == log.free || log.bytes > log.allowance / 2 {
            return 0;
        }
        let surplus = log.allowance - log.bytes.max(log.free);
        log.allowance -= surplus;
        surplus
    }

    /// Charges the growth of a client's log. Returns false if its account is full.
    #[cold]
    pub(in crate::proto::broker) fn stretch(
        &mut self,
        cx: &mut Context<F>,
        key: ClientKey,
    ) -> bool {
        let bytes = self.lacks(key);
        self.grow(cx, key, bytes)
    }

    fn grow(&mut self, cx: &mut Context<F>, key: ClientKey, bytes: usize) -> bool {
        let Some(client) = cx.clients.get_mut(key) else {
            return false;
        };
        if cx.accounts.charge(client.account, bytes).is_err() {
            cx.counters.over_limit += 1;
            return false;
        }
        client.charged += bytes;
        client.is_behind = true;
        self.allow(key, bytes);
        true
    }

    /// Credits what a client's log no longer needs, and notes whether the client is still behind.
    pub(in crate::proto::broker) fn release(&mut self, cx: &mut Context<F>, key: ClientKey) {
        let surplus = self.take_back(key);
        let log = self.0.get(key.0);
        let is_behind = log.is_some_and(|log| log.allowance > log.free || log.dropped > 0);
        let Some(client) = cx.clients.get_mut(key) else {
            return;
        };
        client.is_behind = is_behind;
        if surplus > 0 {
            client.charged -= surplus;
            cx.accounts.release(client.account, surplus);
        }
    }
}
