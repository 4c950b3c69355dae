//! A worker, its socket, and an application that follows the handler.

use super::{LinkNews, effect};
use crate::proto::code::Code;
use crate::proto::flow::{self, CREDIT_STEP, WINDOW};
use crate::proto::machine::Machine;
use crate::proto::tests::net::actor::{Actor, Effect, Frames, Handler, Serves, Wakes};
use crate::proto::tests::net::{Job, Jobs, Outcome, Step};
use crate::proto::worker::{Retract, Worked, WorkerConfig, WorkerNotice};
use crate::proto::{Time, Worker};
use crate::wire::omdp::WorkerMessage;
use crate::wire::packed::pack;
use crate::wire::{Body, Malformed};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

struct Offer {
    delivery: u64,
    body: Body<Vec<u8>>,
    opts: Option<Vec<u8>>,
    retried: u8,
    stream: bool,
    deadline: Option<Time>,
    service: Option<Vec<u8>>,
    returnable: bool,
}

/// The received data of a request with a stream. The application answers with the number of parts at their end,
/// unless the handler says otherwise.
#[derive(Default)]
pub struct Inflow {
    pub parts: Vec<Body<Vec<u8>>>,
    pub ended: bool,
    pub unread: u32,
    owed: u32,
}

/// The cost of a reply's parts that were sent, and the remaining credit.
pub struct Stream {
    pub request: Vec<u8>,
    pub sent: i64,
    pub credit: i64,
}

pub struct WorkerActor {
    pub machine: Worker<Vec<u8>>,
    /// Whether its hellos lack `holds`, as those of earlier versions.
    pub is_earlier: bool,
    pub config: WorkerConfig,
    life: u32,
    handler: Handler,
    /// Deliveries that the application has taken and not ended.
    jobs: Jobs<u64>,
    /// Offers that the application has not taken.
    offers: VecDeque<Offer>,
    /// The streams of its jobs.
    pub streams: BTreeMap<u64, Stream>,
    /// The received data of requests, also after their end.
    pub inflows: BTreeMap<u64, Inflow>,
    /// Whether the application reads them.
    pub reads: bool,
    /// Whether the handler answers a request with a stream before its end.
    pub answers_early: bool,
    /// The deadline of each request it took.
    pub deadlines: Vec<Option<Time>>,
    /// The application's thread is busy, and neither takes nor answers.
    pub busy: bool,
    /// The application takes nothing, and has told the machine.
    pub paused: bool,
    /// The bodies of the requests that the application took, in order, over all lives.
    pub started: Vec<Body<Vec<u8>>>,
    /// The deliveries of [`started`](Self::started), and the options that came with them.
    pub deliveries: Vec<(u64, Option<Vec<u8>>)>,
    /// The number of earlier attempts of each of them.
    pub retried: Vec<u8>,
    /// The name that the client asked for, if it is not that of the service.
    pub asked: Vec<Option<String>>,
    /// Whether cancelled handlers go on until they end.
    pub goes_on: bool,
    /// Cancelled deliveries whose handlers go on.
    left: BTreeSet<u64>,
    /// The machine waits for a pong.
    pinged: bool,
    /// What the machine has not been told: the last delivery taken, and when the first was.
    taken: Option<(u64, Time)>,
    /// Number of returns.
    pub returns: usize,
    pub cancelled: Vec<(Time, u64, Code)>,
    pub news: Vec<(Time, LinkNews)>,
    pub faults: Vec<Malformed>,
    pub drained: Option<Time>,
    /// The maximum of requests that ran at once.
    pub most_running: usize,
    wakes: Wakes,
}

impl WorkerActor {
    pub fn new(config: WorkerConfig) -> Self {
        WorkerActor {
            machine: Self::machine(&config, 0),
            is_earlier: false,
            config,
            life: 0,
            handler: Rc::new(Job::echo),
            jobs: Jobs::new(),
            offers: VecDeque::new(),
            streams: BTreeMap::new(),
            inflows: BTreeMap::new(),
            reads: true,
            answers_early: false,
            deadlines: Vec::new(),
            busy: false,
            paused: false,
            started: Vec::new(),
            deliveries: Vec::new(),
            retried: Vec::new(),
            asked: Vec::new(),
            goes_on: false,
            left: BTreeSet::new(),
            pinged: false,
            taken: None,
            returns: 0,
            cancelled: Vec::new(),
            news: Vec::new(),
            faults: Vec::new(),
            drained: None,
            most_running: 0,
            wakes: Wakes::default(),
        }
    }

    /// Ends a delivery as the application would.
    pub fn end(&mut self, now: Time, delivery: u64, outcome: Outcome) {
        self.leave(now, delivery);
        match outcome {
            Outcome::Final(body) => self.machine.finish(now, delivery, body),
            Outcome::Error(value) => self.machine.error(now, delivery, value),
            Outcome::Reject(reason) => self.machine.reject(now, delivery, reason),
        }
    }

    /// Ends a delivery whose handler takes too long.
    pub fn expire(&mut self, now: Time, delivery: u64) {
        self.leave(now, delivery);
        self.machine.expire(now, delivery);
    }

    fn leave(&mut self, now: Time, delivery: u64) {
        self.jobs.drop(&delivery);
        self.left.remove(&delivery);
        self.streams.remove(&delivery);
        self.machine.handle_worked(Worked {
            taken: self.taken.take(),
            at: now,
            ends: 1,
        });
    }

    /// Sends a partial. The next one waits until there is credit.
    fn partial(&mut self, now: Time, delivery: u64, body: Body<Vec<u8>>) {
        if let Some(stream) = self.streams.get_mut(&delivery) {
            let cost = i64::from(flow::cost(&body));
            stream.sent += cost;
            stream.credit -= cost;
            self.jobs.block(&delivery, stream.credit <= 0);
        }
        self.machine.partial(now, delivery, body);
    }

    /// Sets whether the application reads the data of requests.
    pub fn set_reading(&mut self, reads: bool) {
        self.reads = reads;
        let ids: Vec<u64> = self.streams.keys().copied().collect();
        for id in ids.into_iter().filter(|_| reads) {
            self.machine.read(id, 0);
            self.read(id);
        }
    }

    fn read(&mut self, delivery: u64) {
        let Some(inflow) = self.inflows.get_mut(&delivery) else {
            return;
        };
        inflow.owed += std::mem::take(&mut inflow.unread);
        if inflow.owed >= CREDIT_STEP {
            let bytes = std::mem::take(&mut inflow.owed);
            self.machine.read(delivery, bytes);
        }
    }

    fn send(&mut self, effects: &mut Vec<Effect>) {
        let form = self.machine.form();
        let (returns, is_earlier) = (&mut self.returns, self.is_earlier);
        self.machine.take_messages(|mut message| {
            if is_earlier
                && let WorkerMessage::Ready {
                    hello: Some(hello), ..
                } = &mut message
            {
                let text = String::from_utf8_lossy(hello);
                *hello = text.replace(r#""holds":true,"#, "").into_bytes();
            }
            *returns += usize::from(matches!(message, WorkerMessage::Return { .. }));
            let mut frames = Vec::new();
            form.encode_of_worker(message, &mut frames);
            if form.packed {
                pack(&mut frames, 0);
            }
            if !frames.is_empty() {
                effects.push(Effect::Send(frames));
            }
        });
    }

    fn chunk(&mut self, now: Time, delivery: u64, body: Option<Body<Vec<u8>>>) {
        // It may have ended in the same instant.
        if !self.streams.contains_key(&delivery) {
            return;
        }
        let inflow = self.inflows.entry(delivery).or_default();
        assert!(!inflow.ended, "a chunk behind the end");
        if let Some(body) = body {
            assert!(inflow.unread < WINDOW, "more than the window");
            inflow.unread += flow::cost(&body);
            inflow.parts.push(body);
            if self.reads {
                self.read(delivery);
            }
            return;
        }
        inflow.ended = true;
        let count = inflow.parts.len().to_string();
        if self.jobs.is_endless(&delivery) {
            self.end(now, delivery, Outcome::Final(super::super::json(&count)));
        }
    }

    fn machine(config: &WorkerConfig, life: u32) -> Worker<Vec<u8>> {
        let mut config = config.clone();
        config.session = format!("{}.{life}", config.session);
        Worker::new(config)
    }

    pub fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.config.concurrency = concurrency;
        self.machine.set_concurrency(now, concurrency);
    }

    pub fn pause(&mut self) {
        self.paused = true;
        self.machine.pause();
    }

    pub fn unpause(&mut self, now: Time) {
        self.paused = false;
        self.machine.unpause(now);
    }

    /// Takes offers as far as there is room.
    fn take(&mut self, now: Time) {
        let room = self.config.concurrency.unwrap_or(usize::MAX);
        while !self.busy
            && !self.paused
            && self.jobs.len() < room
            && let Some(offer) = self.offers.pop_front()
        {
            let job = match offer.stream {
                true if offer.body.bytes.is_empty() && !self.answers_early => Job::endless(),
                _ => (self.handler)(&offer.body),
            };
            if offer.stream {
                self.inflows.insert(offer.delivery, Inflow::default());
                if self.reads {
                    self.machine.read(offer.delivery, 0);
                }
            }
            self.deadlines.push(offer.deadline);
            self.jobs.begin(now, offer.delivery, job);
            let stream = Stream {
                request: offer.body.bytes.clone(),
                sent: 0,
                credit: WINDOW.into(),
            };
            self.streams.insert(offer.delivery, stream);
            let since = self.taken.map_or(now, |(_, since)| since);
            self.taken = Some((offer.delivery, since));
            self.most_running = self.most_running.max(self.jobs.len());
            self.deliveries.push((offer.delivery, offer.opts));
            self.retried.push(offer.retried);
            self.asked.push(
                offer
                    .service
                    .map(|name| String::from_utf8_lossy(&name).into_owned()),
            );
            self.started.push(offer.body);
        }
    }

    /// Takes offers back, the latest first.
    fn retract(&mut self, now: Time) {
        let Some(Retract {
            outstanding, limit, ..
        }) = self.machine.poll_retract()
        else {
            return;
        };
        // Offers that the machine has just made are not in the queue yet.
        self.report(now);
        let mut back = Vec::new();
        for at in (0..self.offers.len()).rev() {
            if back.len() < outstanding.saturating_sub(limit) && self.offers[at].returnable {
                back.extend(self.offers.remove(at).map(|offer| offer.delivery));
            }
        }
        back.reverse();
        self.machine.handle_retracted(now, &back);
    }

    fn report(&mut self, now: Time) {
        let notices: Vec<_> = self.machine.take_notices().collect();
        for notice in notices {
            self.note(now, notice);
        }
    }

    fn note(&mut self, now: Time, notice: WorkerNotice<Vec<u8>>) {
        match notice {
            WorkerNotice::Request {
                delivery,
                body,
                opts,
                retried,
                stream,
                deadline,
                service,
                returnable,
                ..
            } => self.offers.push_back(Offer {
                delivery,
                body,
                opts,
                retried,
                stream,
                deadline: (deadline != Time::NEVER).then_some(deadline),
                service: service.map(|name| *name),
                returnable,
            }),
            WorkerNotice::Chunk { delivery, body, .. } => self.chunk(now, delivery, Some(body)),
            WorkerNotice::ChunkEnd { delivery } => self.chunk(now, delivery, None),
            WorkerNotice::Cancelled { delivery, code } => {
                let offers = self.offers.len();
                self.offers.retain(|offer| offer.delivery != delivery);
                // The application never learns of an offer that it did not take.
                if self.offers.len() == offers {
                    self.streams.remove(&delivery);
                    if self.goes_on {
                        self.left.insert(delivery);
                        self.machine.handle_left_running(now, delivery);
                    } else {
                        self.jobs.drop(&delivery);
                    }
                    self.cancelled.push((now, delivery, code));
                }
            }
            WorkerNotice::Credit { delivery, bytes } => {
                assert!(bytes > 0);
                // It may have ended in the same instant.
                if let Some(stream) = self.streams.get_mut(&delivery) {
                    stream.credit += bytes;
                    self.jobs.block(&delivery, stream.credit <= 0);
                }
            }
            WorkerNotice::Connected => self.news.push((now, LinkNews::Connected)),
            WorkerNotice::Disconnected(why) => self.news.push((now, LinkNews::Lost(why))),
            WorkerNotice::Fault(why) => self.faults.push(why),
            WorkerNotice::Drained => {
                assert_eq!(self.machine.outstanding(), 0, "drained with work in hand");
                self.drained = Some(now);
            }
        }
    }
}

impl Actor for WorkerActor {
    fn start(&mut self, _now: Time) {
        self.drained = None;
        self.machine.start();
    }

    fn crash(&mut self) {
        self.life += 1;
        self.machine = Self::machine(&self.config, self.life);
        self.jobs = Jobs::new();
        self.left.clear();
        self.offers.clear();
        self.streams.clear();
        self.taken = None;
        self.busy = false;
        self.pinged = false;
    }

    fn up(&mut self, now: Time) {
        self.machine.handle_up(0, now);
    }

    fn refused(&mut self, now: Time) {
        self.machine.handle_refused(0, now);
    }

    fn down(&mut self, now: Time) {
        self.machine.handle_down(0, now);
    }

    fn message(&mut self, now: Time, _from: &[u8], mut frames: Frames) {
        self.machine.handle_message(0, now, &mut frames);
        assert!(frames.is_empty(), "the frames are reused");
    }

    fn deadline(&self) -> Option<Time> {
        let jobs = self.jobs.deadline().filter(|_| !self.busy);
        let times = [self.machine.next_deadline(), jobs];
        times.into_iter().flatten().min()
    }

    fn timeout(&mut self, now: Time) {
        if self.machine.next_deadline().is_some_and(|at| at <= now) {
            self.machine.handle_timeout(now);
            self.wakes.count(now, self.machine.next_deadline());
        }
        while !self.busy
            && let Some((delivery, step)) = self.jobs.due(now)
        {
            match step {
                Step::Partial(body) => self.partial(now, delivery, body),
                Step::End(outcome) => self.end(now, delivery, outcome),
            }
        }
    }

    fn drain(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.retract(now);
        self.pinged |= self.machine.poll_ping();
        if self.pinged && !self.busy {
            self.pinged = false;
            self.machine.handle_pong(now);
        }
        self.send(effects);
        effects.extend(self.machine.poll_action(0).map(effect));
        self.report(now);
        self.take(now);
        if !self.inflows.is_empty() {
            // NEED for what was read of streams is sent at once.
            self.send(effects);
        }
    }

    fn audit(&self) {
        self.machine.audit();
        let held = self.jobs.len() - self.left.len() + self.offers.len();
        assert_eq!(
            self.machine.outstanding(),
            held,
            "deliveries held, and deliveries known"
        );
    }

    fn serves(&mut self) -> &mut dyn Serves {
        self
    }
}

impl Serves for WorkerActor {
    fn set_handler(&mut self, handler: Handler) {
        self.handler = handler;
    }

    fn started(&self) -> &[Body<Vec<u8>>] {
        &self.started
    }
}
