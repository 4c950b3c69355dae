//! A request that has not ended: where it is, what of it goes to a broker, and its id there.

use super::Client;
use super::input::Input;
use super::retry::Retry;
use crate::proto::deadlines::TimerKey;
use crate::proto::link::BrokerLife;
use crate::proto::{Terms, Time};
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::{Body, Encoding, Frame, Hello};
use std::time::Duration;

/// A request that has not ended.
#[derive(Debug)]
pub(in crate::proto) struct Pending<F> {
    /// Kept until it ends: another broker may need it. Clones share the bytes.
    pub(super) service: F,
    pub(super) data: Body<F>,
    pub(super) opts: F,
    pub(super) terms: Terms,
    /// When it is made again, and how often it was, if it may be.
    pub(super) retry: Option<Box<Retry>>,
    pub(super) stage: Stage,
    /// How often it was given to another broker, or anew to the same. Part of its id there: a late
    /// word about an earlier time is about nothing.
    pub(super) again: u32,
    /// The only broker that it may be with; `None` if there may be several, or none is known.
    pub(super) broker: Option<BrokerLife>,
    /// How many parts of the reply have come.
    pub(super) received: u32,
    /// How many bytes of them its user has given back.
    pub(super) read: u64,
    /// How many of those the broker of this connection was told.
    pub(super) told: u64,
    pub(super) timeout: Option<Duration>,
    /// When it ends whatever is heard of it.
    pub(super) latest: Option<Time>,
    /// Moved by every partial; the timer below is set anew only when it fires too early.
    pub(super) deadline: Time,
    pub(super) timer: Option<TimerKey>,
    /// If its data are a stream.
    pub(super) input: Option<Box<Input<F>>>,
}

/// So long before its deadline the broker is asked where a request is, at most.
const MAX_LEAD: Duration = Duration::from_millis(250);

/// Where a request is; see [`resume`](super::resume).
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Waiting,
    /// It has ended badly, and is made again when its timer comes.
    Delayed,
    Sent,
    Parked,
    Unknown {
        until: Time,
    },
    Resuming {
        until: Time,
    },
}

impl Stage {
    /// Whether the broker of this connection has it.
    pub(super) fn is_with_broker(self) -> bool {
        matches!(self, Stage::Sent | Stage::Parked | Stage::Resuming { .. })
    }
}

impl<F: Frame> Pending<F> {
    /// When to ask where it is: early enough for the answer to come before the deadline.
    pub(super) fn ask_at(&self) -> Time {
        let lead = self.timeout.map_or(Duration::ZERO, |timeout| timeout / 4);
        self.deadline - lead.min(MAX_LEAD)
    }

    /// The data in the form that the broker understands, and what it has to know beside it.
    pub(super) fn payload(
        &self,
        now: Time,
        broker: Option<&Hello>,
        is_mdp: bool,
    ) -> (F, RequestExt) {
        let broker_is_ours = broker.is_some();
        let data = self.data.clone();
        let form = match data.encoding {
            Encoding::Binary if broker_is_ours || is_mdp => RequestData::Binary,
            Encoding::Binary => RequestData::BufferAsJson,
            _ => RequestData::Json,
        };
        let data = match form {
            RequestData::BufferAsJson => data.into_json(),
            _ => data.bytes,
        };
        let knows_deadlines = broker.is_some_and(|broker| broker.deadlines);
        let timeout = match knows_deadlines {
            true => self.terms.timeout,
            false => self.terms.idle(),
        };
        let timeout_ms = timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
        });
        let left = self.latest.filter(|_| knows_deadlines);
        let ext = RequestExt {
            data: form,
            timeout_ms,
            retry: self.terms.retry,
            fail_fast: self.terms.fail_fast,
            routed: self.terms.routed,
            started: self.retry.as_ref().map_or(0, |retry| retry.made),
            stream: self.terms.stream,
            left_ms: left.map(|latest| latest.ms_since(now)),
        };
        (data, ext)
    }
}

impl<F> Pending<F> {
    /// There is a sign of life: its idle timeout begins anew.
    pub(super) fn extend(&mut self, now: Time) {
        if let Some(timeout) = self.timeout {
            let at = now + timeout;
            self.deadline = self.latest.map_or(at, |latest| latest.min(at));
        }
    }
}

impl<F: Frame> Client<F> {
    pub(super) fn rid(&self, id: u64) -> F {
        let again = self.requests.get(&id).map_or(0, |request| request.again);
        self.rid_of(id, again)
    }

    #[cfg(test)]
    pub(in crate::proto) fn rid_for_test(&self, id: u64) -> F {
        self.rid(id)
    }

    pub(super) fn rid_of(&self, id: u64, again: u32) -> F {
        let session = self.config.session.as_bytes();
        let mut digits = itoa::Buffer::new();
        let mut rid = Vec::with_capacity(session.len() + 32);
        rid.extend_from_slice(session);
        rid.extend_from_slice(digits.format(id).as_bytes());
        if again > 0 {
            rid.push(b'.');
            rid.extend_from_slice(digits.format(again).as_bytes());
        }
        F::from(rid)
    }

    pub(super) fn parse_rid(&self, rid: &[u8]) -> Option<u64> {
        let text = rid.strip_prefix(self.config.session.as_bytes())?;
        let (id, again) = match text.iter().position(|&c| c == b'.') {
            None => (number(text)?, 0),
            Some(dot) => (number(&text[..dot])?, number(&text[dot + 1..])?),
        };
        let request = self.requests.get(&id)?;
        (u64::from(request.again) == again).then_some(id)
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
