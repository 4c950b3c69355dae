//! Prefetched requests, and their return.

use super::net::*;
use crate::proto::worker::STALL;

/// A worker that the broker knows to be fast.
fn fast(net: &mut Net, broker: Id<BrokerActor>, client: Id<ClientActor>) -> Id<WorkerActor> {
    let w = net.worker(broker, "echo");
    for _ in 0..50 {
        assert_eq!(net.call(client, "echo", "0"), End::Final(json("0")));
    }
    net.act(w, |worker, _| worker.started.clear());
    w
}

fn ask(net: &mut Net, client: Id<ClientActor>, count: usize) -> Vec<u64> {
    let texts = (0..count).map(|n| n.to_string());
    texts
        .map(|text| net.request(client, "echo", &text))
        .collect()
}

fn order(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

fn all_done(net: &mut Net, client: Id<ClientActor>, requests: &[u64]) {
    for (n, &r) in requests.iter().enumerate() {
        assert_eq!(net.end(client, r), done(&n.to_string()));
    }
}

#[test]
fn a_fast_worker_has_requests_ahead_of_it_and_runs_one_at_a_time() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    let requests = ask(&mut net, c, 200);
    let mut most = 0;
    net.run_checked(ms(100), |net| most = most.max(net[w].machine.outstanding()));
    assert!(most > 10, "{most}");
    assert_eq!(net[w].most_running, 1);
    assert_eq!(net.started(w), order(200));
    all_done(&mut net, c, &requests);
    assert_eq!(net[w].returns, 0);
}

#[test]
fn large_requests_do_not_pile_up_ahead() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    let large = format!("\"{}\"", "x".repeat(300 * 1024));
    let requests: Vec<u64> = (0..50).map(|_| net.request(c, "echo", &large)).collect();
    let mut most = 0;
    net.run_checked(ms(100), |net| most = most.max(net[w].machine.outstanding()));
    // 1 MiB, and the request that exceeds it.
    assert!((2..=4).contains(&most), "{most}");
    for request in requests {
        assert_eq!(net.end(c, request), done(&large));
    }
}

#[test]
fn no_prefetch_is_none() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| config.prefetch = 0);
    net.serve(w, |body| Job::echo(body).every(10 * NEAR));
    let requests = ask(&mut net, c, 200);
    let mut most = 0;
    net.run_checked(ms(100), |net| most = most.max(net[w].machine.outstanding()));
    assert_eq!(most, 1);
    all_done(&mut net, c, &requests);
}

#[test]
fn prefetched_requests_behind_a_slow_handler_go_to_another_worker_in_order() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    let requests = ask(&mut net, c, 20);
    net.run(ms(1));
    assert!(net[w].machine.outstanding() > 10);
    let other = net.worker(b, "echo");
    net.run(STALL);
    assert_eq!(net[w].machine.outstanding(), 1);
    net.run(ms(5));
    assert_eq!(net.started(other), order(20)[1..]);
    net.run(secs(2));
    all_done(&mut net, c, &requests);
}

#[test]
fn as_long_as_its_requests_end_nothing_goes_back() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    net.serve(w, |body| Job::echo(body).every(ms(4)));
    let requests = ask(&mut net, c, 20);
    net.run(secs(1));
    assert_eq!(net[w].returns, 0);
    assert_eq!(net.started(w), order(20));
    all_done(&mut net, c, &requests);
}

/// The application's thread is busy: heartbeats go on, and offers are returned.
#[test]
fn a_busy_thread_costs_its_worker_nothing() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    let other = fast(&mut net, b, c);
    net.serve(w, |body| Job::echo(body).every(ms(1)));
    let requests = ask(&mut net, c, 20);
    net.run_until(ms(1), |net| net[w].machine.outstanding() > 1);
    net.act(w, |worker, _| worker.busy = true);
    net.run(10 * 3 * HEARTBEAT);
    let open: Vec<u64> = requests
        .iter()
        .copied()
        .filter(|&r| net.end(c, r).is_none())
        .collect();
    assert_eq!(
        open.len(),
        0,
        "its last request timed out, the others are done"
    );
    assert_eq!(net[w].news.len(), 1);
    assert!(net.started(other).len() > 15);
    let r = net.request_with(c, "echo", json("\"late\""), None);
    net.act(w, |worker, _| worker.busy = false);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("\"late\""));
}

#[test]
fn a_worker_that_gave_back_has_nothing_ahead_until_it_is_fast_again() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    net.serve(w, |body| Job::echo(body).every(ms(20)));
    ask(&mut net, c, 20);
    net.run(ms(10));
    assert_eq!(net[w].returns, 1);
    net.run(secs(1));
    assert_eq!(net[w].returns, 1, "one mistake is enough");
    assert_eq!(net.started(w), order(20));
}

#[test]
fn offers_that_a_leaving_worker_had_not_taken_run_once_elsewhere() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    net.serve(w, |body| Job::echo(body).every(ms(3)));
    let requests = ask(&mut net, c, 20);
    net.run(ms(1));
    assert!(net[w].machine.outstanding() > 10);
    net.act(w, |worker, now| worker.machine.stop(now, None));
    let other = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.started(w), ["0"]);
    assert_eq!(net.started(other), order(20)[1..]);
    all_done(&mut net, c, &requests);
}

/// From outside it cannot be known which requests had started.
#[test]
fn prefetched_requests_of_a_worker_that_dies_are_lost_with_it() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    net.serve(w, |_| Job::endless());
    let requests = ask(&mut net, c, 5);
    net.run(ms(1));
    net.kill(w);
    net.run(ms(1));
    for r in requests {
        assert_eq!(net.end(c, r), failed("W_LOST"));
    }
}

/// The client would receive a part twice.
#[test]
fn a_request_that_has_begun_can_not_be_given_back() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw_beating(b, b"W", HEARTBEAT);
    let hello = r#"{"concurrency":2,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s.1"}"#;
    net.say(w, &format!("W|1|echo|{hello}"));
    let c = net.client(b);
    let requests = ask(&mut net, c, 2);
    net.run(ms(10));
    let heard = net.take(w);
    let ext = |n: usize| heard[n].rsplit('|').next().unwrap();
    net.say(w, &format!("W|6|C2|c2.0-0|0|1|{}", ext(1)));
    net.say(w, &format!("W|9|{}{}", &ext(1)[1..], &ext(2)[1..]));
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [2, 1, 1, 1]);
    assert_eq!(
        net[b].bad_messages(),
        [(&b"W"[..], "return of a started request")]
    );
    // The other one was returned, and given again.
    let again = net.take(w);
    assert_eq!(again.len(), 1, "{again:?}");
    assert!(again[0].starts_with("W|2|C2|c2.0-1|1|"));
    // A goodbye does not requeue it either.
    net.say(w, "W|5");
    net.run(ms(10));
    assert_eq!(net.end(c, requests[0]), failed("W_LOST"));
    assert_eq!(net.end(c, requests[1]), None);
    assert_eq!(net[b].machine.load(), [1, 0, 1, 1]);
}

/// Offers had room before, so no stall was being watched for.
#[test]
fn fewer_at_a_time_makes_offers_wait_and_go_back() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| config.concurrency = Some(5));
    net.serve(w, |_| Job::endless());
    ask(&mut net, c, 1);
    net.run(ms(1));
    // Its thread takes none of these, so they stay on offer.
    net.act(w, |worker, _| worker.busy = true);
    ask(&mut net, c, 4);
    net.run(ms(100));
    assert_eq!((net[w].machine.outstanding(), net[w].returns), (5, 0));
    net.act(w, |worker, now| worker.set_concurrency(now, Some(2)));
    net.run(STALL - NEAR);
    assert_eq!(net[w].returns, 0);
    // The same concurrency again does not extend their wait.
    net.act(w, |worker, now| worker.set_concurrency(now, Some(1)));
    net.run(2 * NEAR);
    assert_eq!((net[w].machine.outstanding(), net[w].returns), (1, 1));
    net.run(ms(100));
    assert_eq!(net[w].returns, 1);
    net.act(w, |worker, now| worker.set_concurrency(now, Some(5)));
    net.run(ms(100));
    assert_eq!((net[w].machine.outstanding(), net[w].returns), (5, 1));
}

#[test]
fn a_request_that_came_back_keeps_its_deadline() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = fast(&mut net, b, c);
    net.serve(w, |_| Job::endless());
    let begin = net.now();
    net.request(c, "echo", "0");
    let r = net.request_with(c, "echo", json("1"), Some(100));
    net.run(secs(1));
    assert_eq!(net[w].returns, 1);
    assert_eq!(net.end(c, r), failed("C_TIMEOUT"));
    assert_eq!(net.seen(c, r).at, begin + ms(100));
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
}
