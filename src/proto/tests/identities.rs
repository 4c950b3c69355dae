//! Identities and ids of any bytes, and peers that forge them in vain.

use super::net::texts::{FIRST_TOKEN, number, token};
use super::net::*;

const HELLO: &str = r#"{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s1"}"#;

/// Not UTF-8, like the identities that ZeroMQ generates.
const BINARY: &[u8] = &[0, 0x80, 0xff, 0x41, 0xc3];

#[test]
fn binary_identities_work_with_all_workers() {
    for old_worker in [false, true] {
        let mut net = Net::new();
        let b = net.broker();
        let w = match old_worker {
            true => net.old_worker(b, "echo").any(),
            false => net.named_worker(b, "echo", &[0xfe, 0], |_| {}).any(),
        };
        let old = net.named_old_client(b, BINARY);
        let c = net.unstarted_client(b, &[0xff; 255], |_| {});
        net.start(c);
        net.serve(w, |body| Job::echo(body).parts(3));
        for _ in 0..10 {
            assert_eq!(net.call(old, "echo", "1"), End::Final(json("1")));
            assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
        }
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn a_worker_of_ours_gives_binary_ids_back_as_they_are() {
    let mut net = Net::new();
    let b = net.raw_broker();
    net.worker(b, "echo");
    net.heard(b);
    net.act(b, |broker, _| {
        let request = [b"W", &b"2"[..], BINARY, &[0xff], b"1"];
        broker.tell(b"W1", request.map(<[u8]>::to_vec).to_vec());
    });
    net.run(ms(10));
    let reply = [b"W", &b"3"[..], BINARY, &[0xff], b"0", b"1"];
    assert_eq!(net[b].heard[0].1, reply.map(<[u8]>::to_vec));
}

/// Two identities that decode to the same text, at two 0.0.92 workers.
#[test]
fn ids_that_look_alike_through_utf8_are_not_mixed_up() {
    let mut net = Net::new();
    let b = net.broker();
    let w = [net.old_worker(b, "echo"), net.old_worker(b, "echo")];
    for worker in w {
        net.serve(worker, |body| Job::echo(body).every(ms(50)));
    }
    let c = [
        net.named_old_client(b, &[0xfe]),
        net.named_old_client(b, &[0xff]),
    ];
    net.run(ms(10));
    let requests = [
        net.request(c[0], "echo", "1"),
        net.request(c[1], "echo", "2"),
    ];
    net.run(secs(1));
    assert_eq!(net.end(c[0], requests[0]), done("1"));
    assert_eq!(net.end(c[1], requests[1]), done("2"));
}

/// A worker does not know the token of another worker's request, and cannot use it.
#[test]
fn a_reply_counts_from_the_worker_that_was_given_the_request_alone() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    let old = net.raw(b, b"old");
    net.say(old, "W|1|other");
    let new = net.raw(b, b"new");
    net.say(new, &format!("W|1|other|{HELLO}"));
    let nobody = net.raw(b, b"nobody");
    net.run(ms(10));
    for raw in [old, new, nobody] {
        net.say(raw, "W|6|C2|c2.0-0|0|\"forged\"");
        net.say(raw, "W|3|C2|c2.0-0|0|\"forged\"");
        net.say(raw, "W|3|C2|c2.0-0|\"forged\"");
        for n in 0..4 {
            let given = n * FIRST_TOKEN;
            net.say(raw, &format!("W|3|C2|c2.0-0|0|1|{}", token(given)));
            net.say(raw, &format!("W|9|{}", number(given)));
        }
    }
    net.run(ms(100));
    assert_eq!(net.end(c, r), None);
    assert!(net.seen(c, r).partials.is_empty());
    assert_eq!(net[b].machine.load(), [1, 3, 1, 2]);
    net.act(w, |worker, now| {
        worker.end(now, 1, Outcome::Final(json("2")))
    });
    net.run(ms(10));
    assert_eq!(net.end(c, r), done("2"));
}

#[test]
fn a_reply_to_what_its_worker_does_not_have_goes_to_nobody() {
    let mut net = Net::new();
    let b = net.broker();
    let victim = net.raw(b, b"victim");
    net.say(victim, "C|2|waiting|r|1");
    let w = net.raw(b, b"W");
    net.say(w, "W|1|echo");
    net.run(ms(10));
    for text in [
        "W|3|victim|r|0|1",
        "W|6|victim|r|0|1",
        "W|3|victim|r|\"bad\"",
        "W|3|unknown|r|0|1",
        "W|3|W|r|0|1",
        &format!("W|3|victim|r|0|1|{}", token(FIRST_TOKEN)),
    ] {
        net.say(w, text);
    }
    assert_eq!(net.heard(victim), [""; 0]);
    assert_eq!(net.heard(w), [""; 0], "it keeps its place");
    assert_eq!(net[b].machine.load(), [1, 1, 1, 2]);
}

#[test]
fn after_its_end_nothing_more_of_a_request_is_passed_on() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.raw(b, b"C");
    let w = net.raw(b, b"W");
    net.say(w, "W|1|echo");
    net.say(c, "C|2|echo|r|1");
    net.run(ms(10));
    for text in ["W|3|C|r|0|1", "W|3|C|r|0|2", "W|6|C|r|0|3", "W|3|C|r|\"4\""] {
        net.say(w, text);
    }
    assert_eq!(net.heard(c), ["C|3|r|0|1"]);
}

#[test]
fn a_cancel_or_heartbeat_counts_from_the_client_that_asked_alone() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw(b, b"W");
    let c = net.raw(b, b"C");
    let liar = net.raw(b, b"liar");
    net.say(w, &format!("W|1|echo|{HELLO}"));
    net.say(c, "C|2|echo|r|1");
    net.say(liar, "C|2|nobody|mine|1");
    net.run(ms(10));
    assert_eq!(net.heard(w).len(), 2);
    for text in ["C|8|r", "C|4|r", "C|5", "C|8|unknown"] {
        net.say(liar, text);
    }
    assert_eq!(net.heard(w), [""; 0]);
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    net.say(c, "C|4|r");
    assert_eq!(net.heard(w), ["W|4|C|r"]);
}

#[test]
fn a_request_id_that_is_in_use_is_refused_and_free_again_afterwards() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.raw(b, b"C");
    let other = net.raw(b, b"other");
    let w = net.raw(b, b"W");
    net.say(c, "C|2|echo|r|1");
    net.say(c, "C|2|echo|r|2");
    net.run(ms(10));
    net.say(other, "C|2|echo|r|3");
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [2, 0, 2, 1]);
    assert_eq!(net[b].bad_messages().len(), 1);
    net.say(w, "W|1|echo");
    assert_eq!(net.heard(w), ["W|2|C|r|1|r|1|{}"]);
    net.say(w, "W|3|C|r|0|1");
    assert_eq!(net.heard(w), ["W|2|other|r|3"]);
    net.say(w, "W|3|other|r|0|3");
    net.say(c, "C|2|echo|r|4");
    assert_eq!(net.heard(w), ["W|2|C|r|4"]);
    assert_eq!(net.heard(c), ["C|3|r|0|1"]);
}

#[test]
fn one_identity_may_be_client_and_worker() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"both");
    net.say(raw, "W|1|echo");
    net.say(raw, "C|2|echo|r|1");
    assert_eq!(net.heard(raw), ["W|2|both|r|1|r|1|{}"]);
    net.say(raw, "W|3|both|r|0|1");
    assert_eq!(net.heard(raw), ["C|3|r|0|1"]);
    net.say(raw, "C|2|echo|s|1");
    net.run(ms(10));
    net.kill(raw);
    net.run(secs(11));
    assert_eq!(net[b].machine.load(), [0; 4]);
}
