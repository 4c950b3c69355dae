//! The messages that the paths use: fixed content, and ids of constant length.

use std::time::Duration;
use zmq_omdp::proto::Time;
use zmq_omdp::proto::link::LinkConfig;
use zmq_omdp::wire::ext::{RequestData, RequestExt};
use zmq_omdp::wire::omdp::{ClientMessage, ReplyKind, ToWorker, WorkerMessage};
use zmq_omdp::wire::{Body, Frame, Hello};

/// The settings of 0.0.92, which are also the defaults.
pub const HEARTBEAT: Duration = Duration::from_millis(2500);
pub const LIVENESS: u32 = 3;
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// An echo of `"foo"`, as in the benchmark.
pub const SERVICE: &[u8] = b"echo";
pub const DATA: &[u8] = b"\"foo\"";
pub const OPTS: &[u8] = b"{\"timeout\":60000}";

pub fn link() -> LinkConfig {
    LinkConfig {
        heartbeat: HEARTBEAT,
        liveness: LIVENESS,
        soon: Duration::from_millis(10),
        reconnect: Duration::from_millis(100),
        reconnect_max: Duration::from_secs(30),
        away: Duration::ZERO,
        seed: 1,
        expect_hello: false,
        name: String::new(),
        max_message: Some(256 << 20),
        expect_beats: true,
    }
}

/// A clock that advances by the duration of a fast request.
pub struct Clock(u64);

impl Clock {
    pub fn new() -> Self {
        Clock(1_000_000)
    }

    pub fn tick(&mut self) -> Time {
        self.0 += 5;
        Time::from_micros(self.0)
    }
}

/// Request ids in the form of clients.
pub struct Ids(u64);

impl Ids {
    pub fn new() -> Self {
        Ids(1_000_000)
    }

    pub fn next<F: Frame>(&mut self) -> F {
        self.0 += 1;
        F::from(format!("5f3a9c01d2e4b687-{}", self.0).into_bytes())
    }
}

pub fn client_hello<F: Frame>() -> ClientMessage<F> {
    let mut hello = Hello::new(HEARTBEAT.as_millis() as u64, LIVENESS);
    hello.session = "5f3a9c01d2e4b687-1".into();
    ClientMessage::Hello {
        hello: hello.to_frame(),
    }
}

pub fn ready<F: Frame>(service: &[u8]) -> WorkerMessage<F> {
    let mut hello = Hello::new(HEARTBEAT.as_millis() as u64, LIVENESS);
    hello.session = "a1.1".into();
    hello.concurrency = Some(1);
    hello.prefetch = Some(1024);
    WorkerMessage::Ready {
        service: F::from(service),
        hello: Some(hello.to_frame()),
    }
}

pub fn request<F: Frame>(service: &[u8], rid: F) -> ClientMessage<F> {
    ClientMessage::Request {
        service: F::from(service),
        rid,
        data: F::from(DATA),
        opts: Some(F::from(OPTS)),
        ext: Some(RequestExt::plain(
            RequestData::Json,
            TIMEOUT.as_millis() as i32,
        )),
    }
}

/// The reply to a request, in the form of the worker.
pub fn reply<F: Frame>(request: ToWorker<F>, kind: ReplyKind) -> WorkerMessage<F> {
    let ToWorker::Request {
        client, rid, extra, ..
    } = request
    else {
        panic!("not a request: {request:?}");
    };
    WorkerMessage::Reply {
        kind,
        client,
        rid,
        body: Body::json(F::from(DATA)),
        token: extra.map(|extra| extra.token),
        pace: None,
    }
}
