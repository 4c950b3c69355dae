//! Handlers that go on after their delivery was cancelled.

use super::net::*;
use std::time::Duration;

/// A worker whose handler goes on for `lasts` after a cancellation, and an idle worker.
fn scene(lasts: Duration) -> (Net, Id<WorkerActor>, Id<WorkerActor>, Id<ClientActor>) {
    let (mut net, b, w, c) = trio();
    net.act(w, |worker, _| worker.goes_on = true);
    net.serve(w, move |body| Job::echo(body).every(lasts));
    net.run(ms(10));
    let first = net.request(c, "echo", "1");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(first));
    net.run(ms(10));
    // The second worker became ready later, so the first comes first.
    let idle = net.worker(b, "echo");
    net.run(ms(10));
    (net, w, idle, c)
}

#[test]
fn requests_behind_an_abandoned_one_go_to_another_worker_soon() {
    let (mut net, w, idle, c) = scene(secs(600));
    let r = net.request(c, "echo", "2");
    net.run(ms(12));
    assert_eq!(net.end(c, r), done("2"));
    assert_eq!(
        (net.started(w), net.started(idle)),
        (vec!["1".into()], vec!["2".into()])
    );
    assert_eq!(net[w].returns, 1);
    for n in 3..20 {
        let n = n.to_string();
        assert_eq!(
            net.call(c, "echo", &n),
            End::Final(json(&n)),
            "given to who has room"
        );
    }
    assert_eq!(net[w].returns, 1);
}

#[test]
fn it_has_its_place_again_when_the_handler_ends() {
    let (mut net, w, idle, c) = scene(secs(1));
    net.request(c, "echo", "2");
    net.run(ms(100));
    net.kill(idle);
    let r = net.request(c, "echo", "3");
    net.run(ms(100));
    assert_eq!(net.end(c, r), None);
    net.serve(w, Job::echo);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("3"));
    assert_eq!(net[w].machine.outstanding(), 0);
}

#[test]
fn one_that_ends_at_once_costs_no_message() {
    let (mut net, _, w, c) = trio();
    net.act(w, |worker, _| worker.goes_on = true);
    net.serve(w, |body| Job::echo(body).every(ms(12)));
    net.run(ms(10));
    for n in 0..10 {
        let r = net.request(c, "echo", &n.to_string());
        net.run(ms(10));
        net.act(c, |client, _| client.cancel(r));
        net.run(ms(10));
    }
    assert_eq!(net[w].returns, 0);
    assert_eq!(net.started(w).len(), 10);
}

/// There is an offer behind the delivery when it is cancelled.
#[test]
fn requests_that_wait_already_go_to_another_worker_too() {
    let (mut net, b, w, c) = trio();
    for n in 0..50 {
        let n = n.to_string();
        assert_eq!(net.call(c, "echo", &n), End::Final(json(&n)));
    }
    net.act(w, |worker, _| worker.goes_on = true);
    net.serve(w, |_| Job::endless());
    let first = net.request(c, "echo", "50");
    let second = net.request(c, "echo", "51");
    net.run(ms(3));
    assert_eq!(net[w].machine.outstanding(), 2, "one ahead of need");
    net.act(c, |client, _| client.cancel(first));
    net.worker(b, "echo");
    net.run(ms(20));
    assert_eq!(net.end(c, second), done("51"));
    assert_eq!(net[w].returns, 1);
}

#[test]
fn a_drain_does_not_wait_for_one() {
    let (mut net, w, _, _) = scene(secs(600));
    net.act(w, |worker, now| worker.machine.stop(now, None));
    net.run(ms(10));
    assert!(net[w].drained.is_some());
}
