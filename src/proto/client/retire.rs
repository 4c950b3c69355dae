//! Retirement: the broker is to be left while there are others. It gets no more requests, those that have not started
//! go to other brokers, and the goodbye follows when the rest has ended.
//!
//! Only parked requests are known not to have started, see [`resume`](super::resume). A broker parks requests that
//! cannot start soon, so the others run, or their turn is near.

use super::pending::Stage;
use super::{Client, ClientNotice};
use crate::proto::link::Loss;
use crate::wire::Frame;
use crate::wire::omdp::ClientMessage;

impl<F: Frame> Client<F> {
    /// Stops taking requests, or takes them again. [`give_waiting`](Self::give_waiting) returns those that wait.
    pub(in crate::proto) fn retire(&mut self, retiring: bool) {
        self.retiring = retiring;
        if retiring {
            self.take_parked_back();
        }
    }

    /// Makes parked requests wait here again, and cancels them at the broker.
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

    /// Says goodbye to a broker with which nothing is left to do.
    pub(in crate::proto) fn depart(&mut self) {
        self.say_goodbye(Loss::Removed);
    }

    pub(super) fn say_goodbye(&mut self, why: Loss) {
        // As with a cancellation, a broker without a hello may still be an extended one.
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
