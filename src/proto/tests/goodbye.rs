//! Messages under way to a worker that leaves, and the exchange of goodbyes.

use super::drain::{goodbyes, stop};
use super::net::texts::token;
use super::net::*;
use crate::proto::link::Loss;
use crate::proto::machine::Machine;
use crate::proto::worker::GOODBYE;

#[test]
fn an_idle_worker_leaves_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.run(ms(10));
    stop(&mut net, w, None);
    net.run(ms(10));
    assert_eq!(net[w].drained, Some(at(12)), "after a round trip");
    assert_eq!(net[w].news[1], (at(12), LinkNews::Lost(Loss::Stopped)));
    assert_eq!(net[w].machine.next_deadline(), None);
    assert_eq!(net[b].machine.load(), [0; 4]);
    assert_eq!(goodbyes(&net, b), 1);
}

#[test]
fn a_goodbye_that_is_not_answered_ends_the_drain_soon() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker_with(b, "echo", |config| config.link.heartbeat = ms(50));
    net.run(ms(10));
    net.tell(b, "W1", r#"W|1|{"heartbeat":2500,"liveness":3,"omdp":1}"#);
    net.run(ms(10));
    net.take(b);
    stop(&mut net, w, None);
    net.run(ms(10));
    net.act(w, |worker, now| worker.set_concurrency(now, Some(7)));
    net.tell(b, "W1", &format!("W|2|C|r|1|{{}}|{}", token(1)));
    net.run(secs(1));
    assert_eq!(net[w].drained, Some(at(20) + GOODBYE));
    let heard = net.take(b);
    assert_eq!(heard, ["W|5"], "it said nothing after its goodbye");
    assert_eq!(net.started(w), [""; 0]);
}

#[test]
fn an_old_broker_answers_no_goodbye_and_is_not_waited_for() {
    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    net.run(secs(10));
    stop(&mut net, w, None);
    assert_eq!(net[w].drained, Some(at(10_000)));
}

#[test]
fn an_idle_worker_that_leaves_gives_back_in_order_what_was_on_its_way_to_it() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let leaving = net.worker_with(b, "echo", |config| config.concurrency = Some(3));
    net.run(ms(10));
    let requests = ["0", "1", "2"].map(|text| net.request(c, "echo", text));
    net.run(LATENCY / 2);
    stop(&mut net, leaving, None);
    net.run(ms(100));
    let other = net.worker(b, "echo");
    net.run(ms(100));
    for (n, r) in requests.into_iter().enumerate() {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    assert_eq!(net.started(leaving), [""; 0]);
    assert_eq!(net.started(other), ["0", "1", "2"]);
}

#[test]
fn an_idle_worker_that_leaves_gives_back_to_an_idle_one_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let leaving = net.worker(b, "echo");
    net.run(ms(1));
    let other = net.worker(b, "echo");
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(LATENCY / 2);
    stop(&mut net, leaving, None);
    net.run(ms(5));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(
        (net.started(leaving).len(), net.started(other).len()),
        (0, 1)
    );
}

#[test]
fn requests_under_way_to_a_leaving_worker_go_to_another() {
    for delay in 0..8 {
        let mut net = Net::new();
        let b = net.broker();
        let leaving = net.worker_with(b, "echo", |config| config.concurrency = Some(10));
        let c = net.client(b);
        net.serve(leaving, |body| Job::echo(body).every(ms(300)));
        net.run(ms(10));
        let mut requests = vec![net.request(c, "echo", "0")];
        net.run(ms(5));
        let other = net.worker(b, "echo");
        requests.extend((1..5).map(|n| net.request(c, "echo", &n.to_string())));
        net.run(ms(delay) / 2);
        stop(&mut net, leaving, None);
        net.run(secs(1));
        for (n, r) in requests.into_iter().enumerate() {
            assert_eq!(net.end(c, r), done(&n.to_string()), "after {delay} half ms");
        }
        let starts = net.started(leaving).len() + net.started(other).len();
        assert_eq!(starts, 5, "each ran once, after {delay} half ms");
        assert_eq!(goodbyes(&net, b), 1);
    }
}

/// However long its last request takes, it is given no more requests, and delays none.
#[test]
fn a_leaving_worker_is_given_nothing_more() {
    let mut net = Net::new();
    let b = net.broker();
    let leaving = net.worker_with(b, "echo", |config| config.concurrency = Some(3));
    let c = net.client(b);
    net.serve(leaving, |body| Job::echo(body).every(secs(20)));
    let long = net.request(c, "echo", "0");
    net.run(ms(100));
    stop(&mut net, leaving, None);
    let requests = net.requests(c, 1..4);
    net.run(secs(5));
    assert!(
        net[leaving].returns <= 3,
        "given back {} times",
        net[leaving].returns
    );
    net.worker(b, "echo");
    net.run(ms(20));
    for (r, text) in requests.into_iter().zip(["1", "2", "3"]) {
        assert_eq!(net.end(c, r), done(text));
    }
    net.run(secs(20));
    assert_eq!(net.end(c, long), done("0"));
}

/// Ten workers, one after the other, under load.
#[test]
fn a_rolling_restart_loses_nothing() {
    let mut net = Net::seeded(11);
    let b = net.broker();
    let workers: Vec<_> = (0..10).map(|_| net.worker(b, "echo")).collect();
    for &worker in &workers {
        net.serve(worker, |body| Job::echo(body).every(ms(7)));
    }
    let c = net.client(b);
    net.run(ms(100));
    let mut requests = Vec::new();
    for &worker in &workers {
        for _ in 0..50 {
            requests.push(net.request(c, "echo", &requests.len().to_string()));
            net.run(ms(1));
        }
        stop(&mut net, worker, None);
        net.run_until(secs(1), |net| net[worker].drained.is_some());
        // A new connection that overtakes the goodbye would end the old one early.
        net.run(ms(20));
        net.start(worker);
    }
    net.run(secs(5));
    for (n, r) in requests.iter().enumerate() {
        assert_eq!(net.end(c, *r), done(&n.to_string()));
    }
    let starts: usize = workers
        .iter()
        .map(|&worker| net.started(worker).len())
        .sum();
    assert_eq!(starts, requests.len());
}
