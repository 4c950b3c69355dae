//! Who a peer is, what its ids are made of, and what those who lie about it get: nothing.

use super::net::*;
use crate::proto::broker::{BrokerEvent, Departure};
use crate::proto::link::Loss;

const HELLO: &str = r#"{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s1"}"#;

/// Not UTF-8, as zmq's own random identities are not.
const BINARY: &[u8] = &[0, 0x80, 0xff, 0x41, 0xc3];

fn heard(net: &mut Net, raw: Id<RawDealer>) -> Vec<String> {
    net.run(ms(10));
    net.act(raw, |raw, _| raw.take())
}

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
    net.run(ms(10));
    net.act(b, |broker, _| {
        broker.take();
        let request = [b"W", &b"2"[..], BINARY, &[0xff], b"1"];
        broker.tell(b"W1", request.map(<[u8]>::to_vec).to_vec());
    });
    net.run(ms(10));
    let reply = [b"W", &b"3"[..], BINARY, &[0xff], b"0", b"1"];
    assert_eq!(net[b].heard[0].1, reply.map(<[u8]>::to_vec));
}

/// Two identities that decode to the same text, in the hands of two old workers.
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

/// A worker knows neither the token of another's request, nor may it use it.
#[test]
fn a_reply_counts_from_the_worker_that_was_given_the_request_alone() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
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
        for token in 0..4u8 {
            let text = format!("W|3|C2|c2.0-0|0|1|\0\0\0\0{}\0\0\0\0", char::from(token));
            net.say(raw, &text);
            net.say(raw, &format!("W|9|\0\0\0{}\0\0\0\0", char::from(token)));
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
        "W|3|victim|r|0|1|\0\0\0\0\u{1}\0\0\0\0",
    ] {
        net.say(w, text);
    }
    assert_eq!(heard(&mut net, victim), [""; 0]);
    assert_eq!(heard(&mut net, w), [""; 0], "it keeps its place");
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
    assert_eq!(heard(&mut net, c), ["C|3|r|0|1"]);
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
    assert_eq!(heard(&mut net, w).len(), 2);
    for text in ["C|8|r", "C|4|r", "C|5", "C|8|unknown"] {
        net.say(liar, text);
    }
    assert_eq!(heard(&mut net, w), [""; 0]);
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    net.say(c, "C|4|r");
    assert_eq!(heard(&mut net, w), ["W|4|C|r"]);
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
    let bad = |event: &BrokerEvent| matches!(event, BrokerEvent::BadMessage { .. });
    assert_eq!(
        net[b].events.iter().filter(|(_, event)| bad(event)).count(),
        1
    );
    net.say(w, "W|1|echo");
    assert_eq!(heard(&mut net, w), ["W|2|C|r|1"]);
    net.say(w, "W|3|C|r|0|1");
    assert_eq!(heard(&mut net, w), ["W|2|other|r|3"]);
    net.say(w, "W|3|other|r|0|3");
    net.say(c, "C|2|echo|r|4");
    assert_eq!(heard(&mut net, w), ["W|2|C|r|4"]);
    assert_eq!(heard(&mut net, c), ["C|3|r|0|1"]);
}

#[test]
fn one_identity_may_be_client_and_worker() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"both");
    net.say(raw, "W|1|echo");
    net.say(raw, "C|2|echo|r|1");
    assert_eq!(heard(&mut net, raw), ["W|2|both|r|1"]);
    net.say(raw, "W|3|both|r|0|1");
    assert_eq!(heard(&mut net, raw), ["C|3|r|0|1"]);
    net.say(raw, "C|2|echo|s|1");
    net.run(ms(10));
    net.kill(raw);
    net.run(secs(11));
    assert_eq!(net[b].machine.load(), [0; 4]);
}

/// The later takes over; the earlier one's connection is closed by the transport.
#[test]
fn of_two_workers_of_one_name_the_later_serves() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    net.serve(first, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    let second = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net.started(second), ["2"]);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

fn last_news(news: &[(crate::proto::Time, LinkNews)]) -> Option<LinkNews> {
    news.last().map(|(_, news)| *news)
}

fn replaced(net: &Net, b: Id<BrokerActor>) -> usize {
    let replaced = |event: &BrokerEvent| matches!(event, BrokerEvent::WorkerGone { why, .. } if *why == Departure::Replaced);
    let events = net[b].events.iter();
    events.filter(|(_, event)| replaced(event)).count()
}

/// Each would take the name from the other for ever.
#[test]
fn workers_of_one_name_do_not_displace_each_other_for_ever() {
    for told in [true, false] {
        displace_each_other(told);
    }
}

fn displace_each_other(told: bool) {
    let mut net = Net::new();
    net.tells_displaced = told;
    let b = net.broker();
    let c = net.client(b);
    let all: Vec<_> = (0..3)
        .map(|_| {
            let w = net.named_worker(b, "echo", b"twin", |_| {});
            net.run(ms(37));
            w
        })
        .collect();
    net.run(secs(if told { 2 } else { 60 }));
    let displacements = replaced(&net, b);
    assert!((2..12).contains(&displacements), "{displacements}");
    net.run(secs(60));
    assert_eq!(replaced(&net, b), displacements, "it is settled");
    for &w in &all[..2] {
        assert_eq!(
            last_news(&net[w].news),
            Some(LinkNews::Lost(Loss::NameTaken))
        );
        assert_eq!(net[w].machine.next_deadline(), None);
    }
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net.started(all[2]), ["1"]);

    // One that is started anew is the latest.
    net.restart(all[0]);
    net.run(secs(60));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net.started(all[0]), ["2"]);
    let news = last_news(&net[all[2]].news);
    assert_eq!(news, Some(LinkNews::Lost(Loss::NameTaken)));

    // Who was told to stay away can be stopped, and be started again.
    net.act(all[2], |worker, now| worker.machine.stop(now, None));
    assert_eq!(net[all[2]].drained, Some(net.now()));
    net.kill(all[0]);
    net.restart(all[1]);
    assert_eq!(net.call(c, "echo", "3"), End::Final(json("3")));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

/// A name that its holder has left is free, also for one that had it before.
#[test]
fn a_worker_that_was_displaced_is_welcome_when_nobody_has_the_name() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    let second = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    net.kill(second);
    net.run(secs(1));
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net.started(first), ["1"]);
}

#[test]
fn a_worker_that_lost_its_connection_is_not_displaced_by_itself() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.named_worker(b, "echo", b"one", |_| {});
    for n in 0..5 {
        net.run(ms(500));
        net.cut(w, &[Side::Dealer]);
        net.run(ms(500));
        let text = n.to_string();
        assert_eq!(net.call(c, "echo", &text), End::Final(json(&text)));
    }
}

#[test]
fn of_two_clients_of_one_name_the_later_keeps_it() {
    let mut net = Net::new();
    let b = net.broker();
    net.worker(b, "echo");
    let twins = [0, 1].map(|_| {
        let c = net.unstarted_client(b, b"twin", |_| {});
        net.impersonate(c);
        net.start(c);
        net.run(ms(50));
        c
    });
    net.run(secs(2));
    let r = net.request_with(twins[0], "echo", json("1"), Some(1000));
    assert_eq!(net.call(twins[1], "echo", "2"), End::Final(json("2")));
    net.run(secs(60));
    assert_eq!(net.end(twins[0], r), failed("C_TIMEOUT"));
    let news = last_news(&net[twins[0]].news);
    assert_eq!(news, Some(LinkNews::Lost(Loss::NameTaken)));
    assert_eq!(last_news(&net[twins[1]].news), Some(LinkNews::Connected));
    assert!(net[twins[1]].news.len() <= 3, "{:?}", net[twins[1]].news);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

/// By the time it leaves the broker, the name may be the other's again.
#[test]
fn that_the_name_is_taken_counts_for_the_session_that_it_is_meant_for() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.named_worker(b, "echo", b"w", |_| {});
    let c = net.unstarted_client(b, b"c", |_| {});
    net.start(c);
    net.run(ms(10));
    let hello = r#"{"heartbeat":2500,"liveness":3,"omdp":1}"#;
    net.tell(b, "w", &format!("W|1|{hello}"));
    net.tell(b, "c", &format!("C|1|{hello}"));
    net.tell(b, "w", "W|5|other.1");
    net.tell(b, "c", "C|5|other-1");
    net.run(ms(10));
    assert_eq!(last_news(&net[w].news), Some(LinkNews::Connected));
    assert_eq!(last_news(&net[c].news), Some(LinkNews::Connected));
    assert!(net[w].faults.is_empty() && net[c].faults.is_empty());
    net.tell(b, "w", "W|5|w1.0.1");
    net.tell(b, "c", "C|5|c2.0-1");
    net.run(ms(10));
    let taken = Some(LinkNews::Lost(Loss::NameTaken));
    assert_eq!(
        (last_news(&net[w].news), last_news(&net[c].news)),
        (taken, taken)
    );
}
