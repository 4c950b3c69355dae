//! The brokers of a worker of several: they are added, and leave.

use super::WorkerOfSeveral;
use crate::proto::Time;
use crate::proto::machine::{DynamicBrokers, Machine};
use crate::proto::several::Several;
use crate::proto::worker::{Worker, WorkerConfig};
use crate::wire::Frame;

impl<F: Frame> Several for WorkerOfSeveral<F> {
    type One = Worker<F>;

    fn spare(one: &Worker<F>) -> Worker<F> {
        Worker::new(one.config().clone())
    }

    /// Takes over the state of a worker of one broker.
    fn of_one(broker: usize, mut worker: Worker<F>) -> Self {
        let mut several = WorkerOfSeveral::new(worker.config().concurrency);
        several.last_delivery = worker.last_delivery();
        several.brokers = worker.numbers().map(|number| (number, broker)).collect();
        several.left_running = worker.share_room();
        several.paused = worker.is_paused();
        several.stopping = worker.is_draining();
        several.members.insert(broker, worker);
        several
    }
}

impl<F: Frame> DynamicBrokers for WorkerOfSeveral<F> {
    type Config = WorkerConfig;

    /// Adds a broker and opens its link, or keeps one that was about to leave. Returns the configuration if the
    /// worker has said goodbye to that broker, which is not [gone](Self::poll_gone) yet.
    fn join(&mut self, now: Time, broker: usize, mut config: WorkerConfig) -> Option<WorkerConfig> {
        if self.stopping {
            return None;
        }
        match self.members.member(broker) {
            None => {
                config.concurrency = self.concurrency;
                let mut worker = Worker::new(config);
                worker.share_room();
                if self.paused {
                    worker.pause();
                }
                worker.start();
                self.members.insert(broker, worker);
            }
            Some(member) => {
                if member.leaving && (member.ended || !member.machine.stay()) {
                    return Some(config);
                }
                member.leaving = false;
            }
        }
        self.room_changed(now);
        None
    }

    /// Removes a broker when all its requests that have started have ended.
    fn leave(&mut self, now: Time, broker: usize) {
        if let Some(member) = self.members.member(broker)
            && !std::mem::replace(&mut member.leaving, true)
            && !member.ended
        {
            member.machine.stop(now, None);
        }
        self.room_changed(now);
    }

    /// A broker that is gone. Must be called after `poll_action`.
    fn poll_gone(&mut self) -> Option<usize> {
        self.members.poll_gone()
    }
}
