//! A client, as the broker knows it.

use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::broker::absence::Absence;
use crate::proto::broker::heard::Heard;
use crate::proto::broker::heartbeats::Heartbeats;
use crate::proto::broker::keys::AccountKey;
use crate::proto::broker::rids::Rids;
use crate::proto::deadlines::TimerKey;
use crate::wire::{Dialect, Hello};
use std::collections::HashMap;

/// The number of starts that are left to each of these requests, by id.
pub(in crate::proto::broker) type Started = HashMap<Box<[u8]>, u16>;

#[derive(Debug)]
pub(in crate::proto::broker) struct Client {
    pub(in crate::proto::broker) id: RoutingId,
    /// The dialect. Comments on clients of 0.0.92 hold for MDP too.
    pub(in crate::proto::broker) dialect: Dialect,
    /// The hello; `None` for a client of 0.0.92.
    pub(in crate::proto::broker) hello: Option<Hello>,
    /// Whether it has sent a request with an extension frame.
    pub(in crate::proto::broker) sends_extensions: bool,
    /// Its requests, by the hash of their ids.
    pub(in crate::proto::broker) requests: Rids,
    pub(in crate::proto::broker) beats: Heartbeats,
    /// When it was last asked for a sign of life.
    pub(in crate::proto::broker) pinged: Option<Time>,
    /// Whether its connection broke and no message has arrived since.
    pub(in crate::proto::broker) cut_off: bool,
    /// Whether the client is gone while its many requests still end, which takes several turns.
    pub(in crate::proto::broker) leaving: bool,
    /// Whether its requests are looked at in pieces, at the end of its grace time.
    pub(in crate::proto::broker) is_looked_at: bool,
    /// Whether it did not answer in time when it was asked to release parked requests.
    pub(in crate::proto::broker) did_not_release: bool,
    /// Whether it has not acknowledged replies of more than [`FREE`](crate::proto::broker::reply_log::FREE) bytes, or some
    /// for which there was no room.
    pub(in crate::proto::broker) is_behind: bool,
    /// Whether messages to it wait at the transport, because it takes less than it is sent.
    pub(in crate::proto::broker) congested: bool,
    /// Cost of all parts that it has not read, over all its requests.
    pub(in crate::proto::broker) unread: u64,
    /// The account for everything kept for it, and the charge for this entry.
    pub(in crate::proto::broker) account: AccountKey,
    pub(in crate::proto::broker) charged: usize,
    /// Present while it is detached.
    pub(in crate::proto::broker) absence: Option<Absence>,
    /// Requests that it has not resumed yet since its return, and copies of fan-outs, which go on with them. A copy of
    /// `requests` at its return, which is made without a look at each of them.
    pub(in crate::proto::broker) unresumed: Rids,
    /// Whether it has said on this connection that it has resumed all requests that it wants.
    pub(in crate::proto::broker) has_said_all: bool,
    /// Whether all of these have been handled: none waits for an authorization.
    pub(in crate::proto::broker) has_resumed: bool,
    /// The number of its latest return, or zero.
    pub(in crate::proto::broker) returned: u64,
    /// The reply log has been dropped: too much was not acknowledged.
    pub(in crate::proto::broker) log_is_incomplete: bool,
    /// Requests of this life that may have started before the client was given up. `None` if this
    /// broker does not know everything that this life has sent.
    pub(in crate::proto::broker) started: Option<Started>,
    /// The workers it has heard of, if it is told the roster; see [`roster`](crate::proto::broker::roster).
    pub(in crate::proto::broker) heard: Option<Heard>,
    /// Extended clients always have one; others only while they are cut off.
    pub(in crate::proto::broker) timer: Option<TimerKey>,
    pub(in crate::proto::broker) since: Time,
}

impl Client {
    /// Whether it understands extension frames. Without a hello on this connection, a request with one shows it.
    pub(in crate::proto::broker) fn is_extended(&self) -> bool {
        self.hello.is_some() || self.sends_extensions
    }

    /// Whether its requests can be parked.
    pub(in crate::proto::broker) fn parks(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.parks)
    }

    /// Whether it understands reports of the place of a request.
    pub(in crate::proto::broker) fn knows_places(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.places)
    }

    /// Whether it understands packed frames.
    pub(in crate::proto::broker) fn packs(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.packs)
    }

    /// Whether replies that were kept for it may not have reached it: it is detached, or has not said which requests it
    /// resumes, or is behind.
    pub(in crate::proto::broker) fn lacks_replies(&self) -> bool {
        self.absence.is_some() || self.is_behind || (self.returned > 0 && !self.has_said_all)
    }

    /// Whether it acknowledges replies.
    pub(in crate::proto::broker) fn acknowledges(&self) -> bool {
        self.hello.is_some()
    }

    /// Whether it gives credit for partials that it has read.
    pub(in crate::proto::broker) fn gives_credit(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.flow)
    }

    /// Whether it has sent a hello on this connection.
    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::proto::broker) fn is_registered(&self) -> bool {
        self.hello.is_some()
    }
}
