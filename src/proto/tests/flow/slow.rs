//! Peers that stop taking messages.

use super::*;

fn overflow(t: &mut Streaming, peer: &[u8]) -> Vec<BrokerEvent> {
    t.net.act(t.b, |broker, now| {
        broker.events.clear();
        broker.machine.handle_overflow(now, peer);
    });
    t.net.run(ms(50));
    let events = t.net[t.b].events.iter();
    events.map(|(_, event)| event.clone()).collect()
}

#[test]
fn a_client_of_ours_that_takes_nothing_loses_its_place() {
    let mut t = streaming();
    t.set_reading(false);
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(secs(1));
    let gone = BrokerEvent::ClientGone {
        client: b"C2"[..].into(),
        why: Departure::Slow,
        lost: 1,
    };
    assert_eq!(overflow(&mut t, b"C2"), [gone]);
    t.net.run(ms(200));
    assert_eq!(t.net.end(t.c, r), failed("B_LOST"));
    let cancelled = &t.net[t.w].cancelled;
    assert!(matches!(cancelled[..], [(_, 1, Code::Aborted)]));
    t.set_reading(true);
    assert_eq!(t.net.call(t.c, "echo", "2"), End::Final(json("2")));
}

#[test]
fn an_old_one_gets_errors() {
    let mut t = streaming();
    t.net.serve(t.w, |_| Job::endless());
    let old = t.net.named_old_client(t.b, b"old");
    let r = t.net.request(old, "echo", "1");
    t.net.run(ms(50));
    let gone = BrokerEvent::ClientGone {
        client: b"old"[..].into(),
        why: Departure::Slow,
        lost: 1,
    };
    assert_eq!(overflow(&mut t, b"old"), [gone]);
    assert_eq!(t.net.end(old, r), error("\"C_SLOW\""));
    assert_eq!(t.net[t.b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn a_worker_that_takes_nothing_loses_its_place() {
    let mut t = streaming();
    t.net.serve(t.w, |_| Job::endless());
    let r = t.net.request(t.c, "echo", "1");
    t.net.run(ms(50));
    let events = overflow(&mut t, b"W1");
    assert!(
        matches!(
            events[..],
            [BrokerEvent::WorkerGone {
                why: Departure::Slow,
                lost: 1,
                ..
            }]
        ),
        "{events:?}"
    );
    assert_eq!(t.net.end(t.c, r), failed("W_LOST"));
    // The peer does not take its DISCONNECT either, but counts as one slow peer.
    assert_eq!(overflow(&mut t, b"W1"), []);
    let stats = t.net[t.b].machine.stats(crate::proto::Time::ZERO);
    assert_eq!(stats.counters.slow_peers, 1);
}
