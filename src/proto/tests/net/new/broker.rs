//! A broker and its socket.

use crate::proto::broker::{BrokerConfig, BrokerEvent, Departure, EndedRequest};
use crate::proto::tests::net::actor::{Actor, Effect, Frames, Wakes};
use crate::proto::{Broker, Time};
use crate::wire::packed::pack;

pub struct BrokerActor {
    pub machine: Broker<Vec<u8>>,
    pub config: BrokerConfig,
    pub events: Vec<(Time, BrokerEvent)>,
    /// Number of starts.
    pub life: u32,
    wakes: Wakes,
}

impl BrokerActor {
    pub fn new(config: BrokerConfig) -> Self {
        BrokerActor {
            machine: Broker::new(config.clone()),
            config,
            events: Vec::new(),
            life: 0,
            wakes: Wakes::default(),
        }
    }

    /// The ends of requests, if they are logged.
    pub fn ended_requests(&self) -> Vec<&EndedRequest> {
        let ended = self.events.iter().filter_map(|(_, event)| match event {
            BrokerEvent::RequestEnded(ended) => Some(&**ended),
            _ => None,
        });
        ended.collect()
    }

    /// The workers that are gone: time, reason, and lost requests.
    pub fn departures(&self) -> Vec<(Time, Departure, usize)> {
        let gone = self.events.iter().filter_map(|(at, event)| match event {
            BrokerEvent::WorkerGone { why, lost, .. } => Some((*at, *why, *lost)),
            _ => None,
        });
        gone.collect()
    }

    /// The senders of malformed messages, and the faults.
    pub fn bad_messages(&self) -> Vec<(&[u8], &'static str)> {
        let bad = self.events.iter().filter_map(|(_, event)| match event {
            BrokerEvent::BadMessage { peer, why } => Some((&**peer, *why)),
            _ => None,
        });
        bad.collect()
    }
}

impl Actor for BrokerActor {
    fn start(&mut self, _now: Time) {
        self.life += 1;
        let mut config = self.config.clone();
        config.session = format!("{}.{}", config.session, self.life);
        self.machine = Broker::new(config);
    }

    fn crash(&mut self) {
        self.machine = Broker::new(self.config.clone());
    }

    fn gone(&mut self, now: Time, peer: &[u8]) {
        self.machine.handle_gone(now, peer);
    }

    fn broken(&mut self, now: Time, peer: &[u8]) {
        self.machine.handle_broken(now, peer);
    }

    fn message(&mut self, now: Time, from: &[u8], mut frames: Frames) {
        self.machine.handle_message(now, from, &mut frames);
        assert!(frames.is_empty(), "the frames are reused");
    }

    fn deadline(&self) -> Option<Time> {
        self.machine.next_deadline()
    }

    fn timeout(&mut self, now: Time) {
        // The deadlines of one instant may take several calls.
        for _ in 0..10 {
            self.machine.handle_timeout(now);
            if self.machine.next_deadline().is_none_or(|at| at > now) {
                break;
            }
        }
        self.wakes.count(now, self.machine.next_deadline());
    }

    fn drain(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while self.machine.handle_flushed(now) {}
        for transmit in self.machine.drain_transmits() {
            let mut frames = Vec::new();
            let to = transmit.to.to_vec();
            let packed = transmit.packed;
            transmit.encode(&mut frames);
            if packed {
                pack(&mut frames, 0);
            }
            effects.push(Effect::SendTo(to, frames));
        }
        self.events
            .extend(self.machine.drain_events(now).map(|told| (now, told.event)));
    }

    fn audit(&self) {
        self.machine.audit();
    }
}
