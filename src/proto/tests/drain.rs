//! A worker leaves in order: nothing is lost, nothing runs twice.

use super::net::*;
use crate::proto::broker::{BrokerEvent, Departure};
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::proto::worker::GOODBYE;
use std::time::Duration;

fn stop(net: &mut Net, worker: Id<WorkerActor>, patience: Option<Duration>) {
    net.act(worker, |worker, now| {
        worker
            .machine
            .stop(now, patience.map(|patience| now + patience));
    });
}

fn goodbyes(net: &Net, broker: Id<BrokerActor>) -> usize {
    let events = net[broker].events.iter();
    let gone = events.filter(|(_, event)| {
        matches!(
            event,
            BrokerEvent::WorkerGone {
                why: Departure::Goodbye,
                lost: 0,
                ..
            }
        )
    });
    gone.count()
}

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
    net.act(b, |broker, _| broker.take());
    stop(&mut net, w, None);
    net.run(ms(10));
    net.act(w, |worker, _| worker.set_concurrency(Some(7)));
    net.tell(b, "W1", "W|2|C|r|1|{}|\0\0\0\0\0\0\0\0\u{1}");
    net.run(secs(1));
    assert_eq!(net[w].drained, Some(at(20) + GOODBYE));
    let heard = net.act(b, |broker, _| broker.take());
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
fn an_idle_worker_that_leaves_gives_back_what_was_on_its_way_to_it() {
    let mut net = Net::new();
    let b = net.broker();
    let leaving = net.worker(b, "echo");
    net.run(ms(1));
    let other = net.worker(b, "echo");
    let c = net.client(b);
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(LATENCY / 2);
    stop(&mut net, leaving, None);
    net.run(ms(100));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(
        (net.started(leaving).len(), net.started(other).len()),
        (0, 1)
    );
}

#[test]
fn a_worker_that_never_had_a_broker_leaves_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    net.kill(b);
    let w = net.worker(b, "echo");
    net.run(secs(1));
    stop(&mut net, w, None);
    assert_eq!(net[w].drained, Some(at(1000)));
    assert_eq!(net[w].machine.next_deadline(), None);
}

/// 0.0.92 opened its socket again.
#[test]
fn a_worker_that_waits_to_reconnect_stays_stopped() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.run(secs(1));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(50));
    stop(&mut net, w, None);
    assert_eq!(net[w].drained, Some(at(1050)));
    net.run(secs(10));
    assert_eq!(net[b].machine.load(), [0; 4]);
    assert_eq!(net[w].news.len(), 2);
}

#[test]
fn what_runs_ends_first() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| config.concurrency = Some(3));
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(10).every(ms(100)));
    let requests = [net.request(c, "echo", "1"), net.request(c, "echo", "2")];
    net.run(ms(500));
    stop(&mut net, w, Some(secs(60)));
    net.run(secs(10));
    for (r, text) in requests.into_iter().zip(["1", "2"]) {
        assert_eq!(net.end(c, r), done(text));
        assert_eq!(net.seen(c, r).partials.len(), 10);
    }
    assert_eq!(
        net[w].drained,
        Some(at(1105)),
        "a round trip after the last of them"
    );
    assert_eq!(goodbyes(&net, b), 1);
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
}

#[test]
fn at_the_deadline_what_runs_is_given_up_and_its_client_told() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(500));
    stop(&mut net, w, Some(secs(2)));
    net.run(secs(10));
    assert_eq!(net[w].drained, Some(at(2502)));
    assert_eq!(net[w].cancelled, [(at(2500), 1, Code::WorkerLost)]);
    assert_eq!(
        (net.seen(c, r).at, net.end(c, r)),
        (at(2502), failed("W_LOST"))
    );
    assert_eq!(net[w].machine.outstanding(), 0);
    assert_eq!(net[w].machine.next_deadline(), None);
}

#[test]
fn what_is_on_its_way_to_a_leaving_worker_goes_to_another() {
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

/// However long its last request takes, it is no longer asked, and nothing is held up by it.
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
    let requests: Vec<u64> = (1..4)
        .map(|n| net.request(c, "echo", &n.to_string()))
        .collect();
    net.run(secs(5));
    assert!(
        net[leaving].returns <= 3,
        "given back {} times",
        net[leaving].returns
    );
    net.worker(b, "echo");
    net.run(ms(10));
    for (r, text) in requests.into_iter().zip(["1", "2", "3"]) {
        assert_eq!(net.end(c, r), done(text));
    }
    net.run(secs(20));
    assert_eq!(net.end(c, long), done("0"));
}

#[test]
fn a_cancel_ends_the_drain() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    stop(&mut net, w, None);
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    assert_eq!(net[w].drained, Some(at(104)));
}

#[test]
fn the_death_of_the_broker_ends_the_drain() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    net.request(c, "echo", "1");
    net.run(ms(100));
    stop(&mut net, w, None);
    net.kill(b);
    net.run(ms(10));
    assert_eq!(net[w].drained, Some(at(101)));
    assert_eq!(net[w].machine.next_deadline(), None);
}

#[test]
fn through_an_old_broker_what_runs_ends_first_too() {
    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    stop(&mut net, w, Some(secs(5)));
    net.run(secs(3));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[b].workers(), 0);
}

#[test]
fn after_the_drain_it_can_be_started_again() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    for n in 0..20 {
        assert_eq!(
            net.call(c, "echo", &n.to_string()),
            End::Final(json(&n.to_string()))
        );
        stop(&mut net, w, None);
        let waiting = net.request(c, "echo", "\"waits\"");
        net.run(ms(10));
        assert!(net[w].drained.is_some());
        net.start(w);
        net.run(ms(10));
        assert_eq!(net.end(c, waiting), done("\"waits\""));
    }
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
        // A new connection that overtook its goodbye would cut it off.
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
