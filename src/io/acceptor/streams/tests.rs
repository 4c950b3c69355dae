//! A broker's connections with peers that are played on plain sockets.

mod handshakes;
mod limits;
mod messages;

use super::*;
use crate::io::Message;
use crate::io::inbound::Inbound;
use crate::io::security::HandshakeFailure;
use crate::io::sent::Sent;
use crate::io::{Address, UnfinishedLimits};
use crate::wire::zmtp::{self, Framing, GREETING, Header, append_header, greeting};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

const GONE: &[u8] = b"gone";
const MAX: u64 = 4 << 20;

/// How long something that happens is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A received message: the routing id, then the frames.
type Heard = Vec<Vec<u8>>;

struct Side {
    streams: Streams,
    port: u16,
    heard: Vec<Heard>,
    inbound: Inbound,
    // Last, because the streams belong to it.
    runtime: Runtime,
}

impl Side {
    fn new(change: impl FnOnce(&mut Listen)) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut listen = Listen {
            endpoints: vec![Address::new("tcp://127.0.0.1:*")],
            ipc_mode: None,
            security: None,
            inproc_user: None,
            handshake_ms: 30_000,
            max_peer_bytes: 1 << 20,
            max_message: MAX,
            spin: Spin::Auto,
            connections: ConnectionLimits {
                all: 1000,
                of_address: 1000,
                of_user: 1000,
                silence: None,
                patience: Duration::from_secs(7),
                message: MAX,
                unfinished: UnfinishedLimits {
                    all: u64::MAX,
                    of_user: u64::MAX,
                    of_address: u64::MAX,
                },
                names_are_held: false,
            },
            refusals: Arc::default(),
        };
        change(&mut listen);
        let entered = runtime.enter();
        assert!(Streams::serves(&listen));
        let (streams, endpoints) = Streams::open(&listen, GONE).unwrap();
        drop(entered);
        let port = endpoints[0].rsplit_once(':').unwrap().1.parse().unwrap();
        Side {
            streams,
            port,
            heard: Vec::new(),
            inbound: Inbound::new(),
            runtime,
        }
    }

    /// A turn: everything that is there is received.
    fn turn(&mut self) {
        self.streams.update(clock::now());
        self.streams.look();
        let mut frames = Vec::new();
        loop {
            while self.streams.receive(&mut self.inbound) {
                while self.inbound.next(&mut frames) {
                    let from = self.inbound.from().to_vec();
                    let rest = frames.drain(..).map(|frame| frame.to_vec());
                    self.heard.push([from].into_iter().chain(rest).collect());
                }
            }
            if self.streams.queue.is_empty() {
                break;
            }
        }
        self.streams.flush();
    }

    /// Takes turns until something is the case.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let end = clock::now() + PATIENCE;
        while !is_so(self) {
            assert!(clock::now() < end, "{what}");
            self.turn();
        }
    }

    fn hears(&mut self, expected: &[&[u8]]) {
        self.until("a message", |side| !side.heard.is_empty());
        assert_eq!(self.heard.remove(0), expected);
    }

    fn send(&mut self, to: &[u8], frames: &[&[u8]]) -> Sent {
        let mut message = frames.iter().map(|frame| Message::from(*frame)).collect();
        self.streams.send(to, &mut message)
    }

    /// A connection that has sent nothing.
    fn dial(&mut self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        let before = self.streams.connections.len();
        self.until("a connection", |side| {
            side.streams.connections.len() > before
        });
        stream
    }

    /// A connection after its handshake.
    fn peer(&mut self, id: &[u8]) -> TcpStream {
        let mut stream = self.dial();
        stream.write_all(&greeting()).unwrap();
        stream.write_all(&zmtp::ready(id)).unwrap();
        let expected = GREETING + zmtp::ready_of_router().len();
        self.reads(&mut stream, expected);
        stream
    }

    /// The bytes that the peer reads, of which there must be so many.
    fn reads(&mut self, stream: &mut TcpStream, len: usize) -> Vec<u8> {
        let (mut bytes, mut piece) = (Vec::new(), vec![0; len]);
        self.until("bytes", |_| {
            match stream.read(&mut piece[..len - bytes.len()]) {
                Ok(0) => panic!("an end after {} bytes", bytes.len()),
                Ok(read) => bytes.extend_from_slice(&piece[..read]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            bytes.len() == len
        });
        bytes
    }

    /// Waits until the connection is closed.
    fn closes(&mut self, stream: &mut TcpStream) {
        let mut piece = [0; 4096];
        self.until("an end", |_| match stream.read(&mut piece) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        });
    }

    fn failures(&mut self) -> Vec<HandshakeFailure> {
        let notices = self.streams.drain_notices();
        let failure = |notice| match notice {
            ConnectionNotice::Failed { address, failure } => {
                assert_eq!(address, "127.0.0.1");
                failure
            }
            other => panic!("{other:?}"),
        };
        notices.map(failure).collect()
    }

    fn reasons(&mut self) -> Vec<&'static str> {
        let notices = self.streams.drain_notices();
        let reason = |notice| match notice {
            ConnectionNotice::Ended { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        notices.map(reason).collect()
    }
}

fn message(framing: Framing, frames: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        framing.append(&mut bytes, frame.len(), at + 1 < frames.len());
        bytes.extend_from_slice(frame);
    }
    bytes
}

fn current(frames: &[&[u8]]) -> Vec<u8> {
    message(Framing::Current, frames)
}
