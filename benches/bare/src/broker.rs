//! A ROUTER between clients and one worker: forwards received frames unchanged.

use crate::{Error, control, unlimited};
use std::thread;
use zmq::{Context, Message, SNDMORE, Socket, SocketType};

fn bind(context: &Context, endpoint: &str) -> Result<Socket, Error> {
    let socket = context.socket(SocketType::ROUTER)?;
    unlimited(&socket)?;
    socket.bind(endpoint)?;
    Ok(socket)
}

/// Waits for the end of stdin; the threads end with the process.
fn wait_for_the_end() -> Result<(), Error> {
    control::ready()?;
    control::answer(|op, _| Err(format!("a broker has no {op}").into()))
}

/// Forwards requests to the worker that registered last, and replies to their clients.
pub fn serve(endpoint: &str) -> Result<(), Error> {
    let context = Context::new();
    let socket = bind(&context, endpoint)?;
    thread::spawn(move || {
        if let Err(error) = Broker::new(socket).run() {
            eprintln!("broker: {error}");
            std::process::exit(1);
        }
    });
    wait_for_the_end()
}

/// Accepts connections and keeps no state: measures what libzmq itself needs for a connected peer.
/// A worker gets a heartbeat, because it counts as connected only after a message of its broker.
pub fn sink(endpoint: &str) -> Result<(), Error> {
    let context = Context::new();
    let socket = bind(&context, endpoint)?;
    thread::spawn(move || {
        while let Ok(frames) = socket.recv_multipart(0) {
            if frames.get(1).is_some_and(|header| header == b"W") {
                let _ = socket.send_multipart([&frames[0][..], b"W", b"4"], 0);
            }
        }
    });
    wait_for_the_end()
}

struct Broker {
    socket: Socket,
    worker: Vec<u8>,
    /// The frames of the received message after the routing id; reused.
    frames: Vec<Message>,
    /// Requests that arrived before the worker.
    early: Vec<(Message, Vec<Message>)>,
}

impl Broker {
    fn new(socket: Socket) -> Self {
        Broker {
            socket,
            worker: Vec::new(),
            frames: Vec::new(),
            early: Vec::new(),
        }
    }

    fn run(mut self) -> Result<(), Error> {
        loop {
            let mut from = Message::new();
            self.socket.recv(&mut from, 0)?;
            self.frames.clear();
            let mut more = from.get_more();
            while more {
                let mut frame = Message::new();
                self.socket.recv(&mut frame, 0)?;
                more = frame.get_more();
                self.frames.push(frame);
            }
            let mut frames = std::mem::take(&mut self.frames);
            match (frames.first().map(|f| &f[..]), frames.get(1).map(|f| &f[..])) {
                (Some(b"C"), Some(b"2")) if self.worker.is_empty() => {
                    self.early.push((from, std::mem::take(&mut frames)));
                }
                (Some(b"C"), Some(b"2")) => self.request(from, &mut frames)?,
                (Some(b"W"), Some(b"1")) => self.register(from)?,
                (Some(b"W"), Some(_)) => self.reply(&mut frames)?,
                _ => {}
            }
            self.frames = frames;
        }
    }

    fn register(&mut self, from: Message) -> Result<(), Error> {
        self.worker = from.to_vec();
        self.socket.send(from, SNDMORE)?;
        self.socket.send(&b"W"[..], SNDMORE)?;
        self.socket.send(&b"1"[..], 0)?;
        for (from, mut frames) in std::mem::take(&mut self.early) {
            self.request(from, &mut frames)?;
        }
        Ok(())
    }

    /// `C` `2` service rid data opts → `W` `2` clientId rid data opts
    fn request(&self, from: Message, frames: &mut Vec<Message>) -> Result<(), Error> {
        self.socket.send(&self.worker[..], SNDMORE)?;
        let mut frames = frames.drain(..);
        for frame in frames.by_ref().take(2) {
            let swapped: &[u8] = if &frame[..] == b"C" { b"W" } else { b"2" };
            self.socket.send(swapped, SNDMORE)?;
        }
        self.socket.send(from, SNDMORE)?;
        frames.next();
        self.send_rest(frames)
    }

    /// `W` type clientId rid code data → `C` type rid code data
    fn reply(&self, frames: &mut Vec<Message>) -> Result<(), Error> {
        let mut frames = frames.drain(1..);
        let (Some(kind), Some(client)) = (frames.next(), frames.next()) else {
            return Err("a reply without its client".into());
        };
        self.socket.send(client, SNDMORE)?;
        self.socket.send(&b"C"[..], SNDMORE)?;
        self.socket.send(kind, SNDMORE)?;
        self.send_rest(frames)
    }

    fn send_rest(&self, frames: impl Iterator<Item = Message>) -> Result<(), Error> {
        let mut frames = frames.peekable();
        while let Some(frame) = frames.next() {
            let flags = if frames.peek().is_some() { SNDMORE } else { 0 };
            self.socket.send(frame, flags)?;
        }
        Ok(())
    }
}
