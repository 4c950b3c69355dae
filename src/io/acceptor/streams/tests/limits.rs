//! The limits of a connection.

use super::*;
use crate::wire::sizes::FRAME_RESERVE;

#[test]
fn frames_and_messages_have_a_maximum_before_they_have_memory() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"long");
    let mut header = Vec::new();
    append_header(&mut header, (MAX + FRAME_RESERVE + 1) as usize, false);
    stream.write_all(&header).unwrap();
    side.hears(&[b"long", GONE]);
    assert!(side.reasons().is_empty());

    let mut stream = side.peer(b"endless");
    // Frames that are each short enough.
    let mut header = Vec::new();
    append_header(&mut header, MAX as usize, true);
    let frame = [&header[..], &vec![0; MAX as usize]].concat();
    let (mut at, mut sent) = (0, 0);
    side.until("an end", |side| {
        if let Ok(written) = stream.write(&frame[at..]) {
            at = (at + written) % frame.len();
            sent += written as u64;
        }
        assert!(sent < 4 * MAX, "it goes on");
        !side.heard.is_empty()
    });
    side.hears(&[b"endless", GONE]);
    assert_eq!(side.reasons(), ["a message without an end"]);

    // Empty frames cost memory and time, too.
    let mut stream = side.peer(b"empty");
    let frames = [1, 0].repeat(10_000);
    side.until("an end", |side| {
        let _ = stream.write(&frames);
        !side.heard.is_empty()
    });
    assert_eq!(side.reasons(), ["too many frames of a message"]);
}

#[test]
fn silent_connections_are_ended_and_idle_ones_have_no_buffer() {
    let mut side = Side::new(|listen| {
        listen.handshake_ms = 300;
        listen.connections.silence = Some(Duration::from_millis(300));
    });
    let mut speaking = side.peer(b"me");
    speaking.write_all(&current(&[b"x"])).unwrap();
    side.hears(&[b"me", b"x"]);
    let mut stays = side.dial();
    stays.write_all(&greeting()[..20]).unwrap();
    side.closes(&mut stays);
    assert!(side.reasons().is_empty());
    let mut silent = side.peer(b"silent");
    side.closes(&mut silent);
    assert_eq!(side.reasons(), ["silent for too long"]);
    assert_eq!(side.send(b"me", &[b"y"]), Sent::Yes);
    side.reads(&mut speaking, 3);
    let index = side.streams.by_id[&b"me"[..]];
    assert!(!side.streams.connections[index].input.has_buffer());
}

#[test]
fn a_held_connection_is_not_read_and_its_sender_waits() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"fast");
    stream.write_all(&current(&[b"first"])).unwrap();
    side.hears(&[b"fast", b"first"]);
    side.streams.pause_reading(b"fast", true);
    let message = current(&[&[7; 4096]]);
    let (mut sent, mut at) = (0, 0);
    // Until the buffers of the system are full, and stay so.
    let mut full = 0;
    while full < 100 {
        match stream.write(&message[at..]) {
            Ok(written) => at += written,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                full += 1;
            }
        }
        if at == message.len() {
            (sent, at) = (sent + 1, 0);
        }
        side.turn();
    }
    assert!(side.heard.is_empty() && !side.streams.has_more());
    let index = side.streams.by_id[&b"fast"[..]];
    assert!(!side.streams.connections[index].input.has_buffer());

    side.streams.pause_reading(b"fast", false);
    side.until("all of it", |side| {
        if at > 0
            && let Ok(written) = stream.write(&message[at..])
        {
            at += written;
            if at == message.len() {
                (sent, at) = (sent + 1, 0);
            }
        }
        at == 0 && side.heard.len() >= sent
    });
    assert_eq!(side.heard.len(), sent);
}

#[test]
fn the_end_of_a_held_connection_comes_after_its_messages() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    stream.write_all(&current(&[b"1"])).unwrap();
    side.hears(&[b"me", b"1"]);
    side.streams.pause_reading(b"me", true);
    // It lives a tenth of a second from here, but is not silent.
    let ping = b"\x04\x09\x04PING\0\x01ab";
    stream.write_all(ping).unwrap();
    stream.write_all(&current(&[b"2"])).unwrap();
    drop(stream);
    side.until("news of the end", |side| {
        side.streams.connections.iter().any(|(_, each)| each.ends)
    });
    for _ in 0..100 {
        side.turn();
    }
    assert!(side.heard.is_empty());
    side.streams.pause_reading(b"me", false);
    side.until("the rest", |side| side.heard.len() == 2);
    assert_eq!(side.heard[0], [&b"me"[..], b"2"]);
    assert_eq!(side.heard[1], [&b"me"[..], GONE]);
    assert_eq!(side.streams.connections.len(), 0);
}

#[test]
fn a_held_connection_does_not_expire() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    stream.write_all(b"\x04\x07\x04PING\0\x01").unwrap();
    stream.write_all(&current(&[b"1"])).unwrap();
    stream.write_all(b"\x04\x07\x04PING\0\x01").unwrap();
    side.hears(&[b"me", b"1"]);
    side.until("the second PING", |side| {
        side.streams
            .connections
            .iter()
            .any(|(_, each)| each.expires.is_some())
    });
    side.streams.pause_reading(b"me", true);
    stream.write_all(&current(&[b"2"])).unwrap();
    let late = clock::now() + Duration::from_secs(60);
    side.streams.update(late);
    assert_eq!(side.streams.connections.len(), 1);
    side.streams.pause_reading(b"me", false);
    side.hears(&[b"me", b"2"]);
    side.streams.update(late);
    assert_eq!(side.streams.connections.len(), 1);
}

#[test]
fn a_large_message_is_reported_while_it_comes() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    let message = current(&[b"head", &[7; 1 << 20]]);
    stream.write_all(&message[..200_000]).unwrap();
    let mut told = Vec::new();
    let mut tell = |side: &mut Side| {
        let news = side.streams.take_unfinished().into_iter().flatten();
        told.extend(news.map(|each| (each.connection, each.bytes)));
        told.last().cloned()
    };
    const SMALL: usize = 64 * 1024;
    let is_most = |last: Option<(RoutingId, usize)>| {
        last.is_some_and(|(from, bytes)| {
            assert_eq!(&*from, b"me");
            // The reader may sleep until there is more.
            (SMALL..=201_000).contains(&bytes)
        })
    };
    side.until("what is there", |side| is_most(tell(side)));
    let mut at = 200_000;
    side.until("the message", |side| {
        at += stream.write(&message[at..]).unwrap_or(0);
        !side.heard.is_empty()
    });
    assert_eq!(tell(&mut side), Some((b"me"[..].into(), 0)));
    assert_eq!(side.heard.remove(0)[2].len(), 1 << 20);

    stream.write_all(&message[..200_000]).unwrap();
    side.until("what is there", |side| is_most(tell(side)));
    side.streams.refuse(b"me");
    side.hears(&[b"me", GONE]);
    assert_eq!(side.reasons(), ["over its limit"]);
    assert_eq!(tell(&mut side), Some((b"me"[..].into(), 0)));
}
