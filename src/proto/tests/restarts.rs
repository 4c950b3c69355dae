//! Each of the three roles dies in the middle, and restarts with its name.

use super::net::*;
use crate::proto::broker::Departure;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::proto::machine::Machine;

/// A scene whose handler never ends.
fn scene() -> Scene {
    Scene::new(|_| Job::endless(), secs(1))
}

#[test]
fn a_worker_that_dies_costs_what_it_ran_and_no_more() {
    let Scene {
        mut net,
        w,
        c,
        running,
        queued,
        ..
    } = scene();
    net.kill(w);
    net.run(ms(2));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, queued), None);
    net.serve(w, Job::echo);
    net.start(w);
    net.run(ms(10));
    assert_eq!(net.end(c, queued), done("2"));
    assert_eq!(net.started(w), ["1", "2"]);
}

/// Only the new life tells the broker of the death.
#[test]
fn a_worker_that_comes_back_before_its_death_is_known_starts_over() {
    let Scene {
        mut net,
        b,
        w,
        c,
        running,
        queued,
    } = scene();
    net.power_off(w);
    net.serve(w, Job::echo);
    net.start(w);
    net.run(ms(10));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, queued), done("2"));
    let (_, why, lost) = net[b].departures()[0];
    assert_eq!((why, lost), (Departure::Replaced, 1));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn an_old_worker_that_comes_back_before_its_death_is_known_starts_over() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    let running = net.request(c, "echo", "1");
    let queued = net.request(c, "echo", "2");
    net.run(secs(1));
    net.power_off(w);
    net.serve(w, Job::echo);
    net.start(w);
    net.run(secs(1));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, queued), done("2"));
}

#[test]
fn requests_of_a_broker_that_stays_away_are_lost_and_the_others_go_to_the_next() {
    let Scene {
        mut net,
        b,
        w,
        c,
        running,
        queued,
    } = scene();
    net.kill(b);
    net.run(secs(10));
    assert_eq!(net.end(c, running), failed("B_LOST"));
    assert_eq!(net.seen(c, running).at, at(8501));
    assert_eq!(net.end(c, queued), None, "it certainly did not run");
    assert_eq!(net[w].cancelled, [(at(8501), 1, Code::BrokerLost)]);
    assert_eq!(net[w].news[1], (at(1001), LinkNews::Lost(Loss::Transport)));
    let later = net.requests(c, 3..6);
    net.run(secs(5));
    net.serve(w, Job::echo);
    net.start(b);
    net.run(secs(1));
    assert_eq!(net.end(c, queued), done("2"));
    for (r, text) in later.into_iter().zip(["3", "4", "5"]) {
        assert_eq!(net.end(c, r), done(text));
    }
    assert_eq!(net.started(w), ["1", "2", "3", "4", "5"]);
}

/// A broker may be away as long as configured, within the timeouts of requests.
#[test]
fn a_broker_may_be_away_for_long() {
    for (away, timeout) in [(55, Some(60)), (55, None), (62, None), (62, Some(60))] {
        let mut net = Net::new();
        let b = net.broker();
        let w = net.worker_with(b, "echo", |config| config.link.away = secs(60 + away));
        let c = net.client_with(b, |config| config.link.away = secs(60));
        net.serve(w, |body| Job::echo(body).every(secs(1)));
        net.run(ms(10));
        let timeout = timeout.map(|timeout| timeout * 1000);
        let r = net.request_with(c, "echo", json("1"), timeout);
        net.run(ms(500));
        net.kill(b);
        net.run(secs(away));
        let end = net.end(c, r);
        net.start(b);
        net.run(secs(1));
        match (away, timeout) {
            (62, None) => assert_eq!(end, failed("B_LOST")),
            (62, _) => assert_eq!(end, failed("C_TIMEOUT")),
            _ => assert_eq!(
                (end, net.end(c, r)),
                (None, done("1")),
                "{away} {timeout:?}"
            ),
        }
        assert_eq!(net.started(w), ["1"]);
    }
}

#[test]
fn worker_and_client_are_back_within_an_interval_or_two() {
    let (mut net, b, w, c) = trio();
    for _ in 0..10 {
        net.kill(b);
        net.run(secs(3));
        net.start(b);
        net.run(ms(210));
        assert_eq!(net[w].news.last().unwrap().1, LinkNews::Connected);
        assert_eq!(net[c].news.last().unwrap().1, LinkNews::Connected);
        net.serve(w, Job::echo);
        assert_eq!(net.call(c, "echo", "7"), End::Final(json("7")));
    }
}

/// Another service of the worker has a connection that this one may share.
#[test]
fn a_worker_whose_broker_is_there_does_not_wait_any_longer() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| {
        config.link.soon = secs(10);
        config.link.reconnect = secs(10);
    });
    net.run(ms(10));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    assert_ne!(net[w].news.last().unwrap().1, LinkNews::Connected);
    net.act(w, |worker, now| worker.machine.handle_reached(0, now));
    net.run(ms(10));
    assert_eq!(net[w].news.last().unwrap().1, LinkNews::Connected);
}

#[test]
fn a_broker_that_is_replaced_by_an_old_one_and_back() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    let hello = r#"{"heartbeat":2500,"liveness":3,"omdp":1}"#;
    net.run(ms(10));
    net.tell(b, "W1", &format!("W|1|{hello}"));
    net.tell(b, "C2", &format!("C|1|{hello}"));
    net.run(ms(10));
    net.act(c, |client, now| {
        client.request(now, "echo", crate::wire::Body::binary(vec![7]), None)
    });
    net.restart(b);
    net.run(ms(750));
    net.take(b);
    // The restarted broker sends no hello: no extension may be used.
    net.act(c, |client, now| {
        client.request(now, "echo", crate::wire::Body::binary(vec![7]), None)
    });
    net.run(ms(10));
    let heard = net.take(b);
    assert!(
        heard[0].contains(r#"|{"type":"Buffer","data":[7]}|"#),
        "{heard:?}"
    );
    net.tell(b, "W1", "W|2|C2|r|1");
    net.run(ms(10));
    assert_eq!(net.take(b), ["W|3|C2|r|0|1"]);
    assert_eq!(net[w].faults, []);
}

#[test]
fn a_broker_that_stops_tells_everybody() {
    let Scene {
        mut net,
        b,
        w,
        c,
        running,
        queued,
    } = scene();
    let old = net.old_client(b);
    let old_waiting = net.request(old, "nobody", "1");
    net.run(ms(10));
    net.act(b, |broker, now| broker.machine.discard(now));
    assert_eq!(net[b].machine.load(), [0; 4]);
    assert_eq!(net[b].machine.next_deadline(), None);
    net.run(ms(1));
    assert_eq!(net.end(c, running), failed("B_LOST"));
    assert_eq!(net.end(c, queued), failed("B_LOST"));
    assert_eq!(net.end(old, old_waiting), error("\"B_LOST\""));
    assert_eq!(net[w].news[1].1, LinkNews::Lost(Loss::Refused));
    assert_eq!(net[c].news[1].1, LinkNews::Lost(Loss::Refused));
}

#[test]
fn a_client_that_dies_frees_the_queue_and_the_worker() {
    let Scene {
        mut net, b, w, c, ..
    } = scene();
    let other = net.client(b);
    net.serve(w, Job::echo);
    let r = net.request(other, "echo", "9");
    net.kill(c);
    net.run(ms(10));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    assert_eq!(net.end(other, r), done("9"));
    assert_eq!(
        net.started(w),
        ["1", "9"],
        "what had not started never starts"
    );
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn a_client_that_comes_back_is_not_given_the_replies_of_its_earlier_life() {
    let Scene {
        mut net, b, w, c, ..
    } = scene();
    net.power_off(c);
    net.start(c);
    net.run(ms(10));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    net.serve(w, Job::echo);
    assert_eq!(net.call(c, "echo", "3"), End::Final(json("3")));
    assert_eq!(net.started(w), ["1", "3"]);
}

#[test]
fn a_thousand_restarts_under_one_name_all_serve() {
    let (mut net, b, w, c) = trio();
    for n in 0..1000 {
        match n % 3 {
            0 => net.restart(w),
            1 => net.restart(c),
            _ => {
                net.power_off(w);
                net.start(w);
            }
        }
        net.run(ms(10));
        assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    }
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn requests_made_before_the_start_go_out_in_order() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.unstarted_client(b, b"C", |_| {});
    let requests = net.requests(c, 0..20);
    net.run(secs(1));
    assert_eq!(net.started(w), [""; 0]);
    net.start(c);
    net.run(secs(1));
    for (n, r) in requests.into_iter().enumerate() {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    let order: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(net.started(w), order);
}

/// An inproc connection is up before the endpoint is bound.
#[test]
fn a_client_that_awaits_the_hello_keeps_its_requests_until_then() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client_with(b, |config| config.await_hello = true);
    let r = net.request(c, "echo", "1");
    net.run(secs(1));
    assert_eq!(net.take(b).len(), 1, "its hello");
    assert!(net[c].news.is_empty());
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    assert_eq!(net.end(c, r), None, "what was not sent is not lost");
    net.take(b);
    net.tell(b, "C1", r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1}"#);
    net.run(ms(10));
    assert!(net.take(b)[0].starts_with("C|2|echo|"));
}
