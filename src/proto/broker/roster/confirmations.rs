//! The clients confirm that they have heard of new workers, which begin then.

use super::Roster;
use crate::proto::broker::context::Context;
use crate::proto::broker::heard::Heard;
use crate::proto::broker::keys::{ClientKey, Timer, WorkerKey};
use crate::wire::Frame;
use std::time::Duration;

/// How long a new worker waits for clients to hear of it. Long compared with a round trip.
pub(super) const HEAR: Duration = Duration::from_millis(50);

/// Many clients are told of changes less often, so that one worker which comes and goes takes a small part of the
/// broker's time: the interval is this for each client.
const FOR_A_CLIENT: Duration = Duration::from_micros(20);

/// Maximum of clients that are told at once each time.
const FEW: usize = 64;

/// The tasks of the broker after a client has confirmed.
#[derive(Default)]
pub(in crate::proto::broker) struct Confirmed {
    /// Whether requests of the client that were kept back may go on.
    pub(in crate::proto::broker) releases: bool,
    /// Workers that begin.
    pub(in crate::proto::broker) begin: Vec<WorkerKey>,
}

impl Roster {
    /// Sends the changes of this turn, or stops waiting for confirmations. Returns the workers that begin.
    pub(in crate::proto::broker) fn due<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
    ) -> Vec<WorkerKey> {
        self.timer = None;
        if self.awaited > 0 {
            for key in cx.clients.keys() {
                if let Some(client) = cx.clients.get_mut(key)
                    && let Some(heard) = &mut client.heard
                    && std::mem::take(&mut heard.awaited)
                {
                    self.awaited -= 1;
                    heard.behind = true;
                    self.behind += 1;
                }
            }
        }
        if !self.changed.is_empty() {
            self.tell_changes(cx);
        }
        if self.awaited == 0 {
            return self.begin_fresh(cx);
        }
        self.timer = Some(cx.deadlines.set(cx.now + HEAR, Timer::Roster));
        Vec::new()
    }

    fn tell_changes<F: Frame>(&mut self, cx: &mut Context<F>) {
        let last = cx.workers.last();
        let is_news = last > std::mem::replace(&mut self.told, last);
        let changed = std::mem::take(&mut self.changed);
        let message = self.sums.changes(cx.now, last, &changed);
        if self.clients > FEW {
            let clients = u32::try_from(self.clients).unwrap_or(u32::MAX);
            self.next = cx.now + FOR_A_CLIENT * clients;
        }
        for key in cx.clients.keys() {
            let Some(client) = cx.clients.get_mut(key) else {
                continue;
            };
            let is_here = client.absence.is_none() && !client.leaving;
            let Some(heard) = &mut client.heard else {
                continue;
            };
            if is_news && heard.last < last && !heard.behind {
                heard.awaited = is_here;
                heard.behind = !heard.awaited;
                self.awaited += usize::from(heard.awaited);
                self.behind += usize::from(heard.behind);
            }
            cx.send_client(key, message.clone());
        }
    }

    /// Returns the new workers that begin, because all clients that are not behind have heard of them.
    fn begin_fresh<F: Frame>(&mut self, cx: &mut Context<F>) -> Vec<WorkerKey> {
        let mut begin = Vec::new();
        for key in std::mem::take(&mut self.fresh) {
            let Some(worker) = cx.workers.get_mut(key).filter(|worker| worker.is_new) else {
                continue;
            };
            if worker.number > self.told {
                self.fresh.push(key);
                continue;
            }
            worker.is_new = false;
            begin.push(key);
        }
        if !self.fresh.is_empty() || !self.changed.is_empty() {
            self.look_at(cx);
        }
        begin
    }

    /// Handles HEARD: the client has heard of all workers up to this number.
    pub(in crate::proto::broker) fn heard<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: ClientKey,
        last: u64,
    ) -> Confirmed {
        let newest = cx.workers.last();
        let client = cx.clients.get_mut(key);
        let heard = client.and_then(|client| client.heard.as_mut());
        let Some(heard) = heard.filter(|_| last <= newest) else {
            return Confirmed::default();
        };
        let has_news = last > heard.last;
        heard.last = heard.last.max(last);
        if heard.last < self.told {
            return Confirmed {
                releases: heard.behind && has_news,
                begin: Vec::new(),
            };
        }
        let was_behind = std::mem::take(&mut heard.behind);
        let was_awaited = std::mem::take(&mut heard.awaited);
        self.awaited -= usize::from(was_awaited);
        self.behind -= usize::from(was_behind);
        let mut confirmed = Confirmed {
            releases: was_behind,
            begin: Vec::new(),
        };
        if was_awaited && self.awaited == 0 {
            cx.cancel(&mut self.timer);
            confirmed.begin = self.begin_fresh(cx);
        }
        confirmed
    }

    /// Stops waiting for a client that is being removed, with more requests than end at once.
    pub(in crate::proto::broker) fn leave_behind<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: ClientKey,
    ) {
        if let Some(client) = cx.clients.get_mut(key)
            && let Some(heard) = &mut client.heard
            && !std::mem::replace(&mut heard.behind, true)
        {
            self.awaited -= usize::from(std::mem::take(&mut heard.awaited));
            self.behind += 1;
        }
    }

    /// Removes a client from the counts.
    pub(in crate::proto::broker) fn close<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        heard: Option<Heard>,
    ) {
        let Some(heard) = heard else {
            return;
        };
        self.clients -= 1;
        self.behind -= usize::from(heard.behind);
        self.awaited -= usize::from(heard.awaited);
        if self.clients == 0 {
            self.changed.clear();
            self.told = cx.workers.last();
        }
        if self.timer.is_some() && self.awaited == 0 {
            cx.cancel(&mut self.timer);
            if !self.fresh.is_empty() || !self.changed.is_empty() {
                self.look_at(cx);
            }
        }
    }
}
