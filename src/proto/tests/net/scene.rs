//! Common scenes of tests.

use super::*;

/// A broker, a worker for `echo`, and a client.
pub fn trio() -> (Net, Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>) {
    trio_in(Net::new())
}

/// The same in this network.
pub fn trio_in(mut net: Net) -> (Net, Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>) {
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    (net, b, w, c)
}

/// A worker with a request, and a second request in the queue.
pub struct Scene {
    pub net: Net,
    pub b: Id<BrokerActor>,
    pub w: Id<WorkerActor>,
    pub c: Id<ClientActor>,
    /// The request at the worker.
    pub running: u64,
    /// The request in the broker's queue.
    pub queued: u64,
}

impl Scene {
    /// The scene `after` this time; the handler must not have ended by then.
    pub fn new(handler: impl Fn(&Body<Vec<u8>>) -> Job + 'static, after: Duration) -> Self {
        let (mut net, b, w, c) = trio();
        net.serve(w, handler);
        let running = net.request(c, "echo", "1");
        let queued = net.request(c, "echo", "2");
        net.run(after);
        assert_eq!(net.started(w), ["1"]);
        Scene {
            net,
            b,
            w,
            c,
            running,
            queued,
        }
    }
}
