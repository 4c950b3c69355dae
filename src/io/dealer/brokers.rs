//! Adds and removes brokers of a running worker or client.

use super::{Driver, DynamicBrokers, Endpoint};
use crate::io::Message;
use crate::io::connection::Connection;
use crate::proto::Time;

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    #[cold]
    pub(super) fn join(
        &mut self,
        now: Time,
        broker: usize,
        endpoint: Box<Endpoint>,
        config: M::Config,
    ) {
        self.joining.retain(|(each, ..)| *each != broker);
        if let Some(config) = self.machine.join(now, broker, config) {
            return self.joining.push((broker, endpoint, Box::new(config)));
        }
        if self.connections.iter().all(|each| each.broker != broker) {
            self.connections.push(Connection::new(broker, *endpoint));
        }
    }

    #[cold]
    pub(super) fn leave(&mut self, now: Time, broker: usize) {
        self.joining.retain(|(each, ..)| *each != broker);
        self.machine.leave(now, broker);
    }

    /// Drops the brokers that the machine has finished with.
    pub(super) fn drop_finished(&mut self, now: Time) {
        while let Some(gone) = self.machine.poll_gone() {
            if let Some(at) = self.connections.iter().position(|each| each.broker == gone) {
                self.connections.remove(at).close();
            }
            let joins = self.joining.iter().position(|(broker, ..)| *broker == gone);
            if let Some(at) = joins {
                let (broker, endpoint, config) = self.joining.remove(at);
                self.join(now, broker, endpoint, *config);
                self.carry_out(now);
            }
        }
    }
}
