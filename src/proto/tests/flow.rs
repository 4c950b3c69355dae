//! Streams and their windows, at every hop; and peers that take nothing any more.

use super::net::*;
use crate::proto::broker::{BrokerEvent, Departure};
use crate::proto::code::Code;
use crate::proto::flow::{OVERHEAD, WINDOW};

/// More than a window holds.
const LONG: usize = 60;

/// What a part of a long stream costs at most, and how many of them fit into a window.
const PART: i64 = OVERHEAD as i64 + 2;
const IN_WINDOW: usize = (WINDOW / (OVERHEAD + 2)) as usize + 1;

struct Trio {
    net: Net,
    b: Id<BrokerActor>,
    w: Id<WorkerActor>,
    c: Id<ClientActor>,
}

fn trio() -> Trio {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(LONG));
    net.run(ms(100));
    Trio { net, b, w, c }
}

impl Trio {
    fn set_reading(&mut self, reads: bool) {
        self.net
            .act(self.c, |client, now| client.set_reading(now, reads));
    }

    fn parts(&mut self, request: u64) -> usize {
        self.net.seen(self.c, request).partials.len()
    }
}

#[test]
fn a_stream_that_nobody_reads_stops_at_its_window() {
    let mut t = trio();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(5));
    let arrived = t.parts(r);
    assert!((IN_WINDOW..IN_WINDOW + 2).contains(&arrived), "{arrived}");
    let credit = t.net[t.w].streams.values().next().expect("it runs").credit;
    assert!((1 - PART..=0).contains(&credit), "{credit}");
    assert_eq!(t.net.end(t.c, r), None);

    t.set_reading(true);
    t.net.run(secs(1));
    assert_eq!(t.parts(r), LONG);
    assert_eq!(t.net.end(t.c, r), done("1"));
}

#[test]
fn a_stream_that_stands_holds_up_no_other() {
    let mut t = trio();
    t.set_reading(false);
    let other = t.net.client(t.b);
    t.net
        .act(t.w, |worker, now| worker.set_concurrency(now, Some(2)));
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    t.net.serve(t.w, Job::echo);
    assert_eq!(t.net.call(other, "echo", "2"), End::Final(json("2")));
    assert_eq!(t.net.call(t.c, "echo", "3"), End::Final(json("3")));
    assert_eq!(t.net.end(t.c, r), None);
}

#[test]
fn a_part_of_any_size_passes() {
    let mut t = trio();
    let huge = || json(&format!("\"{}\"", "x".repeat(10 * WINDOW as usize)));
    t.net.serve(t.w, move |body| {
        let mut job = Job::echo(body);
        job.partials = (0..3).map(|_| huge()).collect();
        job
    });
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    assert_eq!(t.parts(r), 1);
    t.set_reading(true);
    t.net.run(secs(1));
    assert_eq!(t.parts(r), 3);
    assert_eq!(t.net.end(t.c, r), done("1"));
}

#[test]
fn what_the_user_miscounted_is_set_right() {
    let mut t = trio();
    t.net.serve(t.w, |_| Job::endless());
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(50));
    let part = json(&format!("\"{}\"", "x".repeat(WINDOW as usize)));
    t.net.act(t.w, |worker, _| {
        let cost = crate::proto::flow::cost(&part);
        worker.machine.correct(1, cost - 5, &part);
        worker.machine.partial(1, part.clone());
        let stream = worker.streams.get_mut(&1).expect("it runs");
        stream.credit -= i64::from(cost) - 5;
    });
    t.net.run(ms(50));
    assert_eq!(t.parts(r), 1);
    assert_eq!(t.net[t.w].streams[&1].credit, i64::from(WINDOW));
}

#[test]
fn what_is_shorter_than_a_window_costs_no_message_more() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw(b, b"W");
    let c = net.client(b);
    let hello = r#"{"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#;
    net.say(w, &format!("W|1|echo|{hello}"));
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    net.act(w, |raw, _| raw.take());
    // The token of the first request.
    let ext = "\0\0\0\0\u{1}\0\0\0\0";
    let partial = format!("W|6|C2|r|0|5|{ext}");
    let half = WINDOW as usize / 2 / (OVERHEAD as usize + 1);
    for _ in 0..half {
        net.say(w, &partial);
    }
    net.run(ms(100));
    assert_eq!(net.seen(c, r).partials.len(), half);
    assert_eq!(net.act(w, |raw, _| raw.take()), [""; 0]);
    net.say(w, &partial);
    net.run(ms(100));
    let credit = "W|10|\0\0\0\u{1}\0\0\0\0|\0\0\u{2}\u{8}";
    assert_eq!(net.act(w, |raw, _| raw.take()), [credit]);
}

#[test]
fn a_cancelled_stream_leaves_nothing_to_the_next() {
    let mut t = trio();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    t.net.act(t.c, |client, _| client.cancel(r));
    t.net.run(secs(1));
    assert_eq!(t.net[t.w].cancelled.len(), 1);
    let next = t.net.request(t.c, "echo", "2");
    t.net.run(secs(1));
    let arrived = t.parts(next);
    assert!((IN_WINDOW..IN_WINDOW + 2).contains(&arrived), "{arrived}");
    t.set_reading(true);
    t.net.run(secs(1));
    assert_eq!(t.net.end(t.c, next), done("2"));
}

#[test]
fn a_lost_link_ends_the_stream_and_its_window() {
    let mut t = trio();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    t.net.cut(t.w, &[Side::Dealer, Side::Broker]);
    t.net.run(secs(1));
    assert_eq!(t.net.end(t.c, r), failed("W_LOST"));
    // Credit for what has ended goes nowhere.
    t.set_reading(true);
    let next = t.net.request(t.c, "echo", "2");
    t.net.run(secs(1));
    assert_eq!(t.parts(next), LONG);
    assert_eq!(t.net.end(t.c, next), done("2"));
}

#[test]
fn who_reads_slowly_is_not_timed_out_and_who_does_not_read_is() {
    let mut t = trio();
    t.set_reading(false);
    let r = t.net.request_with(t.c, "echo", json("1"), Some(3000));
    for _ in 0..4 {
        t.net.run(secs(2));
        t.set_reading(true);
        t.net.run(ms(1));
        t.set_reading(false);
    }
    assert_eq!(t.net.end(t.c, r), done("1"), "8 s later");

    let r = t.net.request_with(t.c, "echo", json("2"), Some(3000));
    t.net.run(secs(4));
    assert_eq!(t.net.end(t.c, r), failed("C_TIMEOUT"));
    assert_eq!(t.net[t.w].cancelled.len(), 1);
    assert_eq!(t.net[t.b].machine.load()[0], 0);
}

#[test]
fn the_broker_gives_credit_for_a_client_that_gives_none() {
    let mut t = trio();
    let old = t.net.old_client(t.b);
    let r = t.net.request(old, "echo", "1");
    t.net.run(secs(1));
    assert_eq!(t.net.seen(old, r).partials.len(), LONG);
    assert_eq!(t.net.end(old, r), done("1"));
}

#[test]
fn and_not_while_the_transport_is_behind() {
    let mut t = trio();
    let old = t.net.named_old_client(t.b, b"old");
    t.net
        .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(1)));
    let r = t.net.request(old, "echo", "1");
    t.net.run(ms(10));
    let congest = |t: &mut Trio, congested| {
        t.net.act(t.b, |broker, _| {
            broker.machine.handle_congestion(b"old", congested)
        });
    };
    congest(&mut t, true);
    t.net.run(secs(5));
    let sent = t.net.seen(old, r).partials.len();
    assert!(sent < 2 * IN_WINDOW, "{sent}");
    assert_eq!(t.net.end(old, r), None);
    congest(&mut t, false);
    t.net.run(secs(1));
    assert_eq!(t.net.end(old, r), done("1"));
}

#[test]
fn toward_an_old_broker_the_worker_gives_it_to_itself() {
    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(LONG).every(ms(1)));
    net.run(secs(3));
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    net.act(w, |worker, _| worker.machine.handle_congestion(true));
    net.run(secs(1));
    let sent = net.seen(c, r).partials.len();
    assert!(sent < 2 * IN_WINDOW, "{sent}");
    net.act(w, |worker, _| worker.machine.handle_congestion(false));
    net.run(secs(1));
    assert_eq!(net.seen(c, r).partials.len(), LONG);
    assert_eq!(net.end(c, r), done("1"));
}

/// A stream that goes on through one broker after another, while its client reads, or does not.
#[test]
fn a_window_outlives_the_broker() {
    for (lives, reads) in [(1, true), (1, false), (4, true), (4, false)] {
        let mut t = trio();
        t.net
            .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(37)));
        t.set_reading(reads);
        let r = t.net.request(t.c, "echo", "1");
        for life in 0..lives {
            t.net.run(ms(450));
            t.net.kill(t.b);
            // What has arrived is read while there is no broker to tell.
            t.set_reading(life % 2 == 0);
            t.net.run(ms(250));
            t.net.start(t.b);
            t.net.run(ms(300));
            t.set_reading(reads);
        }
        t.net.run(secs(2));
        if !reads {
            let stream = t.net[t.w].streams.values().next().expect("it runs");
            assert!((1 - PART..=0).contains(&stream.credit), "{}", stream.credit);
            let (sent, arrived) = (stream.sent, t.parts(r));
            let read = t.net[t.c].streams[&r].read;
            assert!(sent - read <= i64::from(WINDOW) + PART, "{sent} {read}");
            assert!(arrived < LONG);
            t.set_reading(true);
        }
        t.net.run(secs(5));
        assert_eq!(t.parts(r), LONG, "{lives} {reads}");
        assert_eq!(t.net.end(t.c, r), done("1"));
        assert_eq!(t.net.started(t.w), ["1"]);
    }
}

/// Its credit was with the broker when that died.
#[test]
fn credit_that_was_lost_is_given_again() {
    let mut t = trio();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    t.set_reading(true);
    t.net.kill(t.b);
    t.net.run(ms(300));
    let credit = t.net[t.w].streams.values().next().expect("it runs").credit;
    assert!(credit <= 0, "{credit}");
    t.net.start(t.b);
    t.net.run(secs(1));
    assert_eq!(t.parts(r), LONG);
    assert_eq!(t.net.end(t.c, r), done("1"));
}

/// The parts that are written meanwhile are held, up to what is left of the window.
#[test]
fn without_a_broker_no_more_than_a_window_is_held() {
    let mut t = trio();
    t.net
        .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(50)));
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(500));
    let before = t.parts(r);
    t.net.kill(t.b);
    t.net.run(secs(5));
    let stream = t.net[t.w].streams.values().next().expect("it runs");
    assert!((1 - PART..=0).contains(&stream.credit), "{}", stream.credit);
    t.net.start(t.b);
    t.net.run(ms(250));
    assert!(t.parts(r) > before + IN_WINDOW / 2);
    t.net.run(secs(5));
    assert_eq!(t.parts(r), LONG);
    assert_eq!(t.net.end(t.c, r), done("1"));
}

/// A client of another make that outlives a broker and gives no credit has read what it got.
#[test]
fn nor_is_one_that_gives_no_credit_left_without() {
    let mut t = trio();
    t.net
        .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(10)));
    let raw = t.net.raw(t.b, b"raw");
    let hello = r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#;
    t.net.say(raw, hello);
    t.net.say(raw, "C|2|echo|r|1|{}|\0\0\0\u{7f}\0");
    t.net.run(ms(100));
    let parts = |t: &mut Trio| {
        let heard = t.net.act(raw, |raw, _| raw.take());
        let parts = heard.iter().filter(|text| text.starts_with("C|6|"));
        parts.count()
    };
    let received = parts(&mut t);
    assert!(received > 0);
    t.net.kill(t.b);
    t.net.run(ms(100));
    t.net.start(t.b);
    t.net.run(ms(100));
    t.net.say(raw, hello);
    let past = format!(
        "\0\0\0{}\0\0\u{7}\0\0\0\0\0\0\0\0\0",
        char::from(received as u8)
    );
    t.net
        .say(raw, &format!("C|11|echo|r|1|{{}}|\0\0\0\u{7f}\0|{past}"));
    t.net.run(secs(5));
    assert_eq!(received + parts(&mut t), LONG);
}

fn overflow(t: &mut Trio, peer: &[u8]) -> Vec<BrokerEvent> {
    t.net.act(t.b, |broker, now| {
        broker.events.clear();
        broker.machine.handle_overflow(now, peer);
    });
    t.net.run(ms(50));
    let events = t.net[t.b].events.iter();
    events.map(|(_, event)| event.clone()).collect()
}

#[test]
fn a_client_of_ours_that_takes_nothing_loses_its_place() {
    let mut t = trio();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    let gone = BrokerEvent::ClientGone {
        client: (*b"C2").into(),
        why: Departure::Slow,
        lost: 1,
    };
    assert_eq!(overflow(&mut t, b"C2"), [gone]);
    assert_eq!(t.net.end(t.c, r), failed("B_LOST"));
    let cancelled = &t.net[t.w].cancelled;
    assert!(matches!(cancelled[..], [(_, 1, Code::Aborted)]));
    t.set_reading(true);
    assert_eq!(t.net.call(t.c, "echo", "2"), End::Final(json("2")));
}

#[test]
fn an_old_one_gets_errors() {
    let mut t = trio();
    t.net.serve(t.w, |_| Job::endless());
    let old = t.net.named_old_client(t.b, b"old");
    let r = t.net.request(old, "echo", "1");
    t.net.run(ms(50));
    let gone = BrokerEvent::ClientGone {
        client: (*b"old").into(),
        why: Departure::Slow,
        lost: 1,
    };
    assert_eq!(overflow(&mut t, b"old"), [gone]);
    assert_eq!(t.net.end(old, r), error("\"C_SLOW\""));
    assert_eq!(t.net[t.b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn a_worker_that_takes_nothing_loses_its_place() {
    let mut t = trio();
    t.net.serve(t.w, |_| Job::endless());
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(50));
    let events = overflow(&mut t, b"W1");
    assert!(
        matches!(
            events[..],
            [BrokerEvent::WorkerGone {
                why: Departure::Slow,
                lost: 1,
                ..
            }]
        ),
        "{events:?}"
    );
    assert_eq!(t.net.end(t.c, r), failed("W_LOST"));
}

#[test]
fn credit_for_what_is_not_there_goes_nowhere() {
    let mut t = trio();
    let raw = t.net.raw(t.b, b"raw");
    t.net.say(raw, "C|10|r|\0\0\0\u{1}");
    t.net.run(ms(50));
    let strays = t.net[t.b].machine.refusals().strays;
    t.net.serve(t.w, |_| Job::endless());
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(50));
    // Another's request.
    t.net.say(raw, "C|2|nobody|r|1|{}");
    let rid = String::from_utf8(b"c2.0-0".to_vec()).expect("text");
    t.net.say(raw, &format!("C|10|{rid}|\0\0\0\u{1}"));
    t.net.run(ms(50));
    let streams: Vec<i64> = t.net[t.w].streams.values().map(|s| s.credit).collect();
    assert_eq!(streams, [i64::from(WINDOW)]);
    assert_eq!(t.net[t.b].machine.refusals().strays, strays);
    assert_eq!(t.net.end(t.c, r), None);
}
