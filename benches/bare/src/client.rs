//! The client, with the operations of the benchmark's JavaScript clients.

use crate::control::number;
use crate::{Error, control, unlimited};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Instant;
use zmq::{Context, Message, SNDMORE, Socket, SocketType};

pub fn serve(endpoint: &str) -> Result<(), Error> {
    let context = Context::new();
    let socket = context.socket(SocketType::DEALER)?;
    unlimited(&socket)?;
    socket.set_identity(format!("C-bare-{}", std::process::id()).as_bytes())?;
    socket.connect(endpoint)?;
    let mut client = Client {
        socket,
        sent: 0,
        received: 0,
        rid: String::new(),
        frames: Vec::new(),
    };
    control::ready()?;
    control::answer(|op, params| match op {
        "window" => client.window(params),
        "seq" => client.seq(params),
        "stream" => client.stream(params),
        _ => Err(format!("a client has no {op}").into()),
    })
}

struct Client {
    socket: Socket,
    /// Also the id of the last request: with one worker, replies arrive in the order of the
    /// requests.
    sent: u64,
    received: u64,
    /// Reused for each request.
    rid: String,
    frames: Vec<Message>,
}

impl Client {
    /// Makes `count` requests, `depth` of them in flight.
    fn window(&mut self, params: &Value) -> Result<Value, Error> {
        let (count, depth) = (number(params, "count")?, number(params, "depth")?);
        let distinct = params["distinct"] == json!(true);
        let mut wrong = 0;
        let mut expected = String::new();
        let start = Instant::now();
        for i in 0..depth.min(count) {
            self.request(payload(distinct, i, &mut expected).as_bytes())?;
        }
        for i in 0..count {
            let (kind, right) = self.reply(payload(distinct, i, &mut expected).as_bytes())?;
            if kind != b'3' || !right {
                wrong += 1;
            }
            if i + depth < count {
                self.request(payload(distinct, i + depth, &mut expected).as_bytes())?;
            }
        }
        Ok(json!({ "count": count, "seconds": start.elapsed().as_secs_f64(), "wrong": wrong }))
    }

    /// Makes `count` requests of `bytes` bytes, one after the other.
    fn seq(&mut self, params: &Value) -> Result<Value, Error> {
        let (count, bytes) = (number(params, "count")?, number(params, "bytes")?);
        let data = if bytes == 3 { b"foo".to_vec() } else { vec![b'x'; bytes] };
        let mut wrong = 0;
        let mut latencies = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            self.request(&data)?;
            self.receive()?;
            latencies.push(start.elapsed().as_secs_f64() * 1e6);
            if !self.check(&data)?.1 {
                wrong += 1;
            }
        }
        latencies.sort_by(f64::total_cmp);
        let at = |part: f64| latencies[((count - 1) as f64 * part).round() as usize];
        let seconds = latencies.iter().sum::<f64>() / 1e6;
        Ok(json!({ "count": count, "seconds": seconds, "wrong": wrong, "p50": at(0.5), "p99": at(0.99) }))
    }

    /// Makes one request with a reply of `parts` partials and the final.
    fn stream(&mut self, params: &Value) -> Result<Value, Error> {
        let parts = number(params, "parts")?;
        let data = format!("parts:{parts}");
        let mut wrong = 0;
        let mut expected = String::new();
        let start = Instant::now();
        self.request(data.as_bytes())?;
        for part in 0..parts {
            expected.clear();
            write!(expected, "{part}")?;
            self.receive()?;
            let (kind, right) = self.part(expected.as_bytes())?;
            if kind != b'6' || !right {
                wrong += 1;
            }
        }
        let (kind, right) = self.reply(data.as_bytes())?;
        if kind != b'3' || !right {
            wrong += 1;
        }
        Ok(json!({ "count": parts, "seconds": start.elapsed().as_secs_f64(), "wrong": wrong }))
    }

    /// `C` `2` service rid data opts
    fn request(&mut self, data: &[u8]) -> Result<(), Error> {
        self.sent += 1;
        self.rid.clear();
        write!(self.rid, "{}", self.sent)?;
        self.socket.send("C", SNDMORE)?;
        self.socket.send("2", SNDMORE)?;
        self.socket.send("echo", SNDMORE)?;
        self.socket.send(&self.rid, SNDMORE)?;
        self.socket.send(data, SNDMORE)?;
        Ok(self.socket.send(r#"{"timeout":60000}"#, 0)?)
    }

    fn reply(&mut self, expected: &[u8]) -> Result<(u8, bool), Error> {
        self.receive()?;
        self.check(expected)
    }

    fn receive(&mut self) -> Result<(), Error> {
        self.frames.clear();
        loop {
            let mut frame = Message::new();
            self.socket.recv(&mut frame, 0)?;
            let more = frame.get_more();
            self.frames.push(frame);
            if !more {
                return Ok(());
            }
        }
    }

    /// Checks a received final. Returns its type, and whether it is the reply to the next expected
    /// request.
    fn check(&mut self, expected: &[u8]) -> Result<(u8, bool), Error> {
        let result = self.part(expected);
        self.received += 1;
        result
    }

    /// `C` type rid `0` data
    fn part(&mut self, expected: &[u8]) -> Result<(u8, bool), Error> {
        let [header, kind, rid, code, data] = self.frames.as_slice() else {
            return Err(format!("a reply of {} frames", self.frames.len()).into());
        };
        self.rid.clear();
        write!(self.rid, "{}", self.received + 1)?;
        let right = &header[..] == b"C"
            && &code[..] == b"0"
            && &rid[..] == self.rid.as_bytes()
            && &data[..] == expected;
        Ok((kind.first().copied().unwrap_or(0), right))
    }
}

fn payload(distinct: bool, i: usize, text: &mut String) -> &str {
    text.clear();
    text.push_str("foo");
    if distinct {
        let _ = write!(text, "{i}");
    }
    text
}
