//! The worker and client machines, from received frames to notices and from commands to sent
//! frames.

use crate::Path;
use crate::count::counted;
use crate::frame::Frame;
use crate::words::{Clock, DATA, HEARTBEAT, Ids, LIVENESS, OPTS, SERVICE, TIMEOUT, link};
use std::hint::black_box;
use zmq_omdp::proto::client::{Client, ClientConfig, ClientNotice};
use zmq_omdp::proto::machine::Machine;
use zmq_omdp::proto::worker::{Worker, WorkerConfig, WorkerNotice};
use zmq_omdp::wire::omdp::{
    ClientMessage, PeerMessage, ReplyKind, RequestExtra, ToClient, ToWorker,
};
use zmq_omdp::wire::packed::{Batch, pack, unpack_from};
use zmq_omdp::wire::{Body, Hello};

pub const PATHS: [Path; 4] = [
    Path {
        name: "worker: request",
        items: 1,
        start: || {
            let mut bench = WorkerBench::new();
            Box::new(move || {
                let delivery = bench.request();
                bench.reply(delivery, ReplyKind::Final);
            })
        },
    },
    Path {
        name: "worker: partial",
        items: 1,
        start: || {
            let mut bench = WorkerBench::new();
            let delivery = bench.request();
            Box::new(move || bench.reply(delivery, ReplyKind::Partial))
        },
    },
    Path {
        name: "client: request",
        items: 1,
        start: || {
            let mut bench = ClientBench::new();
            Box::new(move || {
                let rid = bench.request();
                bench.reply(rid, ReplyKind::Final);
            })
        },
    },
    Path {
        name: "client: partial",
        items: 1,
        start: || {
            let mut bench = ClientBench::new();
            let rid = bench.request();
            Box::new(move || bench.reply(rid.clone(), ReplyKind::Partial))
        },
    },
];

fn welcome() -> Frame {
    let mut hello = Hello::new(HEARTBEAT.as_millis() as u64, LIVENESS);
    hello.session = "b1".into();
    hello.to_frame()
}

struct WorkerBench {
    worker: Worker<Frame>,
    clock: Clock,
    ids: Ids,
    token: u64,
    frames: Vec<Frame>,
    batch: Batch,
    notices: Vec<WorkerNotice<Frame>>,
}

impl WorkerBench {
    fn new() -> Self {
        let mut bench = WorkerBench {
            worker: Worker::new(WorkerConfig {
                max_blocked: None,
                link: link(),
                dialect: zmq_omdp::wire::Dialect::Omdp,
                service: String::from_utf8_lossy(SERVICE).into_owned(),
                serving: zmq_omdp::wire::Serving::default(),
                concurrency: Some(1),
                most: None,
                about: None,
                prefetch: 1024,
                session: "a1".into(),
            }),
            clock: Clock::new(),
            ids: Ids::new(),
            token: 7 << 32,
            frames: Vec::with_capacity(16),
            batch: Batch::new(),
            notices: Vec::with_capacity(16),
        };
        bench.worker.start();
        bench.worker.handle_up(0, bench.clock.tick());
        bench.send();
        bench.receive(ToWorker::Welcome { hello: welcome() });
        bench
    }

    fn send(&mut self) {
        counted(|| {
            let form = self.worker.form();
            self.worker.take_messages(|message| {
                // An acknowledgement may precede it; `frames` keeps the last message.
                self.frames.clear();
                form.encode_of_worker(message, &mut self.frames);
                assert!(self.batch.add(&self.frames));
            });
            self.batch.flush(|bytes| _ = black_box(bytes));
        });
    }

    fn receive(&mut self, message: ToWorker<Frame>) {
        self.frames.clear();
        self.notices.clear();
        message.encode(&mut self.frames);
        pack(&mut self.frames, 0);
        let head = self.frames.remove(0);
        let now = self.clock.tick();
        counted(|| {
            unpack_from(&head, &mut self.frames).expect("it was just packed");
            self.worker.handle_message(0, now, &mut self.frames);
            self.notices.extend(self.worker.take_notices());
        });
    }

    fn request(&mut self) -> u64 {
        self.token += 1;
        let rid = self.ids.next();
        self.receive(ToWorker::Request {
            client: Frame::from(&b"C0ffee-0000001"[..]),
            rid,
            body: Body::json(Frame::from(DATA)),
            extra: Some(RequestExtra {
                opts: Frame::from(OPTS),
                token: self.token,
                retried: 0,
                stream: false,
                left_ms: None,
                service: None,
                user: None,
            }),
        });
        match self.notices.pop() {
            Some(WorkerNotice::Request { delivery, .. }) => delivery,
            other => panic!("{other:?}"),
        }
    }

    fn reply(&mut self, delivery: u64, kind: ReplyKind) {
        let now = self.clock.tick();
        let body = Body::json(Frame::from(DATA));
        counted(|| match kind {
            ReplyKind::Partial => self.worker.partial(now, delivery, body.clone()),
            _ => self.worker.finish(now, delivery, body.clone()),
        });
        self.send();
        match PeerMessage::decode(&mut self.frames) {
            Ok(PeerMessage::Worker(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

struct ClientBench {
    client: Client<Frame>,
    clock: Clock,
    id: u64,
    frames: Vec<Frame>,
    batch: Batch,
    notices: Vec<ClientNotice<Frame>>,
}

impl ClientBench {
    fn new() -> Self {
        let mut bench = ClientBench {
            client: Client::new(ClientConfig {
                link: link(),
                dialect: zmq_omdp::wire::Dialect::Omdp,
                session: "5f3a9c01d2e4b687-".into(),
                await_hello: false,
            }),
            clock: Clock::new(),
            id: 1_000_000,
            frames: Vec::with_capacity(16),
            batch: Batch::new(),
            notices: Vec::with_capacity(16),
        };
        bench.client.start();
        bench.client.handle_up(0, bench.clock.tick());
        bench.send();
        bench.receive(ToClient::Welcome {
            hello: welcome(),
            roster: None,
        });
        bench
    }

    fn send(&mut self) {
        counted(|| {
            let form = self.client.form();
            self.client.take_messages(|message| {
                // An acknowledgement may precede it; `frames` keeps the last message.
                self.frames.clear();
                form.encode_of_client(message, &mut self.frames);
                assert!(self.batch.add(&self.frames));
            });
            self.batch.flush(|bytes| _ = black_box(bytes));
        });
    }

    fn receive(&mut self, message: ToClient<Frame>) {
        self.frames.clear();
        self.notices.clear();
        message.encode(&mut self.frames);
        pack(&mut self.frames, 0);
        let head = self.frames.remove(0);
        let now = self.clock.tick();
        counted(|| {
            unpack_from(&head, &mut self.frames).expect("it was just packed");
            self.client.handle_message(0, now, &mut self.frames);
            self.notices.extend(self.client.take_notices());
        });
    }

    fn request(&mut self) -> Frame {
        self.id += 1;
        self.frames.clear();
        let now = self.clock.tick();
        let (service, opts) = (Frame::from(SERVICE), Frame::from(OPTS));
        let data = Body::json(Frame::from(DATA));
        counted(|| {
            let (service, data, opts) = (service.clone(), data.clone(), opts.clone());
            self.client
                .request(now, self.id, service, data, opts, Some(TIMEOUT));
        });
        self.send();
        match PeerMessage::decode(&mut self.frames) {
            Ok(PeerMessage::Client(ClientMessage::Request { rid, .. })) => rid,
            other => panic!("{other:?}"),
        }
    }

    fn reply(&mut self, rid: Frame, kind: ReplyKind) {
        self.receive(ToClient::Reply {
            kind,
            rid,
            body: Body::json(Frame::from(DATA)),
            extended: true,
        });
        assert_eq!(self.notices.len(), 1);
    }
}
