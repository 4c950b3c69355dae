//! A request that has not ended.

use super::{
    Assigned, Attempts, CopyOf, DataStream, Deadline, Gathering, Lane, ParkState, Routing,
    Sequence, State,
};
use crate::proto::Time;
use crate::proto::broker::keys::{ClientKey, ServiceKey, WorkerKey};
use crate::proto::code::Code;
use crate::wire::{Body, Frame};

#[derive(Debug)]
pub(in crate::proto::broker) struct Request<F> {
    pub(in crate::proto::broker) client: ClientKey,
    pub(in crate::proto::broker) rid: F,
    /// The home: the service whose workers it waits for or has been given to.
    pub(in crate::proto::broker) service: ServiceKey,
    /// `None`: any worker of the named service may have it, in its turn.
    pub(in crate::proto::broker) routing: Option<Box<Routing>>,
    /// The content for a worker. Kept until the request ends, because a worker may return it or be lost.
    pub(in crate::proto::broker) content: Content<F>,
    pub(in crate::proto::broker) state: State,
    /// `None`: it has no idle timeout.
    pub(in crate::proto::broker) deadline: Option<Deadline>,
    /// How many times it may still be given to another worker after its worker was lost.
    pub(in crate::proto::broker) retry: u8,
    /// Its earlier attempts.
    pub(in crate::proto::broker) attempts: Attempts,
    /// Whether it ends at once when its service has no worker.
    pub(super) fail_fast: bool,
    /// Present if its data are a stream.
    pub(in crate::proto::broker) data_stream: Option<Box<DataStream>>,
    /// The bytes it counts in the queue and at its worker: body and options.
    pub(super) bytes: usize,
    /// Bytes that its client's account was charged.
    pub(in crate::proto::broker) charged: usize,
    pub(in crate::proto::broker) arrived: Time,
    pub(super) serial: u32,
}

impl<F: Frame> Request<F> {
    /// The id for a worker of 0.0.92. Such a worker goes on with old requests after a reconnect. So each attempt has
    /// an id of its own, and late replies to an earlier attempt match no request.
    pub(in crate::proto::broker) fn name_without_token(&self) -> F {
        match self.attempts.count() {
            0 => self.rid.clone(),
            retried => F::from([&*self.rid, format!("~{retried}").as_bytes()].concat()),
        }
    }
}

impl<F> Request<F> {
    /// Its lane in the queue; `None` is the plain lane.
    pub(super) fn lane(&self) -> Option<Lane> {
        self.routing.as_deref()?.lane()
    }

    pub(super) fn sequence(&self) -> Sequence {
        let routing = self.routing.as_deref();
        routing.map_or(Sequence::FIRST, |routing| routing.sequence())
    }

    pub(in crate::proto::broker) fn is_fail_fast(&self) -> bool {
        self.fail_fast
    }

    /// The code with which it ends if there is no worker for it.
    pub(in crate::proto::broker) fn code_for_nobody(&self) -> Code {
        match self.attempts.may_have_started() {
            true => Code::WorkerLost,
            false => Code::NoWorker,
        }
    }

    /// Whether it has not been given to a worker.
    pub(in crate::proto::broker) fn is_waiting(&self) -> bool {
        !matches!(self.state, State::Assigned(_))
    }

    /// Whether it counts as waiting while it is beside its queue.
    pub(super) fn counts_beside(&self) -> bool {
        match &self.state {
            State::Reclaimed(reclaimed) => reclaimed.waits,
            _ => true,
        }
    }

    /// Whether it waits, and no worker can have had it.
    pub(in crate::proto::broker) fn has_never_started(&self) -> bool {
        let waits = matches!(self.state, State::Queued(_) | State::SetAside(_));
        waits && !self.attempts.may_have_started() && !self.is_copy()
    }

    /// Whether it may be parked while it waits. After an attempt at a lost worker a request is not known to be unstarted;
    /// but one that is parked already waits, also if it has run before.
    pub(in crate::proto::broker) fn may_be_parked(&self) -> bool {
        let has_started = self.attempts.may_have_started();
        let is_open =
            matches!(&self.state, State::Queued(queued) if queued.park() == ParkState::Open);
        !(has_started && is_open)
    }

    pub(in crate::proto::broker) fn worker(&self) -> Option<WorkerKey> {
        match &self.state {
            State::Assigned(assigned) => Some(assigned.worker),
            _ => None,
        }
    }

    /// When it was given to the worker that has it, or had it until now. A fan-out does not wait; its copies do.
    pub(in crate::proto::broker) fn given(&self) -> Option<Time> {
        match &self.state {
            State::Gathering(_) => Some(self.arrived),
            State::Assigned(assigned) => Some(assigned.given),
            State::Reclaimed(reclaimed) => Some(reclaimed.given),
            _ => None,
        }
    }

    pub(in crate::proto::broker) fn assigned_mut(&mut self) -> Option<&mut Assigned> {
        match &mut self.state {
            State::Assigned(assigned) => Some(assigned),
            _ => None,
        }
    }

    pub(in crate::proto::broker) fn gathering_mut(&mut self) -> Option<&mut Gathering> {
        match &mut self.state {
            State::Gathering(gathering) => Some(gathering),
            _ => None,
        }
    }

    /// Milliseconds until its deadline, if it has one.
    pub(in crate::proto::broker) fn left_ms(&self, now: Time) -> Option<u32> {
        self.deadline.as_ref()?.left_ms(now)
    }

    /// Of which fan-out it is a copy, if it is one.
    pub(in crate::proto::broker) fn copy_of(&self) -> Option<&CopyOf> {
        match &self.state {
            State::Addressed(copy) => Some(copy),
            State::Assigned(assigned) => assigned.copy.as_deref(),
            State::Reclaimed(reclaimed) => reclaimed.copy.as_deref(),
            _ => None,
        }
    }

    /// Number of parts of its reply that went to the client.
    pub(in crate::proto::broker) fn parts(&self) -> u32 {
        match &self.state {
            State::Assigned(assigned) => assigned.parts(),
            State::Gathering(gathering) => gathering.parts,
            _ => 0,
        }
    }

    pub(in crate::proto::broker) fn is_copy(&self) -> bool {
        self.copy_of().is_some()
    }

    /// Restarts the idle timeout after a sign of life.
    pub(in crate::proto::broker) fn extend(&mut self, now: Time) {
        if let Some(deadline) = &mut self.deadline {
            deadline.extend(now);
        }
    }
}

#[derive(Debug, Clone)]
pub(in crate::proto::broker) struct Content<F> {
    pub(in crate::proto::broker) body: Body<F>,
    pub(in crate::proto::broker) opts: Option<F>,
}

impl<F: Frame> Content<F> {
    pub(in crate::proto::broker) fn size(&self) -> usize {
        self.body.bytes.len() + self.opts.as_ref().map_or(0, |opts| opts.len())
    }
}
