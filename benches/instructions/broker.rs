//! The broker machine, from the frames that its socket received to the frames that its socket
//! sends.

use crate::Path;
use crate::count::counted;
use crate::frame;
use crate::words::{Clock, HEARTBEAT, Ids, LIVENESS, SERVICE, client_hello, ready, reply, request};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;
use zmq_omdp::proto::Broker;
use zmq_omdp::proto::broker::{BrokerConfig, HeldLimits, Limits};
use zmq_omdp::wire::Frame;
use zmq_omdp::wire::omdp::{ClientMessage, ReplyKind, ToClient, ToWorker, WorkerMessage};
use zmq_omdp::wire::packed::{Batch, pack, unpack_from};

pub const PATHS: [Path; 6] = [
    Path {
        name: "broker: request",
        items: 1,
        start: one_at_a_time::<frame::Frame>,
    },
    Path {
        name: "broker: request, frames of Vec<u8>",
        items: 1,
        start: one_at_a_time::<Vec<u8>>,
    },
    Path {
        name: "broker: request, 1,000 in flight",
        items: 1,
        start: window,
    },
    Path {
        name: "broker: request, 10,000 others wait",
        items: 1,
        start: others_wait,
    },
    Path {
        name: "broker: request, 10,000 of each kind of peer",
        items: 1,
        start: crowd,
    },
    Path {
        name: "broker: partial",
        items: 1,
        start: stream,
    },
];

const CLIENT: &[u8] = b"C0ffee-0000001";
const WORKER: &[u8] = b"Wa51e0-0000001";

/// A broker, and the two ends of the wire in place of the driver.
struct Bench<F> {
    broker: Broker<F>,
    clock: Clock,
    ids: Ids,
    /// Reused for each message, as in the driver.
    inbound: Vec<F>,
    outbound: Vec<F>,
    batch: Batch,
    /// The end of each message in `outbound`.
    ends: Vec<usize>,
    /// Requests given to workers, with the workers' routing ids.
    given: VecDeque<(F, ToWorker<F>)>,
    /// The number of replies to clients.
    replies: usize,
}

impl<F: Frame> Bench<F> {
    fn new() -> Self {
        Bench {
            broker: Broker::new(BrokerConfig {
                limits: Limits::default(),
                held: HeldLimits::default(),
                peer_bytes: 64 << 20,
                heartbeat: HEARTBEAT,
                liveness: LIVENESS,
                dialects: zmq_omdp::wire::Dialects::ALL,
                expiry: None,
                busy_timeout: HEARTBEAT,
                log_requests: false,
                policies: zmq_omdp::proto::broker::Policies::default(),
                measured_services: 1000,
                reconnect_grace: Duration::from_secs(1),
                unacknowledged_bytes: 32 << 20,
                hold_from: 1024,
                search: Duration::ZERO,
                session: "b".into(),
                max_message: Some(256 << 20),
                seed: 1,
            }),
            clock: Clock::new(),
            ids: Ids::new(),
            inbound: Vec::new(),
            outbound: Vec::with_capacity(64),
            batch: Batch::new(),
            ends: Vec::with_capacity(8),
            given: VecDeque::new(),
            replies: 0,
        }
    }

    fn pair() -> Self {
        let mut bench = Bench::new();
        bench.client(CLIENT, client_hello());
        bench.worker(WORKER, ready(SERVICE));
        bench
    }

    fn client(&mut self, id: &[u8], message: ClientMessage<F>) {
        message.encode(&mut self.inbound);
        self.handle(id);
    }

    fn worker(&mut self, id: &[u8], message: WorkerMessage<F>) {
        message.encode(&mut self.inbound);
        self.handle(id);
    }

    /// The counted part: handles a message, and encodes all resulting frames.
    fn handle(&mut self, from: &[u8]) {
        let now = self.clock.tick();
        pack(&mut self.inbound, 0);
        let head = self.inbound.remove(0);
        counted(|| {
            unpack_from(&head, &mut self.inbound).expect("it was just packed");
            self.broker.handle_message(now, from, &mut self.inbound);
            for transmit in self.broker.drain_transmits() {
                self.outbound.push(F::from(&*transmit.to));
                let start = self.outbound.len();
                transmit.encode(&mut self.outbound);
                assert!(self.batch.add(&self.outbound[start..]));
                self.ends.push(self.outbound.len());
            }
            self.batch.flush(|bytes| _ = black_box(bytes));
            black_box(self.broker.handle_flushed(now));
        });
        self.sort_out();
    }

    fn sort_out(&mut self) {
        let mut frames = self.outbound.drain(..);
        let mut start = 0;
        for end in self.ends.drain(..) {
            let to = frames.next().expect("a routing id");
            let mut message: Vec<F> = frames.by_ref().take(end - start - 1).collect();
            start = end;
            match &*message[0] {
                b"W" => match ToWorker::decode(&mut message).expect("a message to a worker") {
                    given @ ToWorker::Request { .. } => self.given.push_back((to, given)),
                    ToWorker::Welcome { .. } | ToWorker::Ack { .. } => {}
                    other => panic!("{other:?}"),
                },
                _ => match ToClient::decode(&mut message).expect("a message to a client") {
                    ToClient::Reply { .. } => self.replies += 1,
                    ToClient::Welcome { .. } => {}
                    other => panic!("{other:?}"),
                },
            }
        }
    }

    fn request(&mut self, client: &[u8], service: &[u8]) {
        let rid = self.ids.next();
        self.client(client, request(service, rid));
    }

    /// Sends the reply of the worker that was first given a request.
    fn reply(&mut self, kind: ReplyKind) {
        let (worker, request) = match kind {
            ReplyKind::Partial => self.given.front().cloned(),
            _ => self.given.pop_front(),
        }
        .expect("a worker has a request");
        let before = self.replies;
        self.worker(&worker, reply(request, kind));
        assert_eq!(self.replies, before + 1);
    }
}

fn one_at_a_time<F: Frame + 'static>() -> Box<dyn FnMut()> {
    let mut bench = Bench::<F>::pair();
    Box::new(move || {
        bench.request(CLIENT, SERVICE);
        bench.reply(ReplyKind::Final);
    })
}

fn window() -> Box<dyn FnMut()> {
    let mut bench = Bench::<frame::Frame>::pair();
    for _ in 0..1000 {
        bench.request(CLIENT, SERVICE);
    }
    Box::new(move || {
        bench.reply(ReplyKind::Final);
        bench.request(CLIENT, SERVICE);
    })
}

fn others_wait() -> Box<dyn FnMut()> {
    let mut bench = Bench::<frame::Frame>::pair();
    for _ in 0..10_000 {
        bench.request(CLIENT, b"nobody");
    }
    Box::new(move || {
        bench.request(CLIENT, SERVICE);
        bench.reply(ReplyKind::Final);
    })
}

fn crowd() -> Box<dyn FnMut()> {
    const CROWD: u32 = 10_000;
    let name = |what: &str, number: u32| format!("{what}-{number:07}").into_bytes();
    let mut bench = Bench::<frame::Frame>::new();
    for number in 0..CROWD {
        bench.client(&name("C0ffee", number), client_hello());
        bench.worker(&name("Wa51e0", number), ready(&name("echo", number)));
    }
    let mut number = 0;
    Box::new(move || {
        // Far from the last one. Every twentieth in turn, so that none makes its first requests
        // when they count.
        number = (number + 4020) % CROWD;
        bench.request(&name("C0ffee", number), &name("echo", number));
        bench.reply(ReplyKind::Final);
    })
}

fn stream() -> Box<dyn FnMut()> {
    let mut bench = Bench::<frame::Frame>::pair();
    bench.request(CLIENT, SERVICE);
    Box::new(move || bench.reply(ReplyKind::Partial))
}
