//! A client that acknowledges less than the broker keeps for it, and whose connection breaks, with a worker that does not
//! know HOLD: what is lost with the connection fails, and nothing else does.

use super::net::*;
use crate::wire::Body;

const LARGE: usize = 100_000;

fn large() -> Body<Vec<u8>> {
    json(&"1".repeat(LARGE))
}

/// A broker that keeps little of what a client has not acknowledged, and a worker with this handler.
fn scene(
    handler: impl Fn(&Body<Vec<u8>>) -> Job + 'static,
) -> (Net, Id<WorkerActor>, Id<ClientActor>) {
    let mut net = Net::new();
    let b = net.broker_with(|config| {
        config.held.peer = 12 * LARGE;
        config.reconnect_grace = secs(1);
    });
    let w = net.worker_with(b, "echo", |config| config.concurrency = None);
    net.act(w, |worker, _| worker.is_earlier = true);
    let c = net.client(b);
    net.serve(w, handler);
    net.run(secs(1));
    (net, w, c)
}

/// Breaks the connection with everything that is on its way.
fn break_connection(net: &mut Net, c: Id<ClientActor>) {
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.set_latency(50, 200);
    net.run(secs(60));
}

#[test]
fn requests_whose_replies_are_not_lost_end_with_them() {
    let (mut net, w, c) = scene(|body| Job::echo(body).every(ms(100)));
    let answered: Vec<u64> = (0..8)
        .map(|_| net.request_with(c, "echo", large(), None))
        .collect();
    net.run(ms(50));
    net.set_latency(2_000_000, 2_000_000);
    net.run(secs(3));
    // They never reach the broker on this connection.
    let lost: Vec<u64> = net.requests(c, 0..5);
    net.run(secs(1));
    break_connection(&mut net, c);
    let ends = net.ends(c, &answered);
    let failures = ends.iter().filter(|end| **end == failed("B_LOST")).count();
    let replies = ends
        .iter()
        .filter(|end| **end == Some(End::Final(large())))
        .count();
    assert!(failures > 0 && replies > 0, "{failures} {replies}");
    assert_eq!(failures + replies, answered.len());
    for (n, request) in lost.into_iter().enumerate() {
        assert_eq!(net.end(c, request), done(&n.to_string()));
    }
    assert_eq!(net.started(w).len(), 13, "nothing ran twice");
}

#[test]
fn a_stream_of_which_parts_are_lost_fails() {
    for parts in [12, 400] {
        let (mut net, _, c) = scene(move |body| match body.bytes.len() {
            LARGE => Job::echo(body).every(ms(100)),
            _ => Job::echo(body).parts(parts).every(ms(10)),
        });
        for _ in 0..8 {
            net.request_with(c, "echo", large(), None);
        }
        let stream = net.request(c, "echo", "2");
        net.run(ms(50));
        net.set_latency(2_000_000, 2_000_000);
        net.run(secs(3));
        break_connection(&mut net, c);
        assert_eq!(net.end(c, stream), failed("B_LOST"), "{parts}");
        let seen = &net.seen(c, stream).partials;
        let expected: Vec<_> = (0..seen.len()).map(|n| json(&n.to_string())).collect();
        assert_eq!(*seen, expected, "{parts}");
    }
}
