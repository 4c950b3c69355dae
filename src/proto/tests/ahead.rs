//! Requests that lie ahead of need in a worker, and how they come back.

use super::net::*;

/// A worker whose replies came so fast that the broker gives it many at once; then `count`
/// requests while it takes none. Those come back after the stall.
fn stalled(net: &mut Net, broker: Id<BrokerActor>, count: usize) -> (Id<WorkerActor>, Vec<u64>) {
    let w = net.worker(broker, "echo");
    let c = net.client(broker);
    net.run(ms(10));
    for _ in 0..100 {
        // By itself a virtual millisecond's way would make the pace slow.
        net.act(broker, |broker, now| broker.machine.trust(now, b"W1"));
    }
    net.act(w, |worker, _| worker.busy = true);
    let requests = (0..count).map(|n| net.request(c, "echo", &n.to_string()));
    (w, requests.collect())
}

#[test]
fn placeholder() {
    let mut net = Net::new();
    let b = net.broker();
    let _ = stalled(&mut net, b, 10);
}
