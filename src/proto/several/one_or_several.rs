//! A worker or client whose brokers can change: the machine of one broker as long as there has been only one,
//! otherwise that of several brokers, which is also used before the first is known.

use crate::proto::Time;
use crate::proto::link::Action;
use crate::proto::machine::{DynamicBrokers, Machine, Stats};
use crate::proto::worker::Retract;
use std::mem::replace;
use std::ops::ControlFlow;

/// The machine.
#[derive(Debug)]
pub enum OneOrSeveral<One, Many> {
    /// The machine of one broker, with its number.
    One(usize, One),
    /// The machine of several brokers.
    Several(Box<Many>),
}

/// A machine of several brokers.
pub trait Several: DynamicBrokers {
    /// The machine of one broker.
    type One;

    /// Takes over the state of a machine of one broker.
    fn of_one(broker: usize, one: Self::One) -> Self;
    /// An unused machine of one broker, as a placeholder.
    fn spare(one: &Self::One) -> Self::One;
}

impl<Many: Several> OneOrSeveral<Many::One, Many> {
    /// The machine for brokers with these configurations, which get the numbers from 0 on. `one` makes the machine of
    /// one broker, and `none` that of several, without any.
    pub fn new(
        now: Time,
        configs: Vec<Many::Config>,
        one: impl FnOnce(Many::Config) -> Many::One,
        none: impl FnOnce() -> Many,
    ) -> Self {
        match <[_; 1]>::try_from(configs) {
            Ok([config]) => OneOrSeveral::One(0, one(config)),
            Err(configs) => {
                let mut several = none();
                for (broker, config) in configs.into_iter().enumerate() {
                    several.join(now, broker, config);
                }
                OneOrSeveral::Several(Box::new(several))
            }
        }
    }

    #[cold]
    fn widen(&mut self) -> &mut Many {
        if let OneOrSeveral::One(broker, one) = self {
            let spare = Many::spare(one);
            let many = Many::of_one(*broker, replace(one, spare));
            *self = OneOrSeveral::Several(Box::new(many));
        }
        match self {
            OneOrSeveral::Several(many) => many,
            OneOrSeveral::One(..) => unreachable!("it was made one of several"),
        }
    }
}

impl<Many: Several> DynamicBrokers for OneOrSeveral<Many::One, Many>
where
    Many::One: Machine<Frame = Many::Frame, Command = Many::Command, Notice = Many::Notice>,
{
    type Config = Many::Config;

    fn join(&mut self, now: Time, broker: usize, config: Many::Config) -> Option<Many::Config> {
        self.widen().join(now, broker, config)
    }

    fn leave(&mut self, now: Time, broker: usize) {
        self.widen().leave(now, broker);
    }

    fn poll_gone(&mut self) -> Option<usize> {
        match self {
            OneOrSeveral::One(..) => None,
            OneOrSeveral::Several(many) => many.poll_gone(),
        }
    }
}

/// Makes a call to either machine.
macro_rules! either {
    ($self:ident, $machine:ident => $what:expr) => {
        match $self {
            OneOrSeveral::One(_, $machine) => $what,
            OneOrSeveral::Several($machine) => $what,
        }
    };
}

impl<Many: Several> Machine for OneOrSeveral<Many::One, Many>
where
    Many::One: Machine<Frame = Many::Frame, Command = Many::Command, Notice = Many::Notice>,
{
    type Frame = Many::Frame;
    type Command = Many::Command;
    type Notice = Many::Notice;

    fn start(&mut self) {
        either!(self, machine => machine.start());
    }

    fn handle_command(&mut self, now: Time, command: Self::Command) -> ControlFlow<()> {
        either!(self, machine => machine.handle_command(now, command))
    }

    fn unflushed(&self) -> usize {
        either!(self, machine => machine.unflushed())
    }

    fn handle_exit(&mut self, now: Time) -> ControlFlow<()> {
        either!(self, machine => machine.handle_exit(now))
    }

    fn stats(&self, offers: usize) -> Stats {
        either!(self, machine => machine.stats(offers))
    }

    fn poll_ping(&mut self) -> bool {
        either!(self, machine => machine.poll_ping())
    }

    fn handle_up(&mut self, broker: usize, now: Time) {
        either!(self, machine => machine.handle_up(broker, now));
    }

    fn handle_down(&mut self, broker: usize, now: Time) {
        either!(self, machine => machine.handle_down(broker, now));
    }

    fn handle_refused(&mut self, broker: usize, now: Time) {
        either!(self, machine => machine.handle_refused(broker, now));
    }

    fn handle_reached(&mut self, broker: usize, now: Time) {
        either!(self, machine => machine.handle_reached(broker, now));
    }

    fn handle_bytes(&mut self, broker: usize, now: Time) {
        either!(self, machine => machine.handle_bytes(broker, now));
    }

    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<Self::Frame>) {
        either!(self, machine => machine.handle_message(broker, now, frames));
    }

    fn handle_timeout(&mut self, now: Time) {
        either!(self, machine => machine.handle_timeout(now));
    }

    fn next_deadline(&self) -> Option<Time> {
        either!(self, machine => machine.next_deadline())
    }

    fn drain_transmits(&mut self, broker: usize, send: impl FnMut(&mut Vec<Self::Frame>, bool)) {
        either!(self, machine => machine.drain_transmits(broker, send));
    }

    fn drain_notices(&mut self, mut report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        match self {
            OneOrSeveral::One(broker, one) => {
                one.drain_notices(|_, notice| report(*broker, notice))
            }
            OneOrSeveral::Several(many) => many.drain_notices(report),
        }
    }

    fn watches_congestion(&self, broker: usize) -> bool {
        either!(self, machine => machine.watches_congestion(broker))
    }

    fn channels(&self, broker: usize) -> Option<u16> {
        either!(self, machine => machine.channels(broker))
    }

    fn handle_congestion(&mut self, broker: usize, congested: bool) {
        either!(self, machine => machine.handle_congestion(broker, congested));
    }

    fn poll_action(&mut self, broker: usize) -> Option<Action> {
        either!(self, machine => machine.poll_action(broker))
    }

    fn handle_left_running(&mut self, now: Time, offer: u64) {
        either!(self, machine => machine.handle_left_running(now, offer));
    }

    fn poll_retract(&mut self) -> Option<Retract> {
        either!(self, machine => machine.poll_retract())
    }

    fn is_of(&self, broker: usize, offer: u64) -> bool {
        either!(self, machine => machine.is_of(broker, offer))
    }

    fn handle_retracted(&mut self, now: Time, offers: &[u64]) {
        either!(self, machine => machine.handle_retracted(now, offers));
    }
}
