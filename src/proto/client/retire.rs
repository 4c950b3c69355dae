//! A broker that is to be left, while there are others: it gets no more requests, those that it has not
//! started are for others, and it is told goodbye when the rest has ended.
//!
//! Which of them it has not started is known of those that are parked, see [`resume`](super::resume). A
//! broker that can't start a request soon parks it, so what stays has a worker, or is near one.

use super::pending::Stage;
use super::{Client, ClientNotice};
use crate::proto::link::Loss;
use crate::wire::Frame;
use crate::wire::omdp::ClientMessage;

impl<F: Frame> Client<F> {
    /// Takes no more requests, or takes them again. What waits is to be had by
    /// [`give_waiting`](Self::give_waiting).
    pub(in crate::proto) fn retire(&mut self, retiring: bool) {
        self.retiring = retiring;
        if retiring {
            self.take_parked_back();
        }
    }

    /// What is parked waits here again. Its broker hears that nobody wants it there any more.
    pub(super) fn take_parked_back(&mut self) {
        let parked = self.requests.iter();
        let parked = parked.filter(|(_, request)| matches!(request.stage, Stage::Parked));
        let mut ids: Vec<u64> = parked.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for id in ids {
            let rid = self.rid(id);
            let expired = false;
            self.transmits.push(ClientMessage::Cancel { rid, expired });
            if let Some(request) = self.requests.get_mut(&id) {
                request.stage = Stage::Waiting;
                request.again += 1;
                self.waiting.insert(id);
            }
        }
    }

    /// Nothing is left to be done with this broker.
    pub(in crate::proto) fn depart(&mut self) {
        self.say_goodbye(Loss::Removed);
    }

    pub(super) fn say_goodbye(&mut self, why: Loss) {
        // As with a cancel, one that has not said hello may be ours nevertheless.
        if self.link.is_up() {
            self.transmits.push(ClientMessage::Disconnect);
        }
        if self.connected {
            self.connected = false;
            self.notices.push(ClientNotice::Disconnected(why));
        }
        self.link.close();
    }
}
