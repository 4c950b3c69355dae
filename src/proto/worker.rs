//! The worker: registers its service, takes requests, hands them out as many at a time as may
//! run, and drains before it leaves.
//!
//! A delivery is one request in the hands of this worker. It belongs to the connection on which
//! it came: when that is lost, the broker tells the client, and nobody waits for the reply.

use super::Time;
use super::code::Code;
use super::link::{Action, Due, Link, LinkConfig, Loss};
use crate::wire::omdp::{ReplyKind, ToWorker, WorkerMessage, error_for_old};
use crate::wire::{Body, Frame, Hello, Malformed};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How a worker behaves.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// The one service that this worker offers.
    pub service: String,
    /// How many requests may run at once; `None` is without limit. Default 1.
    pub concurrency: Option<usize>,
    /// Tells one life of an identity from the next, see [`Hello::session`].
    pub session: String,
}

/// What the worker reports to its user.
#[derive(Debug, PartialEq, Eq)]
pub enum WorkerNotice<F> {
    /// A request to be worked on.
    Request {
        /// This worker's number for it, never used twice.
        delivery: u64,
        /// What the client sent.
        body: Body<F>,
        /// The client's options as JSON, from a broker that passes them on.
        opts: Option<F>,
    },
    /// Nobody waits for this delivery any more; what is still sent for it goes nowhere.
    Cancelled {
        /// The number it was given out under.
        delivery: u64,
        /// Why.
        code: Code,
    },
    /// The broker has this worker.
    Connected,
    /// It has not any more; the worker is looking for it.
    Disconnected(Loss),
    /// The broker sent something that is no message; it was dropped.
    Fault(Malformed),
    /// The drain is over: nothing runs, and the broker was told.
    Drained,
}

#[derive(Debug)]
struct Delivery<F> {
    client: F,
    rid: F,
    token: Option<u64>,
}

/// A request that came while `concurrency` others were running.
#[derive(Debug)]
struct Queued<F> {
    delivery: u64,
    body: Body<F>,
    opts: Option<F>,
}

/// The worker machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Worker<F> {
    config: WorkerConfig,
    link: Link,
    /// Everything that was received and not answered, by number, the queued ones included.
    deliveries: BTreeMap<u64, Delivery<F>>,
    by_token: HashMap<u64, u64>,
    queue: VecDeque<Queued<F>>,
    last_delivery: u64,
    transmits: Vec<WorkerMessage<F>>,
    notices: Vec<WorkerNotice<F>>,
    connected: bool,
    /// How many connections there have been.
    connections: u64,
    /// Set once the worker is to stop: when to give up on what still runs.
    draining: Option<Option<Time>>,
}

impl<F: Frame> Worker<F> {
    /// A worker that is not started.
    pub fn new(config: WorkerConfig) -> Self {
        Worker {
            link: Link::new(config.link.clone()),
            config,
            deliveries: BTreeMap::new(),
            by_token: HashMap::new(),
            queue: VecDeque::new(),
            last_delivery: 0,
            transmits: Vec::new(),
            notices: Vec::new(),
            connected: false,
            connections: 0,
            draining: None,
        }
    }

    /// Begins to look for the broker.
    pub fn start(&mut self) {
        self.link.open();
    }

    /// Takes no new request, lets the running ones end, then says goodbye; `Drained` follows. At
    /// `deadline` the running ones are given up, and their clients told.
    pub fn stop(&mut self, now: Time, deadline: Option<Time>) {
        self.draining = Some(deadline);
        for queued in std::mem::take(&mut self.queue) {
            // Not started: the broker gives it to another worker when it hears our DISCONNECT.
            self.forget(queued.delivery);
        }
        self.settle_drain(now);
    }

    /// How many requests may run at once from now on; those that run are left alone.
    pub fn set_concurrency(&mut self, concurrency: Option<usize>) {
        self.config.concurrency = concurrency;
        if self.link.peer().is_some() {
            self.send_ready();
        }
        self.hand_out();
    }

    /// Sends one part of the reply.
    pub fn partial(&mut self, delivery: u64, body: Body<F>) {
        let Some(Delivery { client, rid, token }) = self.deliveries.get(&delivery) else {
            return;
        };
        // Through a 0.0.92 broker this could reach a 0.0.92 client, which a null partial kills.
        if token.is_none() && body.is_null() {
            return;
        }
        let message = WorkerMessage::Reply {
            kind: ReplyKind::Partial,
            client: F::from(&client[..]),
            rid: F::from(&rid[..]),
            body,
            token: *token,
        };
        self.transmits.push(message);
    }

    /// Ends the request with data.
    pub fn finish(&mut self, now: Time, delivery: u64, body: Body<F>) {
        self.end(now, delivery, ReplyKind::Final, body);
    }

    /// Ends the request with an error value.
    pub fn error(&mut self, now: Time, delivery: u64, value: Body<F>) {
        self.end(now, delivery, ReplyKind::Error, value);
    }

    /// A heartbeat out of turn.
    pub fn heartbeat(&mut self) {
        if self.link.is_up() {
            self.transmits.push(WorkerMessage::Heartbeat);
        }
    }

    /// The transport takes messages: registers.
    pub fn handle_up(&mut self, now: Time) {
        if self.link.handle_up(now) {
            self.connections += 1;
            self.send_ready();
        }
    }

    /// The connection broke.
    pub fn handle_down(&mut self, now: Time) {
        self.lose(now, Loss::Transport);
    }

    /// Takes one message of the broker; `frames` is empty afterwards.
    pub fn handle_message(&mut self, now: Time, frames: &mut Vec<F>) {
        let message = match ToWorker::decode(frames) {
            Ok(message) => message,
            Err(why) => return self.notices.push(WorkerNotice::Fault(why)),
        };
        if !matches!(message, ToWorker::Disconnect) {
            self.heard(now);
        }
        match message {
            ToWorker::Welcome { hello } => match Hello::parse(&hello) {
                Ok(hello) => self.link.welcome(hello),
                Err(why) => self.notices.push(WorkerNotice::Fault(why)),
            },
            ToWorker::Request {
                client,
                rid,
                body,
                extra,
            } => {
                let (opts, token) = match extra {
                    Some(extra) => (Some(extra.opts), Some(extra.token)),
                    None => (None, None),
                };
                self.on_request(Delivery { client, rid, token }, body, opts);
            }
            ToWorker::Cancel { token } => {
                if let Some(&delivery) = self.by_token.get(&token) {
                    self.cancel(delivery, Code::Aborted);
                    self.hand_out();
                    self.settle_drain(now);
                }
            }
            // A client's own heartbeat; a delivery stays active until somebody says otherwise.
            ToWorker::RequestHeartbeat { .. } | ToWorker::Heartbeat => {}
            ToWorker::Disconnect => self.lose(now, Loss::Refused),
        }
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come, after the messages that
    /// were there already.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => self.transmits.push(WorkerMessage::Heartbeat),
            Some(Due::Lost(why)) => self.lost(now, why),
            None => {}
        }
        self.settle_drain(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        [self.draining.flatten(), self.link.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Hands out the messages to be sent, in order.
    pub fn drain_transmits(&mut self, mut send: impl FnMut(WorkerMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Hands out what there is to report, in order.
    pub fn drain_notices(&mut self) -> std::vec::Drain<'_, WorkerNotice<F>> {
        self.notices.drain(..)
    }

    /// What is to be done with the socket, after the transmits were drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// How many requests were taken and not answered.
    pub fn outstanding(&self) -> usize {
        self.deliveries.len()
    }

    fn send_ready(&mut self) {
        let mut hello = Hello::new(
            self.config.link.heartbeat.as_millis() as u64,
            self.config.link.liveness,
        );
        hello.session = format!("{}.{}", self.config.session, self.connections);
        hello.concurrency = Some(
            self.config
                .concurrency
                .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
        );
        self.transmits.push(WorkerMessage::Ready {
            service: F::from(self.config.service.as_bytes()),
            hello: Some(hello.to_frame()),
        });
    }

    /// A sign of life, and the first one of a connection: a broker that speaks to this worker has
    /// it.
    fn heard(&mut self, now: Time) {
        self.link.heard(now);
        if !self.connected && self.link.is_up() {
            self.connected = true;
            self.notices.push(WorkerNotice::Connected);
        }
    }

    fn on_request(&mut self, delivery: Delivery<F>, body: Body<F>, opts: Option<F>) {
        if self.draining.is_some() {
            return;
        }
        self.last_delivery += 1;
        let number = self.last_delivery;
        if let Some(token) = delivery.token {
            self.by_token.insert(token, number);
        }
        self.deliveries.insert(number, delivery);
        self.queue.push_back(Queued {
            delivery: number,
            body,
            opts,
        });
        self.hand_out();
    }

    /// Gives out of the queue what may run. All that is not in the queue runs.
    fn hand_out(&mut self) {
        let limit = self.config.concurrency.unwrap_or(usize::MAX);
        while self.deliveries.len() - self.queue.len() < limit {
            let Some(Queued {
                delivery,
                body,
                opts,
            }) = self.queue.pop_front()
            else {
                return;
            };
            self.notices.push(WorkerNotice::Request {
                delivery,
                body,
                opts,
            });
        }
    }

    fn end(&mut self, now: Time, number: u64, kind: ReplyKind, mut body: Body<F>) {
        let Some(Delivery { client, rid, token }) = self.forget(number) else {
            return;
        };
        if token.is_none() && kind.is_error() {
            body = Body::json(error_for_old(body.into_json()));
        }
        self.transmits.push(WorkerMessage::Reply {
            kind,
            client,
            rid,
            body,
            token,
        });
        self.hand_out();
        self.settle_drain(now);
    }

    fn forget(&mut self, number: u64) -> Option<Delivery<F>> {
        let delivery = self.deliveries.remove(&number)?;
        if let Some(token) = delivery.token {
            self.by_token.remove(&token);
        }
        Some(delivery)
    }

    fn cancel(&mut self, number: u64, code: Code) {
        self.forget(number);
        let queued = self.queue.iter().position(|q| q.delivery == number);
        match queued {
            Some(at) => drop(self.queue.remove(at)),
            None => self.notices.push(WorkerNotice::Cancelled {
                delivery: number,
                code,
            }),
        }
    }

    /// While the worker is to stop: says goodbye as soon as nothing runs, or at the deadline.
    fn settle_drain(&mut self, now: Time) {
        let Some(deadline) = self.draining else {
            return;
        };
        let overdue = deadline.is_some_and(|at| at <= now);
        if !self.deliveries.is_empty() && !overdue {
            return;
        }
        let running: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in running {
            if let Some(delivery) = self.forget(number) {
                self.transmits.push(WorkerMessage::Reply {
                    kind: ReplyKind::OwnError,
                    client: delivery.client,
                    rid: delivery.rid,
                    body: Body::json(F::from(Code::WorkerLost.to_json())),
                    token: delivery.token,
                });
                self.notices.push(WorkerNotice::Cancelled {
                    delivery: number,
                    code: Code::WorkerLost,
                });
            }
        }
        if self.link.is_up() {
            self.transmits.push(WorkerMessage::Disconnect);
        }
        self.draining = None;
        self.link.close();
        if self.connected {
            self.connected = false;
            self.notices
                .push(WorkerNotice::Disconnected(Loss::Stopped));
        }
        self.notices.push(WorkerNotice::Drained);
    }

    fn lose(&mut self, now: Time, why: Loss) {
        if self.link.lose(now) {
            self.lost(now, why);
        }
    }

    fn lost(&mut self, now: Time, why: Loss) {
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in numbers {
            self.cancel(number, Code::BrokerLost);
        }
        if self.connected {
            self.connected = false;
            self.notices.push(WorkerNotice::Disconnected(why));
        }
        self.settle_drain(now);
    }
}
