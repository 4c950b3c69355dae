//! A worker that echoes requests. For the service `parts` it sends the number of partials in the
//! data, then the final.

use crate::{Error, control, unlimited};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use zmq::{Context, Message, SNDMORE, Socket, SocketType};

/// The prefix of the data of a request with many partials.
const PARTS: &[u8] = b"parts:";

pub fn serve(endpoint: &str) -> Result<(), Error> {
    let context = Context::new();
    let socket = context.socket(SocketType::DEALER)?;
    unlimited(&socket)?;
    socket.set_identity(b"W-bare")?;
    socket.connect(endpoint)?;
    socket.send_multipart(["W", "1", "echo"], 0)?;
    // The answer of the broker: requests are forwarded from now on.
    socket.recv_multipart(0)?;

    let handled = Arc::new(AtomicU64::new(0));
    let counter = handled.clone();
    thread::spawn(move || {
        if let Err(error) = work(&socket, &counter) {
            eprintln!("worker: {error}");
            std::process::exit(1);
        }
    });
    control::ready()?;
    control::answer(|op, _| match op {
        "tally" => Ok(json!({ "handled": handled.load(Ordering::SeqCst) })),
        _ => Err(format!("a worker has no {op}").into()),
    })
}

/// `W` `2` clientId rid data opts → `W` `3` clientId rid `0` data
fn work(socket: &Socket, handled: &AtomicU64) -> Result<(), Error> {
    let mut frames: Vec<Message> = Vec::new();
    loop {
        frames.clear();
        loop {
            let mut frame = Message::new();
            socket.recv(&mut frame, 0)?;
            let more = frame.get_more();
            frames.push(frame);
            if !more {
                break;
            }
        }
        // Before the reply is sent, so that a client with a reply finds it counted.
        handled.fetch_add(1, Ordering::SeqCst);
        let mut rest = frames.drain(2..);
        let (Some(client), Some(rid), Some(data)) = (rest.next(), rest.next(), rest.next()) else {
            return Err("a request of too few frames".into());
        };
        drop(rest);
        if let Some(parts) = data.strip_prefix(PARTS) {
            let parts: u64 = std::str::from_utf8(parts)?.parse()?;
            for part in 0..parts {
                head(socket, b"6", Message::from(&client[..]), Message::from(&rid[..]))?;
                socket.send(&part.to_string(), 0)?;
            }
        }
        head(socket, b"3", client, rid)?;
        socket.send(data, 0)?;
    }
}

fn head(socket: &Socket, kind: &[u8], client: Message, rid: Message) -> Result<(), Error> {
    socket.send(&b"W"[..], SNDMORE)?;
    socket.send(kind, SNDMORE)?;
    socket.send(client, SNDMORE)?;
    socket.send(rid, SNDMORE)?;
    Ok(socket.send(&b"0"[..], SNDMORE)?)
}
