//! Which workers the broker has, as far as it has said so: what a request that it had can have been
//! given to, should it die.

use super::Client;
use super::pending::Pending;
use crate::proto::link::BrokerLife;
use crate::wire::Frame;
use crate::wire::omdp::{ClientMessage, Recall, RosterHead, roster};
use std::collections::HashMap;

/// What the broker of one connection has told.
#[derive(Debug)]
pub(super) struct Roster {
    life: BrokerLife,
    session: Box<str>,
    head: RosterHead,
    /// The sums of the workers of each service; without a name, of those that serve other names too.
    sums: HashMap<Box<[u8]>, u64>,
}

impl Roster {
    /// What the next broker is told of a request that this one was sent.
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
    /// The broker has told of its workers with its hello.
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

    /// The broker's time, and what has changed. At no time there is nothing to tell any more.
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

    /// The connection is lost.
    pub(super) fn lose_roster(&mut self) {
        self.lost_roster = self.roster.take().or(self.lost_roster.take());
    }

    /// The broker lives, or nothing is asked for any more that the last one had.
    pub(super) fn drop_roster(&mut self) {
        self.roster = None;
        self.lost_roster = None;
    }

    /// What the broker of this connection is told of a request that was with another one. It holds for
    /// the next one too until this one has said that it has found the request: what was not given to a
    /// worker before is not without this client's word.
    pub(super) fn recall(&mut self, id: u64) -> Option<Box<Recall>> {
        let knows = self.link.peer().is_some_and(|broker| broker.roster);
        let here = self.link.broker();
        let request = self.requests.get_mut(&id)?;
        let known = self.lost_roster.as_ref();
        let known = known.filter(|known| here != Some(known.life));
        let recall = known.and_then(|known| known.recall(request));
        request.recall = recall.or(request.recall.take()).filter(|_| knows);
        request.recall.clone()
    }

    /// What a request that is sent now has to remember; 0 if nothing is known.
    pub(super) fn stamp(&self) -> u64 {
        self.roster.as_ref().map_or(0, |known| known.head.stamp)
    }
}
