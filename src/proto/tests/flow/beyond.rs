//! Credit beyond what was sent, and whose fault it is.

use super::*;
use crate::proto::tests::net::texts::{FIRST_TOKEN, past, request, resume, token};
use crate::wire::omdp::Past;
use crate::wire::omdp::testing::frames;

const HELLO: &str = r#"{"flow":1,"heartbeat":60000,"liveness":3,"omdp":1,"session":"s"}"#;

/// A foreign client that keeps windows.
fn foreign(t: &mut Streaming) -> Id<RawDealer> {
    let raw = t.net.raw(t.b, b"raw");
    t.net.say(raw, &format!("C|1|{HELLO}"));
    raw
}

/// Gives this much credit for a request.
fn give(t: &mut Streaming, raw: Id<RawDealer>, rid: &str, bytes: u32) {
    let mut message = frames(&format!("C|10|{rid}"));
    message.push(bytes.to_be_bytes().to_vec());
    t.net.act(raw, |raw, _| raw.say(message));
}

/// Counts messages that contain this.
fn heard(t: &mut Streaming, raw: Id<RawDealer>, text: &str) -> usize {
    let heard = t.net.take(raw);
    heard.iter().filter(|heard| heard.contains(text)).count()
}

#[test]
fn credit_for_nothing_does_not_convict_the_worker() {
    let mut t = streaming();
    t.net.serve(t.w, |body| match &*body.bytes {
        b"1" => Job::echo(body).parts(LONG).every(ms(100)),
        _ => Job::echo(body).parts(10 * LONG).every(ms(1)),
    });
    t.net
        .act(t.w, |worker, now| worker.set_concurrency(now, Some(8)));
    let raw = foreign(&mut t);
    let r = t.net.request(t.c, "echo", "1");
    for rid in ["r1", "r2", "r3", "r4"] {
        t.net.say(raw, &format!("C|2|echo|{rid}|2|{{}}"));
        give(&mut t, raw, rid, u32::MAX);
    }
    t.net.run(secs(5));
    assert_eq!(heard(&mut t, raw, "C_SLOW"), 4);
    t.net.run(secs(5));
    assert_eq!(t.net.end(t.c, r), done("1"));
    assert_eq!(t.net[t.b].bad_messages(), []);
    assert_eq!(t.net[t.b].departures(), []);
}

/// The same by what a client claims to have read before the broker started.
#[test]
fn an_invented_past_does_not_convict_the_worker() {
    let mut t = streaming();
    t.net
        .serve(t.w, |body| Job::echo(body).parts(10 * LONG).every(ms(10)));
    let raw = foreign(&mut t);
    t.net.say(raw, &request("echo", "r", "1"));
    t.net.run(ms(100));
    let received = heard(&mut t, raw, "C|6|") as u32;
    assert!(received > 0);
    t.net.kill(t.b);
    t.net.run(ms(100));
    t.net.start(t.b);
    t.net.run(ms(100));
    t.net.say(raw, &format!("C|1|{HELLO}"));
    let mut message = frames(&resume("echo", "r", "1", past(received)));
    let past = Past {
        read: u64::MAX,
        ..past(received)
    };
    *message.last_mut().expect("what the client knows") = past.to_frame();
    t.net.act(raw, |raw, _| raw.say(message.clone()));
    t.net.run(ms(100));
    give(&mut t, raw, "r", u32::MAX);
    t.net.run(secs(5));
    assert_eq!(heard(&mut t, raw, "C_SLOW"), 1);
    assert_eq!(t.net[t.b].bad_messages(), []);
}

/// A client whose request outlives a broker gives some credit for what this broker has not sent.
#[test]
fn a_worker_that_exceeds_its_window_is_convicted_nevertheless() {
    for given in [0, 1, 2 * WINDOW, 4 * WINDOW] {
        let mut net = Net::new();
        let b = net.broker();
        let w = net.worker(b, "other");
        let c = net.client(b);
        let mut t = Streaming { net, b, w, c };
        let bad = t.net.raw(b, b"W");
        t.net.say(bad, &format!("W|1|echo|{HELLO}"));
        let raw = foreign(&mut t);
        t.net.say(raw, "C|2|echo|r|1|{}");
        if given > 0 {
            give(&mut t, raw, "r", given);
        }
        t.net.run(ms(100));
        let ext = token(FIRST_TOKEN);
        for _ in 0..9 * IN_WINDOW {
            t.net.say(bad, &format!("W|6|raw|r|0|5|{ext}"));
        }
        t.net.run(ms(100));
        assert_eq!(heard(&mut t, raw, "W_BAD_REPLY"), 1, "{given}");
        let why = (&b"W"[..], "more than its window");
        assert_eq!(t.net[t.b].bad_messages(), [why]);
    }
}

/// A worker that returns is told that a client without credit has read everything.
#[test]
fn returning_to_a_client_that_takes_nothing_is_no_fault_of_the_worker() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.reconnect_grace = secs(5));
    let (w, c) = (net.worker(b, "echo"), net.client(b));
    net.serve(w, |body| Job::echo(body).parts(10 * LONG).every(ms(1)));
    let mut t = Streaming { net, b, w, c };
    let old = t.net.named_old_client(t.b, b"old");
    let r = t.net.request(old, "echo", "1");
    t.net.run(ms(10));
    t.net.act(t.b, |broker, _| {
        broker.machine.handle_congestion(b"old", true);
    });
    for _ in 0..8 {
        t.net.run(secs(1));
        t.net.cut(t.w, &[Side::Dealer, Side::Broker]);
    }
    t.net.run(secs(1));
    assert_eq!(t.net[t.b].bad_messages(), []);
    assert_eq!(t.net.end(old, r), error("\"C_SLOW\""));
}
