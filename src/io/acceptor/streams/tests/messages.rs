//! Messages and commands.

use super::*;
use crate::io::acceptor::streams::receiving::SIGNS;
use crate::io::acceptor::streams::sending::MAX_UNSENT;

#[test]
fn several_messages_at_once_and_the_end_after_the_last() {
    let mut side = Side::new(|_| {});
    let mut stream = side.dial();
    let large = vec![7; 100_000];
    let all = [
        &greeting()[..],
        &zmtp::ready(b"me"),
        &current(&[b"1"]),
        &current(&[b"2", &large]),
        &current(&[b"3"]),
    ];
    stream.set_nonblocking(false).unwrap();
    stream.write_all(&all.concat()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    side.hears(&[b"me", b"1"]);
    side.hears(&[b"me", b"2", &large]);
    side.hears(&[b"me", b"3"]);
    side.hears(&[b"me", GONE]);
    assert_eq!(side.streams.drain_ended().count(), 1);
    assert!(side.streams.connections.is_empty() && side.streams.by_id.is_empty());
}

#[test]
fn peers_take_turns() {
    let mut side = Side::new(|_| {});
    let mut streams = [side.peer(b"a"), side.peer(b"b")];
    for stream in &mut streams {
        for n in 0..50u8 {
            stream.write_all(&current(&[&[n], b"x"])).unwrap();
        }
    }
    side.until("all messages", |side| side.heard.len() >= 100);
    let from = |id: &[u8]| -> Vec<u8> {
        let all = side.heard.iter().filter(|heard| heard[0] == id);
        all.map(|heard| heard[1][0]).collect()
    };
    let expected: Vec<u8> = (0..50).collect();
    assert_eq!((from(b"a"), from(b"b")), (expected.clone(), expected));
    // Whatever was there together came in turn.
    let second = side
        .heard
        .iter()
        .position(|heard| heard[0] == b"b")
        .unwrap();
    let both = &side.heard[second..second + 20];
    assert!(
        both.windows(2).all(|two| two[0][0] != two[1][0]),
        "{both:?}"
    );
}

#[test]
fn commands_of_a_peer() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    let ping = b"\x04\x0a\x04PING\0\0abc";
    let other = b"\x04\x05\x04NEWS";
    let all = [&ping[..], other, &current(&[b"x"]), ping].concat();
    stream.write_all(&all).unwrap();
    side.hears(&[b"me", b"x"]);
    let pongs = b"\x04\x08\x04PONGabc\x04\x08\x04PONGabc";
    assert_eq!(side.reads(&mut stream, pongs.len()), pongs);

    // A peer that says how long it lives, and then nothing, is gone.
    stream.write_all(b"\x04\x07\x04PING\0\x02").unwrap();
    side.reads(&mut stream, 7);
    side.hears(&[b"me", GONE]);

    // One that goes on is not.
    let mut stream = side.peer(b"you");
    stream.write_all(b"\x04\x07\x04PING\0\x02").unwrap();
    side.reads(&mut stream, 7);
    stream.write_all(&current(&[b"y"])).unwrap();
    side.hears(&[b"you", b"y"]);
    let until = clock::now() + Duration::from_millis(500);
    side.until("a while", |_| clock::now() >= until);
    assert!(side.heard.is_empty());
}

#[test]
fn a_peer_that_reads_nothing_holds_up_nobody() {
    let mut side = Side::new(|_| {});
    let (mut slow, mut other) = (side.peer(b"slow"), side.peer(b"other"));
    let part = vec![1; 100_000];
    let mut taken = 0;
    while side.send(b"slow", &[&part]) == Sent::Yes {
        taken += 1;
        assert!(taken < 10_000, "the system has taken a gigabyte");
        side.streams.flush();
    }
    assert!(side.streams.in_flight(b"slow") >= MAX_UNSENT);
    assert!(side.streams.in_flight(b"slow") < MAX_UNSENT + 2 * part.len());
    assert_eq!(side.send(b"other", &[b"x"]), Sent::Yes);
    assert_eq!(side.reads(&mut other, 3), current(&[b"x"]));
    let frame = current(&[&part]);
    for _ in 0..taken {
        assert!(side.reads(&mut slow, frame.len()) == frame);
    }
    assert_eq!(side.streams.in_flight(b"slow"), 0);
    assert_eq!(side.send(b"slow", &[b"x"]), Sent::Yes);
}

#[test]
fn sent_messages_arrive_before_the_end() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    let part = vec![1; 600_000];
    assert_eq!(side.send(b"me", &[&part]), Sent::Yes);
    let Side {
        streams, runtime, ..
    } = side;
    let reader = std::thread::spawn(move || {
        stream.set_nonblocking(false).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).map(|_| all)
    });
    runtime.block_on(streams.close());
    assert_eq!(reader.join().unwrap().unwrap(), current(&[&part]));
}

/// The process at the other side of a connection that was closed knows it, that of one that was reset may not.
#[test]
fn a_reset_is_told_from_an_end() {
    let mut side = Side::new(|_| {});
    let closed = side.peer(b"closed");
    drop(closed);
    side.hears(&[b"closed", GONE]);
    let reset = side.peer(b"reset");
    let linger = Some(Duration::ZERO);
    socket2::SockRef::from(&reset).set_linger(linger).unwrap();
    drop(reset);
    side.hears(&[b"reset", GONE, b""]);
    // Sending fails meanwhile, which consumes the system's report of the reset.
    let reset = side.peer(b"meanwhile");
    socket2::SockRef::from(&reset).set_linger(linger).unwrap();
    drop(reset);
    side.send(b"meanwhile", &[b"1"]);
    side.streams.flush();
    side.hears(&[b"meanwhile", GONE, b""]);
    // The process has ended, and answers to what it is sent by a reset.
    let closed = side.peer(b"ended");
    drop(closed);
    for _ in 0..2 {
        side.send(b"ended", &[b"1"]);
        side.streams.flush();
    }
    side.hears(&[b"ended", GONE]);
}

#[test]
fn each_large_message_that_stays_incomplete_is_a_sign_of_life_and_wakes_its_connection() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    let body = vec![1; 2_000_000];
    let message = current(&[&body]);
    for _ in 0..3 {
        let (first, rest) = message.split_at(50_000);
        stream.set_nonblocking(false).unwrap();
        stream.write_all(first).unwrap();
        side.until("a part", |side| !side.streams.receiving.is_empty());
        assert_eq!(side.streams.take_receiving().unwrap().len(), 1);
        let sent = clock::now();
        side.until("a slumber", |side| !side.streams.slumbering.is_empty());
        side.until("a while", |_| clock::now().since(sent) > SIGNS);
        std::thread::scope(|scope| {
            scope.spawn(|| (&stream).write_all(rest).unwrap());
            side.hears(&[b"me", &body]);
        });
        side.streams.take_receiving();
        side.until("no slumber", |side| side.streams.slumbering.is_empty());
    }
}

#[test]
fn parts_that_follow_each_other_are_one_sign_of_life() {
    let mut side = Side::new(|_| {});
    let mut stream = side.peer(b"me");
    let message = current(&[&vec![1; 4_000_000]]);
    stream.set_nonblocking(false).unwrap();
    let (mut signs, begin) = (0, clock::now());
    for part in message.chunks(4000).take(500) {
        stream.write_all(part).unwrap();
        side.turn();
        signs += side.streams.take_receiving().map_or(0, |peers| peers.len());
    }
    let most = clock::now().since(begin).as_millis() / SIGNS.as_millis() + 1;
    assert!(signs as u128 <= most, "{signs} of {most}");
}

/// Another connection may have the place of one that has ended.
#[test]
fn connections_that_end_slumber_no_longer() {
    let mut side = Side::new(|_| {});
    let message = current(&[&vec![1; 2_000_000]]);
    for id in [b"a", b"b"] {
        let mut stream = side.peer(id);
        stream.write_all(&message[..50_000]).unwrap();
        side.until("a slumber", |side| {
            let mut all = side.streams.connections.iter();
            all.any(|(_, connection)| connection.is_slumbering)
        });
        drop(stream);
        side.hears(&[id, GONE]);
    }
    side.until("none", |side| side.streams.slumbering.is_empty());
}
