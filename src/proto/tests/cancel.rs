//! Cancellation: the broker forgets the request, the worker is told, and what has not started never starts.

use super::net::*;
use crate::proto::code::Code;

#[test]
fn in_the_queue_it_never_starts() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |body| Job::echo(body).every(ms(100)));
    let requests = net.requests(c, 0..5);
    net.run(ms(50));
    for n in [1, 2, 4] {
        net.act(c, |client, _| client.cancel(requests[n]));
    }
    net.run(secs(2));
    assert_eq!(net.started(w), ["0", "3"]);
    assert_eq!(net.end(c, requests[3]), done("3"));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn before_it_was_sent_nobody_hears_of_it() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    net.run(ms(10));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(ms(10));
    net.take(b);
    let r = net.request(c, "echo", "1");
    net.act(c, |client, _| client.cancel(r));
    assert_eq!(net[c].machine.outstanding(), 0);
    net.run(secs(1));
    assert_eq!(net.take(b).len(), 1, "the hello alone");
}

#[test]
fn while_it_runs_the_worker_learns_within_a_round_trip() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |body| Job::echo(body).parts(10_000).every(ms(10)));
    let r = net.request(c, "echo", "1");
    let next = net.request(c, "echo", "2");
    net.run(at(1000) - net.now());
    net.act(c, |client, _| client.cancel(r));
    net.serve(w, Job::echo);
    // The next one is parked, so its client has to release it first.
    net.run(ms(6));
    assert_eq!(net[w].cancelled, [(at(1002), 1, Code::Aborted)]);
    assert_eq!(net.end(c, next), done("2"), "the slot is free for the next");
}

/// The client does not know the dialect of the broker yet.
#[test]
fn before_the_welcome_the_broker_is_told_too() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    let c = net.client(b);
    let r = net.request_with(c, "echo", json("1"), None);
    net.run(ms(1));
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    assert_eq!(net[w].machine.outstanding(), 0);
}

#[test]
fn an_old_worker_is_used_again_once_it_has_ended_it() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(3).every(secs(1)));
    let r = net.request(c, "echo", "1");
    let next = net.request(c, "echo", "2");
    net.run(ms(1500));
    net.act(c, |client, _| client.cancel(r));
    net.run(secs(2));
    assert_eq!(net.started(w), ["1"]);
    net.run(secs(10));
    assert_eq!(net.end(c, next), done("2"));
}

#[test]
fn an_error_ends_it_for_an_old_worker_too() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw_beating(b, b"W", HEARTBEAT);
    let c = net.client(b);
    net.say(w, "W|1|echo");
    let r = net.request(c, "echo", "1");
    let next = net.request(c, "echo", "2");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    assert_eq!(net.take(w).len(), 1);
    net.say(w, "W|3|C2|c2.0-0|\"late\"");
    net.run(ms(10));
    assert_eq!(net.take(w), ["W|2|C2|c2.0-1|2"]);
    assert_eq!(net.end(c, next), None);
}

/// After its reconnect it still works on an earlier, ended request.
#[test]
fn an_old_worker_is_not_freed_by_the_end_of_another_request() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw(b, b"W");
    let c = net.client(b);
    net.say(w, "W|1|echo");
    let [first, second, third] = ["1", "2", "3"].map(|text| net.request(c, "echo", text));
    net.run(ms(10));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(200));
    assert_eq!(net.end(c, first), failed("W_LOST"));
    net.say(w, "W|1|echo");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(second));
    net.run(ms(10));
    net.say(w, "W|3|C2|c2.0-0|0|1");
    net.run(ms(10));
    let heard = net.take(w);
    // In the form for both dialects: the second request was sent before the reply showed the dialect.
    let either =
        |rid: &str, data: &str| format!("W|2|C2|{rid}|{data}|{rid}|{data}|{{\"timeout\":60000}}");
    assert_eq!(heard, [either("c2.0-0", "1"), either("c2.0-1", "2")]);
    net.say(w, "W|3|C2|c2.0-1|0|2");
    net.run(ms(10));
    assert_eq!(net.take(w), ["W|2|C2|c2.0-2|3"]);
    assert_eq!(net.end(c, third), None);
}

#[test]
fn it_crosses_the_reply() {
    for delay in 0..6 {
        let (mut net, b, w, c) = trio();
        net.run(ms(10));
        let r = net.request(c, "echo", "1");
        net.run(ms(delay));
        if net.end(c, r).is_none() {
            net.act(c, |client, _| client.cancel(r));
        }
        net.run(ms(10));
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
        assert_eq!(net[w].machine.outstanding(), 0);
        assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    }
}

#[test]
fn twice_or_of_what_never_was_it_does_nothing() {
    let (mut net, _, w, c) = trio();
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    for id in [r, r, 77] {
        net.act(c, |client, _| client.machine.cancel(id));
    }
    net.run(ms(10));
    assert_eq!(net.end(c, r), done("1"));
    assert!(net[w].cancelled.is_empty());
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
}

/// A prefetched request has not started.
#[test]
fn an_offer_that_was_not_taken_is_withdrawn_without_a_word() {
    let (mut net, _, w, c) = trio();
    net.run(ms(10));
    net.act(w, |worker, _| worker.busy = true);
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    net.act(w, |worker, _| worker.busy = false);
    net.run(ms(10));
    assert_eq!(net.started(w), [""; 0]);
    assert!(net[w].cancelled.is_empty());
}

#[test]
fn through_an_old_broker_it_frees_the_client_alone() {
    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    net.act(c, |client, _| client.cancel(r));
    let next = net.request(c, "echo", "2");
    net.run(secs(3));
    assert_eq!(net.end(c, next), done("2"));
}
