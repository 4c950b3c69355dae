//! The grace time of a peer whose connection has ended.

use super::*;

#[test]
fn a_client_that_does_not_come_back_lets_go_after_the_grace() {
    let (mut net, b, w, c, _) = endless(0);
    net.run(secs(1));
    net.kill(c);
    net.run(ms(GRACE / 2));
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    net.run(ms(GRACE));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
}

#[test]
fn the_death_of_a_worker_is_told_after_the_grace_and_at_once_if_another_life_begins() {
    for restarts in [false, true] {
        let (mut net, _, w, c, r) = endless(0);
        net.run(secs(1));
        net.kill(w);
        if restarts {
            net.start(w);
            // The transport has not reported the end of the first life, which may return for a moment.
            net.run(ms(1_500));
            assert_eq!(net.end(c, r), failed("W_LOST"));
            continue;
        }
        net.run(ms(GRACE / 2));
        assert_eq!(net.end(c, r), None);
        net.run(ms(GRACE));
        assert_eq!(net.end(c, r), failed("W_LOST"));
    }
}

#[test]
fn a_request_with_retry_starts_again_within_the_grace_if_there_is_another_worker() {
    for is_other in [false, true] {
        let (mut net, b, w, c, r) = endless(1);
        net.run(ms(200));
        if is_other {
            let other = net.worker(b, "echo");
            net.serve(other, Job::echo);
            net.run(ms(200));
        }
        net.pause(w);
        net.cut(w, &[Side::Dealer, Side::Broker]);
        net.run(ms(GRACE / 2));
        assert_eq!(net.end(c, r), if is_other { done("1") } else { None });
        net.resume(w);
        net.run(secs(2));
        assert_eq!(net[w].cancelled.len(), usize::from(is_other));
        assert_eq!(net[w].started.len(), 1);
        assert_eq!(net[w].machine.outstanding(), usize::from(!is_other));
    }
}

#[test]
fn cancellations_made_meanwhile_arrive() {
    let (mut net, b) = net_of(1);
    let w = net.worker_with(b, "echo", |config| config.concurrency = None);
    net.serve(w, |_| Job::endless());
    let c = net.client(b);
    net.run(secs(1));
    let first = net.request_on(c, "echo", json("1"), FOREVER);
    let second = net.request_on(c, "echo", json("2"), FOREVER);
    net.run(secs(1));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(ms(50));
    net.act(c, |client, _| client.cancel(first));
    net.run(secs(1));
    assert_eq!(net[w].cancelled.len(), 1);
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(50));
    net.act(c, |client, _| client.cancel(second));
    net.run(secs(1));
    assert_eq!(net[w].cancelled.len(), 2);
    assert_eq!(net[w].machine.outstanding(), 0);
}

/// Suspended for longer than the broker waits: running requests were cancelled, and waiting ones had not started.
#[test]
fn a_client_that_was_given_up_has_what_had_not_started_run() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).every(secs(100)));
    let c = net.client(b);
    net.run(secs(1));
    let running = net.request_on(c, "echo", json("1"), FOREVER);
    net.run(ms(200));
    let queued: Vec<u64> = (2..20)
        .map(|n| net.request_on(c, "echo", json(&n.to_string()), FOREVER))
        .collect();
    net.run(ms(40));
    net.pause(c);
    net.run(secs(80));
    net.resume(c);
    net.serve(w, Job::echo);
    net.run(secs(20));
    assert_eq!(net.end(c, running), failed("B_LOST"));
    for (n, r) in (2..20).zip(queued) {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
}
