//! Requests with `failFast`.

use super::net::*;
use crate::proto::Terms;

fn fail_fast(retry: u8) -> Terms {
    Terms {
        timeout: Some(secs(60)),
        retry,
        fail_fast: true,
        ..Terms::default()
    }
}

#[test]
fn fail_fast_without_a_worker_is_one_round_trip() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(at(1000) - net.now());
    let r = net.request_on(c, "echo", json("1"), fail_fast(3));
    net.run(ms(10));
    assert_eq!(
        (net.seen(c, r).at, net.end(c, r)),
        (at(1002), failed("W_NONE"))
    );
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
    // With a worker, it waits like any other request.
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    net.run(ms(10));
    let requests = [0; 3].map(|_| net.request_on(c, "echo", json("1"), fail_fast(0)));
    net.run(secs(5));
    assert_eq!(net.ends(c, &requests), vec![done("1"); 3]);
}

#[test]
fn fail_fast_does_not_wait_for_a_worker_that_has_left() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    let running = net.request_on(c, "echo", json("1"), fail_fast(1));
    let waiting = net.request_on(c, "echo", json("2"), fail_fast(1));
    let patient = net.request(c, "echo", "3");
    net.run(ms(100));
    net.kill(w);
    net.run(ms(100));
    // The request may have run, so the code is not that of a missing worker.
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, waiting), failed("W_NONE"));
    assert_eq!(net.end(c, patient), None);
    assert_eq!(net[b].machine.load(), [1, 0, 1, 1]);
}
