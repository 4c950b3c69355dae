//! Blocked threads of applications, and workers with a limit for that.

use super::net::*;
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::proto::machine::Machine;

fn bounded(net: &mut Net, broker: Id<BrokerActor>) -> Id<WorkerActor> {
    net.worker_with(broker, "echo", |config| {
        config.max_blocked = Some(ms(800));
        config.concurrency = Some(2);
    })
}

fn block(net: &mut Net, worker: Id<WorkerActor>, busy: bool) {
    net.act(worker, |worker, _| worker.busy = busy);
}

#[test]
fn past_the_bound_it_is_lost_and_comes_back_when_it_answers() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = bounded(&mut net, b);
    net.serve(w, |_| Job::endless());
    net.run(at(1000) - net.now());
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    block(&mut net, w, true);
    net.run(secs(5));
    // The ping is sent within an eighth of the limit after the blockade begins, and three messages
    // are under way.
    assert_eq!(net.end(c, r), failed("W_LOST"));
    let took = net.seen(c, r).at - at(1010);
    assert!((ms(800)..=ms(903)).contains(&took), "{took:?}");
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
    assert_eq!(net[w].cancelled[0].2, Code::WorkerLost);
    let waiting = net.request(c, "echo", "2");
    net.run(secs(30));
    assert_eq!(net.end(c, waiting), None, "it stays away");
    net.serve(w, Job::echo);
    block(&mut net, w, false);
    net.run(ms(20));
    assert_eq!(net.end(c, waiting), done("2"));
    let news: Vec<LinkNews> = net[w].news.iter().map(|(_, news)| *news).collect();
    assert_eq!(
        news,
        [
            LinkNews::Connected,
            LinkNews::Lost(Loss::Blocked),
            LinkNews::Connected
        ]
    );
}

#[test]
fn offers_of_a_blocked_worker_go_back_and_its_running_requests_start_again_elsewhere() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = bounded(&mut net, b);
    net.serve(w, |_| Job::endless());
    net.run(ms(500));
    let terms = Terms {
        retry: 1,
        ..Terms::default()
    };
    let taken = net.request_on(c, "echo", json("1"), terms);
    net.run(ms(10));
    block(&mut net, w, true);
    let offered = net.request(c, "echo", "2");
    net.run(ms(500));
    let other = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.end(c, taken), done("1"));
    assert_eq!(net.end(c, offered), done("2"));
    assert_eq!(
        (net.started(w), net.started(other)),
        (vec!["1".into()], vec!["2".into(), "1".into()])
    );
    assert_eq!(net[other].retried, [0, 1]);
}

#[test]
fn without_a_bound_it_may_take_for_ever() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).every(ms(10)));
    net.run(ms(10));
    let r = net.request_with(c, "echo", json("1"), None);
    net.run(ms(5));
    block(&mut net, w, true);
    net.run(secs(600));
    block(&mut net, w, false);
    net.run(ms(50));
    assert_eq!((net.end(c, r), net[w].news.len()), (done("1"), 1));
}

#[test]
fn pauses_below_the_bound_cost_nothing() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = bounded(&mut net, b);
    for _ in 0..20 {
        block(&mut net, w, true);
        net.run(ms(790));
        block(&mut net, w, false);
        net.run(ms(1));
    }
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net[w].news.len(), 1);
}

/// Time without a broker does not count.
#[test]
fn without_a_broker_nothing_is_measured() {
    let mut net = Net::new();
    let b = net.broker();
    let w = bounded(&mut net, b);
    net.run(ms(100));
    net.kill(b);
    net.run(secs(1));
    block(&mut net, w, true);
    net.run(secs(10));
    net.start(b);
    net.run(ms(500));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    net.run(secs(1));
    assert_eq!(net[b].machine.load(), [0, 0, 0, 0]);
}

/// After a suspension the clock has jumped, which says nothing about the application.
#[test]
fn a_process_that_was_stopped_has_a_moment_to_answer() {
    let mut net = Net::new();
    let b = net.broker();
    let w = bounded(&mut net, b);
    net.run(ms(100));
    block(&mut net, w, true);
    net.run(ms(200));
    net.pause(w);
    net.run(secs(3));
    net.resume(w);
    net.run(ms(50));
    block(&mut net, w, false);
    net.run(secs(10));
    assert_eq!(net[w].news.len(), 1);
}

#[test]
fn it_can_be_stopped_at_any_stage() {
    for wait in [10, 400, 850, 1500] {
        let mut net = Net::new();
        let b = net.broker();
        let c = net.client(b);
        let w = bounded(&mut net, b);
        net.serve(w, |_| Job::endless());
        let r = net.request(c, "echo", "1");
        net.run(ms(10));
        block(&mut net, w, true);
        net.run(ms(wait));
        block(&mut net, w, false);
        net.act(w, |worker, now| worker.machine.stop(now, Some(now)));
        net.run(secs(1));
        assert_eq!(net.end(c, r), failed("W_LOST"), "{wait}");
        assert!(net[w].drained.is_some(), "{wait}");
        assert_eq!(net[w].machine.next_deadline(), None, "{wait}");
        net.start(w);
        net.serve(w, Job::echo);
        net.run(ms(500));
        assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")), "{wait}");
    }
}
