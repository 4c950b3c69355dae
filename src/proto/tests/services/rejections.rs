//! Rejected requests go to another worker.

use crate::proto::Terms;
use crate::proto::tests::net::*;

fn rejecting(net: &mut Net, broker: Id<BrokerActor>) -> Id<WorkerActor> {
    let worker = net.worker(broker, "echo");
    net.serve(worker, |_| Job::reject());
    net.run(ms(10));
    worker
}

fn fail_fast() -> Terms {
    Terms {
        fail_fast: true,
        ..Terms::from(Some(secs(60)))
    }
}

#[test]
fn it_goes_to_another_worker_and_never_again_to_one_that_rejected_it() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let picky = [0; 3].map(|_| rejecting(&mut net, b));
    let waiting = net.request(c, "echo", "1");
    net.run(secs(5));
    // All workers have rejected it: the request waits for a new one.
    assert_eq!(net.end(c, waiting), None);
    assert_eq!(picky.map(|w| net.started(w).len()), [1; 3]);
    let willing = net.worker(b, "echo");
    net.run(ms(100));
    assert_eq!(net.end(c, waiting), done("1"));
    assert_eq!(net.started(willing), ["1"]);
    assert_eq!(net[willing].retried, [0]);
    // A rejection costs a worker nothing: it gets the next request.
    let more: Vec<u64> = (2..10)
        .map(|n| net.request(c, "echo", &n.to_string()))
        .collect();
    net.run(secs(1));
    assert!(
        net.ends(c, &more)
            .iter()
            .all(|end| matches!(end, Some(End::Final(_))))
    );
    assert_eq!(net[b].machine.load()[0], 0);
}

#[test]
fn a_request_that_all_rejected_ends_at_its_timeout_or_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let [one, two] = [0; 2].map(|_| rejecting(&mut net, b));
    let expires = net.request_with(c, "echo", json("1"), Some(1000));
    let fails = net.request_on(c, "echo", json("2"), fail_fast());
    net.run(ms(100));
    assert_eq!(net.ends(c, &[expires, fails]), [None, failed("W_REJECTED")]);
    net.run(secs(2));
    assert_eq!(net.end(c, expires), failed("C_TIMEOUT"));
    // The request waits for the worker that has not rejected it; when that leaves, none is left.
    net.serve(two, |_| Job::endless());
    let endless = net.request_on(c, "echo", json("3"), Terms::default());
    net.run(ms(100));
    let fails = net.request_on(c, "echo", json("4"), fail_fast());
    net.run(ms(100));
    assert_eq!(net.ends(c, &[endless, fails]), [None, None]);
    net.kill(two);
    net.run(ms(100));
    assert_eq!(net.end(c, fails), failed("W_REJECTED"));
    assert!(net.is_alive(one));
}

#[test]
fn a_part_of_a_reply_makes_a_rejection_an_error() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::reject().parts(2));
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    assert_eq!(net.end(c, r), failed("W_REJECTED"));
    assert_eq!(net.seen(c, r).partials.len(), 2);
}

#[test]
fn the_worker_that_was_named_rejects_for_all() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let picky = net.named_worker(b, "echo", b"picky", |_| {});
    net.serve(picky, |_| Job::reject());
    let other = net.worker(b, "echo");
    net.run(ms(10));
    let r = net.request_more(c, "echo", "1", r#""worker":"picky""#);
    net.run(ms(100));
    assert_eq!(net.end(c, r), failed("W_REJECTED"));
    assert!(net.started(other).is_empty());
}

/// Rejections are kept like other ends of requests.
#[test]
fn a_request_that_is_rejected_while_there_is_no_broker_goes_to_another_worker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let picky = net.worker(b, "echo");
    net.serve(picky, |_| Job::reject().every(secs(1)));
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    let willing = net.worker(b, "echo");
    net.run(ms(100));
    net.kill(b);
    net.run(secs(2));
    assert_eq!(net[picky].machine.outstanding(), 0, "it has rejected");
    net.restart(b);
    net.run(secs(5));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(picky), ["1"]);
    assert_eq!(net.started(willing), ["1"]);
}

#[test]
fn a_broker_of_0_0_92_hears_an_error() {
    let mut net = Net::new();
    let b = net.old_broker();
    let c = net.old_client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::reject());
    net.run(ms(500));
    let r = net.request(c, "echo", "1");
    net.run(ms(500));
    assert_eq!(net.end(c, r), error("\"W_REJECTED\""));
}

/// A worker that only rejects delays no request that it has not rejected yet.
#[test]
fn rejected_requests_wait_in_their_order_and_others_pass() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let picky = net.worker(b, "echo");
    net.serve(picky, |body| match body.bytes.len() {
        1 => Job::reject(),
        _ => Job::echo(body),
    });
    net.run(ms(10));
    let rejected: Vec<u64> = (0..8)
        .map(|n| net.request(c, "echo", &n.to_string()))
        .collect();
    let others: Vec<u64> = (10..18)
        .map(|n| net.request(c, "echo", &n.to_string()))
        .collect();
    net.run(secs(1));
    assert!(net.ends(c, &others).iter().all(|end| end.is_some()));
    assert!(net.ends(c, &rejected).iter().all(|end| end.is_none()));
    let willing = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(
        net.started(willing),
        ["0", "1", "2", "3", "4", "5", "6", "7"]
    );
}
