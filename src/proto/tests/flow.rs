//! Streams and their windows, at every hop.

mod beyond;
mod credit;
mod slow;

use super::net::texts::{FIRST_TOKEN, credit, number, token};
use super::net::*;
use crate::proto::broker::{BrokerEvent, Departure};
use crate::proto::code::Code;
use crate::proto::flow::{OVERHEAD, WINDOW};

/// Number of parts of a stream that exceeds a window.
const LONG: usize = 60;

/// The maximum cost of a part of a long stream, and the number of such parts in a window.
const PART: i64 = OVERHEAD as i64 + 2;
const IN_WINDOW: usize = (WINDOW / (OVERHEAD + 2)) as usize + 1;

/// A scene whose worker answers with long streams.
struct Streaming {
    net: Net,
    b: Id<BrokerActor>,
    w: Id<WorkerActor>,
    c: Id<ClientActor>,
}

fn streaming() -> Streaming {
    let (mut net, b, w, c) = trio();
    net.serve(w, |body| Job::echo(body).parts(LONG));
    net.run(ms(100));
    Streaming { net, b, w, c }
}

impl Streaming {
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
    let mut t = streaming();
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
    let mut t = streaming();
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
    let mut t = streaming();
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
fn miscounted_credit_is_corrected() {
    let mut t = streaming();
    t.net.serve(t.w, |_| Job::endless());
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(50));
    let part = json(&format!("\"{}\"", "x".repeat(WINDOW as usize)));
    t.net.act(t.w, |worker, now| {
        let cost = crate::proto::flow::cost(&part);
        worker.machine.correct(1, cost - 5, &part);
        worker.machine.partial(now, 1, part.clone());
        let stream = worker.streams.get_mut(&1).expect("it runs");
        stream.credit -= i64::from(cost) - 5;
    });
    t.net.run(ms(50));
    assert_eq!(t.parts(r), 1);
    assert_eq!(t.net[t.w].streams[&1].credit, i64::from(WINDOW));
}

#[test]
fn a_stream_shorter_than_a_window_costs_no_further_message() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw(b, b"W");
    let c = net.client(b);
    let hello = r#"{"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#;
    net.say(w, &format!("W|1|echo|{hello}"));
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    net.take(w);
    let ext = token(FIRST_TOKEN);
    let partial = format!("W|6|C2|r|0|5|{ext}");
    let half = WINDOW as usize / 2 / (OVERHEAD as usize + 1);
    for _ in 0..half {
        net.say(w, &partial);
    }
    net.run(ms(100));
    assert_eq!(net.seen(c, r).partials.len(), half);
    assert_eq!(net.take(w), [""; 0]);
    net.say(w, &partial);
    net.run(ms(100));
    let credit = format!("W|10|{}|{}", number(FIRST_TOKEN), credit(0x208));
    assert_eq!(net.take(w), [credit]);
}

#[test]
fn a_cancelled_stream_leaves_nothing_to_the_next() {
    let mut t = streaming();
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
    let mut t = streaming();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    t.net.cut(t.w, &[Side::Dealer, Side::Broker]);
    t.net.run(secs(1));
    assert_eq!(t.net.end(t.c, r), failed("W_LOST"));
    // Credit for a request that has ended is ignored.
    t.set_reading(true);
    let next = t.net.request(t.c, "echo", "2");
    t.net.run(secs(1));
    assert_eq!(t.parts(next), LONG);
    assert_eq!(t.net.end(t.c, next), done("2"));
}

#[test]
fn a_slow_reader_is_not_timed_out_and_one_that_does_not_read_is() {
    let mut t = streaming();
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
