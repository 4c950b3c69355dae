//! The beginnings of connections.

use super::*;

#[test]
fn a_handshake_and_a_message_byte_by_byte() {
    let mut side = Side::new(|_| {});
    let mut stream = side.dial();
    let bytes = [&greeting()[..], &zmtp::ready(b"me"), &current(&[b"C", b""])].concat();
    for byte in bytes {
        assert!(side.heard.is_empty());
        stream.write_all(&[byte]).unwrap();
        side.turn();
    }
    side.hears(&[b"me", b"C", b""]);
    let mut expected = greeting().to_vec();
    expected[8] = 1;
    expected.extend_from_slice(&zmtp::ready_of_router());
    assert_eq!(side.reads(&mut stream, expected.len()), expected);
    assert_eq!(side.send(b"me", &[b"one", b"two"]), Sent::Yes);
    let answer = current(&[b"one", b"two"]);
    assert_eq!(side.reads(&mut stream, answer.len()), answer);
    assert_eq!(side.send(b"you", &[b"x"]), Sent::NoPeer);
}

#[test]
fn a_peer_without_a_routing_id_gets_one() {
    let mut side = Side::new(|_| {});
    let mut streams = [side.peer(b""), side.peer(b"")];
    for stream in &mut streams {
        stream.write_all(&current(&[b"x"])).unwrap();
    }
    side.until("both", |side| side.heard.len() == 2);
    let ids: Vec<&[u8]> = side.heard.iter().map(|heard| &*heard[0]).collect();
    assert!(ids.iter().all(|id| id.len() == 5 && id[0] == 0), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_handshake_that_cannot_succeed_is_told() {
    let bad_socket = {
        let mut ready = zmtp::ready(b"me");
        let at = ready.windows(6).position(|it| it == b"DEALER").unwrap();
        ready[at..at + 6].copy_from_slice(b"XDEALE");
        [&greeting()[..], &ready].concat()
    };
    let mut plain = greeting();
    plain[12..17].copy_from_slice(b"PLAIN");
    let mut foreign_command = greeting().to_vec();
    foreign_command.extend_from_slice(b"\x04\x06\x05ERROR");
    let cases: [(&str, &[u8], HandshakeFailure); 5] = [
        ("mechanism", &plain, HandshakeFailure::Mechanism),
        ("socket", &bad_socket, HandshakeFailure::Protocol),
        ("command", &foreign_command, HandshakeFailure::Protocol),
        (
            "message",
            &[&greeting()[..], &[0, 0]].concat(),
            HandshakeFailure::Protocol,
        ),
        (
            "announcement",
            &[&greeting()[..], &[6, 0, 0, 1, 0, 0, 0, 0, 0]].concat(),
            HandshakeFailure::Protocol,
        ),
    ];
    let mut side = Side::new(|_| {});
    for (name, bytes, expected) in cases {
        let mut stream = side.dial();
        stream.write_all(bytes).unwrap();
        side.closes(&mut stream);
        assert_eq!(side.failures(), [expected], "{name}");
    }
    // A mere connection is none.
    drop(side.dial());
    side.until("its end", |side| side.streams.connections.is_empty());
    assert_eq!(side.failures(), []);
    assert!(side.heard.is_empty());
}

#[test]
fn earlier_versions_of_the_protocol() {
    const SIGNATURE: &[u8] = &[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];
    // How a peer begins, its framing, and what it reads after the signature.
    let cases: [(&str, Vec<u8>, Framing, &[u8]); 4] = [
        (
            "2.0",
            [SIGNATURE, &[1, 5, 0, 2], b"me"].concat(),
            Framing::Current,
            &[3, 6, 0, 0],
        ),
        (
            "1.0",
            [SIGNATURE, &[0, 5, 3, 0], b"me"].concat(),
            Framing::Old,
            &[3, 6, 1, 0],
        ),
        (
            "1.0 without a signature",
            b"\x03\0me".to_vec(),
            Framing::Old,
            &[],
        ),
        (
            "1.0 with a long length",
            [&[0xff, 0, 0, 0, 0, 0, 0, 0, 3, 0][..], b"me"].concat(),
            Framing::Old,
            &[],
        ),
    ];
    for (name, hello, framing, expected) in cases {
        let mut side = Side::new(|_| {});
        let mut stream = side.dial();
        let long = vec![1; 300];
        for byte in [&hello[..], &message(framing, &[b"", &long])].concat() {
            stream.write_all(&[byte]).unwrap();
            side.turn();
        }
        side.hears(&[b"me", b"", &long]);
        let expected = [SIGNATURE, expected].concat();
        assert_eq!(side.reads(&mut stream, expected.len()), expected, "{name}");
        assert_eq!(side.send(b"me", &[b"", &long]), Sent::Yes);
        let answer = message(framing, &[b"", &long]);
        assert_eq!(side.reads(&mut stream, answer.len()), answer, "{name}");
        drop(stream);
        side.hears(&[b"me", GONE]);
    }
}

#[test]
fn a_peer_that_returns_has_its_routing_id_back() {
    let mut side = Side::new(|_| {});
    let mut old = side.peer(b"me");
    old.write_all(&current(&[b"old"])).unwrap();
    side.hears(&[b"me", b"old"]);
    let mut new = side.peer(b"me");
    side.closes(&mut old);
    new.write_all(&current(&[b"new"])).unwrap();
    side.hears(&[b"me", b"new"]);
    assert_eq!(side.send(b"me", &[b"hi"]), Sent::Yes);
    let expected = current(&[b"hi"]);
    assert_eq!(side.reads(&mut new, expected.len()), expected);
    assert!(side.heard.is_empty(), "nobody is gone");
}

/// Bytes of peers, mutated: the broker's side neither panics nor keeps anything.
#[test]
fn any_bytes() {
    let seeds: [Vec<u8>; 3] = [
        [
            &greeting()[..],
            &zmtp::ready(b"me"),
            &current(&[b"C", b"1", &[0; 300]]),
        ]
        .concat(),
        [
            &[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 5, 0, 2][..],
            b"me",
            &current(&[b"x"]),
        ]
        .concat(),
        message(Framing::Old, &[b"me", b"x"]),
    ];
    let mut side = Side::new(|_| {});
    let mut random = 1u64;
    let mut below = |most: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % most
    };
    for round in 0..300 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..below(4) {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(1 + below(bytes.len()));
        let mut stream = side.dial();
        let _ = stream.write_all(&bytes);
        side.turn();
        drop(stream);
        side.until("its end", |side| side.streams.connections.is_empty());
        assert!(side.streams.by_id.is_empty());
    }
    assert!(Header::read(&[0, 0]).is_ok(), "the parser lives");
}
