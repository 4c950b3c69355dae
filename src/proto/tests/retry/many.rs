//! A worker that is lost with very many requests: they go back or end in pieces.

use super::*;
use std::time::Duration;

const MANY: usize = 700;

/// A worker that takes all of these requests and does not answer, and a client.
fn busy(
    retry: u8,
) -> (
    Net,
    Id<BrokerActor>,
    Id<WorkerActor>,
    Id<ClientActor>,
    Vec<u64>,
) {
    let mut net = Net::new();
    let b = net.broker();
    let worker = net.worker_with(b, "echo", |config| config.concurrency = None);
    net.serve(worker, |_| Job::endless());
    let c = net.client(b);
    net.run(secs(1));
    let asked = (0..MANY).map(|n| ask(&mut net, c, &n.to_string(), retry));
    let asked = asked.collect();
    net.run(secs(1));
    assert_eq!(net.started(worker).len(), MANY);
    (net, b, worker, c, asked)
}

#[test]
fn the_requests_of_a_lost_worker_end_once_and_in_pieces() {
    let (mut net, b, worker, c, asked) = busy(0);
    net.kill(worker);
    let mut left = vec![MANY];
    for _ in 0..10_000 {
        net.run(Duration::from_micros(1));
        let now = net[b].machine.load()[0];
        if left.last() != Some(&now) {
            left.push(now);
        }
    }
    assert_eq!(left.last(), Some(&0));
    let pieces = left.windows(2).map(|pair| pair[0] - pair[1]);
    assert!(pieces.max() <= Some(MANY / 2), "{left:?}");
    net.run(secs(1));
    assert_eq!(net.ends(c, &asked), vec![failed("W_LOST"); MANY]);
    for id in asked {
        assert!(told_of_a_worker(&mut net, c, id));
    }
}

#[test]
fn with_retry_they_start_at_another_worker_in_their_order() {
    let (mut net, b, worker, c, asked) = busy(1);
    net.kill(worker);
    net.run(secs(1));
    let other = net.worker(b, "echo");
    net.run(secs(30));
    let numbers: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
    assert_eq!(net.started(other), numbers);
    let ends = numbers.iter().map(|n| done(n));
    assert_eq!(net.ends(c, &asked), ends.collect::<Vec<_>>());
}

/// While they wait for their turn, their client takes some back, and one worker comes and goes.
#[test]
fn requests_cancelled_before_they_go_back_do_not_start() {
    let (mut net, b, worker, c, asked) = busy(1);
    net.kill(worker);
    net.run(Duration::from_micros(20));
    for &id in asked.iter().step_by(2) {
        net.act(c, |client, _| client.cancel(id));
    }
    net.run(secs(1));
    let other = net.worker(b, "echo");
    net.run(secs(30));
    let started = net.started(other).len();
    assert_eq!(started, MANY / 2);
    assert_eq!(net[b].machine.load()[0], 0);
}

/// Other workers have room while they go back.
#[test]
fn they_start_in_their_order_at_a_worker_that_is_idle() {
    let (mut net, b, worker, _, _) = busy(1);
    let other = net.worker(b, "echo");
    net.run(secs(1));
    net.kill(worker);
    net.run(secs(30));
    let numbers: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
    assert_eq!(net.started(other), numbers);
}

/// The broker stops in order as soon as no worker has a request.
#[test]
fn a_broker_that_stops_meanwhile_does_not_call_them_unstarted() {
    let (mut net, b, worker, c, asked) = busy(0);
    net.act(b, |broker, _| broker.machine.retire());
    net.kill(worker);
    net.run_until(secs(5), |net| !net[b].machine.has_running());
    net.act(b, |broker, now| broker.machine.stop(now));
    net.restart(b);
    let other = net.worker(b, "echo");
    net.run(secs(60));
    assert_eq!(net.started(other), [""; 0]);
    for end in net.ends(c, &asked) {
        let is_lost = end == failed("W_LOST") || end == failed("B_LOST");
        assert!(is_lost, "{end:?}");
    }
}

/// The requests of a client that is gone end in pieces, and their worker is lost meanwhile.
#[test]
fn a_client_that_is_gone_leaves_nothing_whenever_its_worker_is_lost() {
    for delay in 0..30 {
        let (mut net, b, worker, c, _) = busy(1);
        net.act(c, |client, _| client.stop());
        net.run(Duration::from_micros(delay));
        net.kill(worker);
        net.run(secs(20));
        assert_eq!(net[b].machine.load()[0], 0, "{delay}");
        let other = net.worker(b, "echo");
        net.run(secs(1));
        assert_eq!(net.started(other), [""; 0], "{delay}");
    }
}
