//! Requests that their clients retry by a policy.

use crate::proto::Terms;
use crate::proto::client::{Cause, RetryPolicy};
use crate::proto::tests::net::*;
use std::cell::Cell;

fn policy(attempts: u8, on: &[Cause]) -> RetryPolicy {
    RetryPolicy {
        attempts,
        on: on.to_vec(),
        delay: 100.0,
        factor: 2.0,
        max_delay: 250.0,
        jitter: 0.0,
    }
}

fn ask(net: &mut Net, c: Id<ClientActor>, text: &str, policy: RetryPolicy) -> u64 {
    ask_on(net, c, text, Some(secs(60)).into(), policy)
}

fn ask_on(net: &mut Net, c: Id<ClientActor>, text: &str, terms: Terms, policy: RetryPolicy) -> u64 {
    net.act(c, |client, _| client.policy = Some(policy));
    net.request_on_more(c, "echo", json(text), terms, "")
}

/// A handler that fails this many times, then echoes.
fn fails(net: &mut Net, w: Id<WorkerActor>, times: usize) {
    let left = Cell::new(times);
    net.serve(w, move |body| {
        if left.get() == 0 {
            return Job::echo(body);
        }
        left.set(left.get() - 1);
        Job::error("\"bad\"")
    });
}

#[test]
fn an_error_is_tried_again_after_pauses_that_grow() {
    let (mut net, _, w, c) = trio_in(Net::near());
    fails(&mut net, w, 4);
    net.run(ms(100));
    let asked = net.now();
    let r = ask(&mut net, c, "1", policy(5, &[Cause::Error]));
    net.run(secs(5));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[w].retried, [0, 1, 2, 3, 4]);
    let took = net.seen(c, r).at.since(asked).as_millis();
    assert!((800..850).contains(&took), "{took}");
}

#[test]
fn the_last_attempt_tells_what_was_wrong() {
    let (mut net, _, w, c) = trio_in(Net::near());
    fails(&mut net, w, 9);
    net.run(ms(10));
    let r = ask(&mut net, c, "1", policy(3, &[Cause::Error]));
    let other = ask(&mut net, c, "2", policy(3, &[Cause::Lost, Cause::Timeout]));
    net.run(secs(5));
    assert_eq!(
        net.ends(c, &[r, other]),
        [error("\"bad\""), error("\"bad\"")]
    );
    assert_eq!(net.started(w).len(), 4);
}

#[test]
fn a_lost_worker_a_timeout_and_a_rejection() {
    let (mut net, b, w, c) = trio_in(Net::near());
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    let terms = Terms::from(Some(ms(500)));
    let expires = ask_on(&mut net, c, "1", terms, policy(2, &[Cause::Timeout]));
    net.run(ms(700));
    assert_eq!((net.end(c, expires), net.started(w).len()), (None, 2));
    net.run(secs(1));
    assert_eq!(net.end(c, expires), failed("C_TIMEOUT"));
    let lost = ask(&mut net, c, "2", policy(2, &[Cause::Lost]));
    net.run(ms(10));
    net.kill(w);
    net.run(ms(10));
    let other = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.end(c, lost), done("2"));
    assert_eq!(net[other].retried, [1]);
    net.serve(other, |_| Job::reject());
    let terms = Terms {
        fail_fast: true,
        ..Terms::from(Some(secs(60)))
    };
    let rejected = ask_on(&mut net, c, "3", terms, policy(3, &[Cause::Rejected]));
    net.run(secs(5));
    assert_eq!(net.end(c, rejected), failed("W_REJECTED"));
    assert_eq!(net.started(other), ["2", "3", "3", "3"]);
}

#[test]
fn nothing_is_made_again_of_which_a_part_has_come_or_that_was_cancelled() {
    let (mut net, _, w, c) = trio_in(Net::near());
    net.serve(w, |_| Job::error("\"bad\"").parts(1));
    net.run(ms(10));
    let begun = ask(&mut net, c, "1", policy(5, &[Cause::Error]));
    net.run(secs(2));
    assert_eq!(net.end(c, begun), error("\"bad\""));
    assert_eq!(net.started(w).len(), 1);
    net.serve(w, |_| Job::error("\"bad\""));
    let cancelled = ask(&mut net, c, "2", policy(5, &[Cause::Error]));
    net.run(ms(50));
    net.act(c, |client, _| client.cancel(cancelled));
    net.run(secs(2));
    assert_eq!(net.started(w).len(), 2);
}

/// The broker has ended the request, and is told of no cancellation.
#[test]
fn an_attempt_that_the_worker_has_given_up_is_not_cancelled() {
    let (mut net, b, w, c) = trio_in(Net::near());
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    let r = ask(&mut net, c, "1", policy(2, &[Cause::Timeout]));
    net.run(ms(10));
    let delivery = net[w].deliveries[0].0;
    net.serve(w, Job::echo);
    net.act(w, |worker, now| worker.expire(now, delivery));
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[b].machine.refusals().strays, 0);
}

/// The pause ends while no broker is connected.
#[test]
fn requests_to_be_repeated_wait_for_the_broker() {
    let (mut net, b, w, c) = trio_in(Net::near());
    fails(&mut net, w, 1);
    net.run(ms(10));
    let r = ask(&mut net, c, "1", policy(3, &[Cause::Error]));
    net.run(ms(20));
    net.kill(b);
    net.run(secs(1));
    assert_eq!(net.end(c, r), None);
    net.start(b);
    net.run(secs(10));
    assert_eq!(net.end(c, r), done("1"));
}
