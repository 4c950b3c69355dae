//! What a connection may not do.

use super::*;

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

    // Empty frames cost memory, too.
    let mut stream = side.peer(b"empty");
    let frames = [1, 0].repeat(10_000);
    side.until("an end", |side| {
        let _ = stream.write(&frames);
        !side.heard.is_empty()
    });
    assert_eq!(side.reasons(), ["a message without an end"]);
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
