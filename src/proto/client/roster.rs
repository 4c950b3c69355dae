//! The roster of the broker, as far as it has told: the workers to which it can have given a request, should it die.

use super::Client;
use super::pending::Pending;
use crate::proto::link::BrokerLife;
use crate::wire::Frame;
use crate::wire::omdp::{ClientMessage, Recall, RosterHead, roster};
use std::collections::HashMap;

/// The roster of the broker of one connection.
#[derive(Debug)]
pub(super) struct Roster {
    life: BrokerLife,
    session: Box<str>,
    head: RosterHead,
    /// The sum of the workers of each service. Workers that serve other names as well are summed under the empty
    /// name.
    sums: HashMap<Box<[u8]>, u64>,
}

impl Roster {
    /// The knowledge about a request of this broker, for the next one.
    fn recall<F: Frame>(&self, request: &Pending<F>) -> Option<Box<Recall>> {
        let is_known = request.stamp > 0 && request.broker == Some(self.life);
        let sum = |name: &[u8]| self.sums.get(name).copied().unwrap_or_default();
        (is_known && request.received == 0).then(|| {
            Box::new(Recall {
                session: self.session.clone(),
                stamp: request.stamp,
                sum: sum(&request.service).wrapping_add(sum(b"")),
                last: self.head.last,
            })
        })
    }
}

impl<F: Frame> Client<F> {
    /// Handles the roster in the broker's welcome.
    pub(super) fn begin_roster(&mut self, head: RosterHead, entries: &[u8]) {
        if let (Some(broker), Some(life)) = (self.link.peer(), self.link.broker()) {
            self.roster = Some(Box::new(Roster {
                life,
                session: broker.session.as_str().into(),
                head,
                sums: HashMap::new(),
            }));
            self.on_roster(head, Some(entries));
        }
    }

    /// Handles the broker's time, and changes of its roster. A time of 0 means that there is no roster any more.
    pub(super) fn on_roster(&mut self, head: RosterHead, entries: Option<&[u8]>) {
        if head.stamp == 0 {
            self.roster = None;
            return self
                .transmits
                .push(ClientMessage::Heard { last: head.last });
        }
        let Some(known) = &mut self.roster else {
            return;
        };
        known.head = head;
        let Some(entries) = entries else {
            return;
        };
        for (service, sum) in roster(entries) {
            match sum {
                0 => drop(known.sums.remove(service)),
                sum => drop(known.sums.insert(service.into(), sum)),
            }
        }
        let last = head.last;
        self.transmits.push(ClientMessage::Heard { last });
    }

    /// Keeps the roster when the connection is lost.
    pub(super) fn lose_roster(&mut self) {
        self.lost_roster = self.roster.take().or(self.lost_roster.take());
    }

    /// Drops the rosters when the broker lives and turns this client away, or no request of the last one is resumed any
    /// more.
    pub(super) fn drop_roster(&mut self) {
        self.roster = None;
        self.lost_roster = None;
    }

    /// The knowledge about a request of an earlier broker, for the broker of this connection. It stays valid until this
    /// broker has found the request, because a request that had no worker gets none without GO. It is kept on a further
    /// connection to the same broker as well: the roster of that connection may lack a worker that has left the broker
    /// since.
    pub(super) fn recall(&mut self, id: u64) -> Option<Box<Recall>> {
        let broker = self.link.peer()?;
        let request = self.requests.get_mut(&id)?;
        let known = self.lost_roster.as_ref();
        let latest = known.and_then(|known| known.recall(request));
        let recall = request.recall.take().or(latest);
        request.recall = recall.filter(|_| broker.roster);
        let recall = request.recall.as_ref();
        recall.filter(|it| *it.session != *broker.session).cloned()
    }

    /// The stamp for a request that is sent now; 0 if there is no roster.
    pub(super) fn stamp(&self) -> u64 {
        self.roster.as_ref().map_or(0, |known| known.head.stamp)
    }
}
