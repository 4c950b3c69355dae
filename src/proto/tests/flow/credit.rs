//! Credit from every source, and across brokers.

use super::*;
use crate::proto::machine::Machine;
use crate::proto::tests::net::texts::{credit, past, request, resume};

#[test]
fn the_broker_gives_credit_for_a_client_that_gives_none() {
    let mut t = streaming();
    let old = t.net.old_client(t.b);
    let r = t.net.request(old, "echo", "1");
    t.net.run(secs(1));
    assert_eq!(t.net.seen(old, r).partials.len(), LONG);
    assert_eq!(t.net.end(old, r), done("1"));
}

#[test]
fn and_not_while_the_transport_is_behind() {
    let mut t = streaming();
    let old = t.net.named_old_client(t.b, b"old");
    t.net
        .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(1)));
    let r = t.net.request(old, "echo", "1");
    t.net.run(ms(10));
    let congest = |t: &mut Streaming, congested| {
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
    net.act(w, |worker, _| worker.machine.handle_congestion(0, true));
    net.run(secs(1));
    let sent = net.seen(c, r).partials.len();
    assert!(sent < 2 * IN_WINDOW, "{sent}");
    net.act(w, |worker, _| worker.machine.handle_congestion(0, false));
    net.run(secs(1));
    assert_eq!(net.seen(c, r).partials.len(), LONG);
    assert_eq!(net.end(c, r), done("1"));
}

/// A stream that continues through several brokers, with or without a reading client.
#[test]
fn a_window_outlives_the_broker() {
    for (lives, reads) in [(1, true), (1, false), (4, true), (4, false)] {
        let mut t = streaming();
        t.net
            .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(37)));
        t.set_reading(reads);
        let r = t.net.request(t.c, "echo", "1");
        for life in 0..lives {
            t.net.run(ms(450));
            t.net.kill(t.b);
            // What has arrived is read while no broker is connected.
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

/// The client's credit was lost with the broker.
#[test]
fn credit_that_was_lost_is_given_again() {
    let mut t = streaming();
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

/// The broker counts it as well, and does not take the worker for one that exceeds its window.
#[test]
fn credit_that_connections_have_lost_is_given_again_each_time() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.reconnect_grace = secs(5));
    let (w, c) = (net.worker(b, "echo"), net.client(b));
    net.serve(w, |body| Job::echo(body).parts(10 * LONG));
    let mut t = Streaming { net, b, w, c };
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    for _ in 0..8 {
        t.net.run(secs(1));
        t.net.cut(t.c, &[Side::Dealer, Side::Broker]);
        // What has arrived is read while no broker is connected.
        t.set_reading(true);
        t.set_reading(false);
    }
    t.set_reading(true);
    t.net.run(secs(5));
    assert_eq!(t.parts(r), 10 * LONG);
    assert_eq!(t.net.end(t.c, r), done("1"));
}

/// Partials are kept up to the rest of the window.
#[test]
fn without_a_broker_no_more_than_a_window_is_held() {
    let mut t = streaming();
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

/// A foreign client that outlives a broker and gives no credit counts as having read everything.
#[test]
fn nor_is_one_that_gives_no_credit_left_without() {
    let mut t = streaming();
    t.net
        .serve(t.w, |body| Job::echo(body).parts(LONG).every(ms(10)));
    let raw = t.net.raw(t.b, b"raw");
    let hello = r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#;
    t.net.say(raw, hello);
    t.net.say(raw, &request("echo", "r", "1"));
    t.net.run(ms(100));
    let parts = |t: &mut Streaming| {
        let heard = t.net.take(raw);
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
    let past = past(received as u32);
    t.net.say(raw, &resume("echo", "r", "1", past));
    t.net.run(secs(5));
    assert_eq!(received + parts(&mut t), LONG);
}

#[test]
fn credit_for_what_is_not_there_goes_nowhere() {
    let mut t = streaming();
    let raw = t.net.raw(t.b, b"raw");
    t.net.say(raw, &format!("C|10|r|{}", credit(1)));
    t.net.run(ms(50));
    let strays = t.net[t.b].machine.refusals().strays;
    t.net.serve(t.w, |_| Job::endless());
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(50));
    // A request of another client.
    t.net.say(raw, "C|2|nobody|r|1|{}");
    t.net.say(raw, &format!("C|10|c2.0-0|{}", credit(1)));
    t.net.run(ms(50));
    let streams: Vec<i64> = t.net[t.w].streams.values().map(|s| s.credit).collect();
    assert_eq!(streams, [i64::from(WINDOW)]);
    assert_eq!(t.net[t.b].machine.refusals().strays, strays);
    assert_eq!(t.net.end(t.c, r), None);
}
