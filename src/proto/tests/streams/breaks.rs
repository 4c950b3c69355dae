//! Streams whose connections break and whose brokers die, at every moment.

use super::*;

/// The connection that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Client,
    Worker,
    Both,
    Broker,
    Pause,
}

const FAULTS: [Fault; 5] = [
    Fault::Client,
    Fault::Worker,
    Fault::Both,
    Fault::Broker,
    Fault::Pause,
];

fn strike(
    net: &mut Net,
    fault: Fault,
    (b, w, c): (Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>),
) {
    let both = &[Side::Dealer, Side::Broker];
    match fault {
        Fault::Client => net.cut(c, both),
        Fault::Worker => net.cut(w, both),
        Fault::Both => {
            net.cut(c, both);
            net.cut(w, both);
        }
        Fault::Broker => {
            net.kill(b);
            net.run(ms(300));
            net.start(b);
        }
        Fault::Pause => {
            net.partition(b);
            net.run(secs(1));
            net.heal(b);
        }
    }
}

fn settled(fault: Fault, moment: u64, times: usize) {
    let mut net = Net::seeded(moment);
    net.set_latency(1, 5);
    let b = net.broker_with(|config| config.reconnect_grace = secs(5));
    let w = net.worker(b, "echo");
    let c = net.client(b);
    let r = upload(&mut net, c, LONG, None);
    net.run(ms(moment));
    for _ in 0..times {
        strike(&mut net, fault, (b, w, c));
        net.run(ms(700 + moment % 13));
    }
    net.run(secs(30));
    assert_eq!(net.end(c, r), done(&LONG.to_string()), "{fault:?} {moment}");
    assert_eq!(got(&mut net, w), parts(LONG), "{fault:?} {moment}");
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    assert_eq!(net[w].faults.len() + net[c].faults.len(), 0);
}

#[test]
fn it_goes_on_where_it_was() {
    for fault in FAULTS {
        for moment in (0..130).step_by(3) {
            settled(fault, moment, 1);
        }
    }
}

#[test]
fn again_and_again() {
    for fault in FAULTS {
        for moment in [20, 31, 52] {
            settled(fault, moment, 5);
        }
    }
}

/// A slow reader, so that windows are full when the connection breaks.
#[test]
fn with_full_windows() {
    for fault in FAULTS {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.reconnect_grace = secs(5));
        let w = net.worker(b, "echo");
        let c = net.client(b);
        net.act(w, |worker, _| worker.reads = false);
        let r = upload(&mut net, c, LONG, None);
        net.run(secs(1));
        net.act(w, |worker, _| worker.machine.read(1, 0));
        net.run(secs(1));
        for _ in 0..3 {
            strike(&mut net, fault, (b, w, c));
            net.run(secs(3));
        }
        let inflow = &net[w].inflows[&1];
        assert_eq!(inflow.parts.len(), IN_WINDOW, "no more for that");
        net.act(w, |worker, _| worker.set_reading(true));
        net.run(secs(10));
        assert_eq!(net.end(c, r), done(&LONG.to_string()), "{fault:?}");
        assert_eq!(got(&mut net, w), parts(LONG));
    }
}

/// ENOUGH is not forgotten.
#[test]
fn a_stopped_stream_stays_stopped() {
    for fault in FAULTS {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.reconnect_grace = secs(5));
        let w = net.worker(b, "echo");
        let c = net.client(b);
        net.act(w, |worker, _| worker.reads = false);
        let r = upload(&mut net, c, LONG, None);
        net.run(secs(1));
        // At once, so that the message is under way.
        net.act(w, |worker, _| worker.machine.enough(1));
        strike(&mut net, fault, (b, w, c));
        net.run(secs(10));
        assert!(net[c].sources[&r].enough, "{fault:?}");
        net.act(w, |worker, now| {
            worker.end(now, 1, Outcome::Final(json("7")))
        });
        net.run(secs(10));
        assert_eq!(net.end(c, r), done("7"), "{fault:?}");
    }
}

#[test]
fn a_client_that_was_suspended_for_long_goes_on() {
    for moment in [20, 31, 52] {
        let mut net = Net::seeded(moment);
        net.set_latency(1, 5);
        let b = net.broker_with(|config| config.reconnect_grace = secs(1));
        let w = net.worker(b, "echo");
        let c = net.client(b);
        let r = upload(&mut net, c, LONG, None);
        net.run(ms(moment));
        net.pause(c);
        net.run(secs(20));
        net.resume(c);
        net.run(secs(20));
        assert_eq!(net.end(c, r), done(&LONG.to_string()), "{moment}");
        assert_eq!(got(&mut net, w), parts(LONG), "{moment}");
    }
}
