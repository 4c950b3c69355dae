//! A request that has not ended: its stage, its id, and its form for a broker.

use super::Client;
use super::retry::Retry;
use super::stream_state::DataStream;
use crate::proto::deadlines::TimerKey;
use crate::proto::link::BrokerLife;
use crate::proto::{Terms, Time};
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::omdp::Recall;
use crate::wire::{Body, Encoding, Frame, Hello};
use std::time::Duration;

/// A request that has not ended.
#[derive(Debug)]
pub(in crate::proto) struct Pending<F> {
    /// Kept until it ends, because another broker may need it. Clones share the bytes.
    pub(super) service: F,
    pub(super) data: Body<F>,
    pub(super) opts: F,
    pub(super) terms: Terms,
    /// The retry policy and its state, if it has one.
    pub(super) retry: Option<Retry>,
    pub(super) stage: Stage,
    /// How often it was submitted again, to another broker or the same one. It is part of the id,
    /// so that late messages about an earlier submission match no request.
    pub(super) again: u32,
    /// The only broker that can have it; `None` if there may be several, or it is unknown.
    pub(super) broker: Option<BrokerLife>,
    /// The latest stamp of that broker when it was sent or released; 0 without a stamp, or if other workers may have
    /// it.
    pub(super) stamp: u64,
    /// The knowledge of the broker that had it, while other brokers search for it.
    pub(super) recall: Option<Box<Recall>>,
    /// Whether a lost broker may have started it as often as the application permits.
    pub(super) may_have_run: bool,
    /// Number of parts of the reply that have arrived.
    pub(super) received: u32,
    /// Bytes of these parts that the application has read.
    pub(super) read: u64,
    /// Bytes of these for which the broker of this connection was sent credit.
    pub(super) told: u64,
    pub(super) timeout: Option<Duration>,
    /// Its deadline, which signs of life do not move.
    pub(super) latest: Option<Time>,
    /// When it times out. Each sign of life moves it; the timer is only set again when it fires
    /// before this time.
    pub(super) deadline: Time,
    pub(super) timer: Option<TimerKey>,
    /// Present if its data are a stream.
    pub(super) data_stream: Option<Box<DataStream<F>>>,
}

/// Maximum of the time before the timeout at which the broker is asked for the request's place.
const MAX_LEAD: Duration = Duration::from_millis(250);

/// The stage of a request; see [`resume`](super::resume).
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Waiting,
    /// An attempt has failed, and the next one follows when the timer fires.
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

/// The message to the broker about a request that is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    Nothing,
    Cancelled,
    Expired,
}

impl Stage {
    /// Whether the broker of this connection has it.
    pub(super) fn is_with_broker(self) -> bool {
        matches!(self, Stage::Sent | Stage::Parked | Stage::Resuming { .. })
    }
}

impl<F: Frame> Pending<F> {
    /// When to ask for its place, so that the answer arrives before the timeout.
    pub(super) fn ask_at(&self) -> Time {
        let lead = self.timeout.map_or(Duration::ZERO, |timeout| timeout / 4);
        self.deadline - lead.min(MAX_LEAD)
    }

    /// The data in the form that the broker understands, and the extension frame.
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
            started: match &self.retry {
                Some(retry) => retry.made,
                None => self.may_have_run.into(),
            },
            stream: self.terms.stream,
            left_ms: left.map(|latest| latest.ms_since(now)),
        };
        (data, ext)
    }
}

impl<F> Pending<F> {
    /// Restarts the idle timeout after a sign of life.
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
