//! Requests to all workers of a service.

use super::net::*;
use crate::proto::Terms;

/// What a part says: its flags, the worker and the value.
fn parts(net: &mut Net, client: Id<ClientActor>, request: u64) -> Vec<(u8, String, String)> {
    let partials = net.seen(client, request).partials.clone();
    let mut parts: Vec<_> = partials
        .into_iter()
        .map(|body| {
            let end = 2 + usize::from(body.bytes[1]);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (
                body.bytes[0],
                text(&body.bytes[2..end]),
                text(&body.bytes[end..]),
            )
        })
        .collect();
    parts.sort();
    parts
}

fn part(flags: u8, worker: &str, value: &str) -> (u8, String, String) {
    (flags, worker.into(), value.into())
}

fn cast(workers: usize) -> (Net, Id<BrokerActor>, Id<ClientActor>, Vec<Id<WorkerActor>>) {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let workers = (0..workers).map(|_| net.worker(b, "echo")).collect();
    net.run(ms(50));
    (net, b, c, workers)
}

#[test]
fn each_worker_answers_once_and_then_it_is_over() {
    let (mut net, b, c, workers) = cast(3);
    net.worker(b, "other");
    net.serve(workers[1], |_| Job::error("7"));
    net.serve(workers[2], |body| Job::echo(body).parts(3).every(ms(10)));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("null"));
    let expected = [part(0, "W2", "1"), part(0, "W4", "1"), part(4, "W3", "7")];
    assert_eq!(parts(&mut net, c, r), expected);
    assert_eq!(net[b].machine.load(), [0, 4, 1, 2]);
    let nobody = net.request(c, "mmi.all:nobody", "1");
    net.run(ms(10));
    assert_eq!(net.end(c, nobody), done("null"));
    assert_eq!(net.seen(c, nobody).partials.len(), 0);
}

#[test]
fn a_busy_worker_is_waited_for_and_others_pass() {
    let (mut net, _, c, workers) = cast(2);
    net.serve(workers[0], |body| Job::echo(body).parts(1).every(secs(1)));
    let busy = net.request(c, "echo", "0");
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(100));
    assert_eq!(net.seen(c, r).partials.len(), 1);
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    net.run(secs(5));
    assert_eq!(net.end(c, busy), done("0"));
    assert_eq!(net.end(c, r), done("null"));
    assert_eq!(net.started(workers[0]), ["0", "1"]);
    assert_eq!(net.started(workers[1]), ["1", "2"]);
}

#[test]
fn a_lost_worker_is_an_error_whether_it_had_begun_or_not() {
    let (mut net, _, c, workers) = cast(2);
    net.serve(workers[0], |_| Job::endless());
    net.serve(workers[1], |_| Job::endless());
    net.request(c, "echo", "0");
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(10));
    net.kill(workers[0]);
    net.kill(workers[1]);
    net.run(secs(20));
    let lost = r#""W_LOST""#;
    assert_eq!(
        parts(&mut net, c, r),
        [part(12, "W2", lost), part(12, "W3", lost)]
    );
    assert_eq!(net.end(c, r), done("null"));
}

#[test]
fn a_cancelled_one_ends_everywhere() {
    let (mut net, b, c, workers) = cast(3);
    for &worker in &workers {
        net.serve(worker, |_| Job::endless());
    }
    net.request(c, "echo", "0");
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    assert_eq!(net[b].machine.load()[0], 1);
    let cancelled: usize = workers.iter().map(|&w| net[w].cancelled.len()).sum();
    assert_eq!(cancelled, 2, "the third had not begun");
    let terms = Terms::from(Some(ms(500)));
    let late = net.request_on(c, "mmi.all:echo", json("2"), terms);
    net.run(secs(2));
    assert_eq!(net.end(c, late), failed("C_TIMEOUT"));
    assert_eq!(net[b].machine.load()[0], 1);
}

#[test]
fn a_worker_that_pauses_or_stops_leaves_its_copy_to_nobody() {
    let (mut net, _, c, workers) = cast(2);
    for &worker in &workers {
        net.act(worker, |worker, _| worker.pause());
    }
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(secs(1));
    assert_eq!(net.seen(c, r).partials.len(), 0);
    net.act(workers[0], WorkerActor::resume);
    net.act(workers[1], |worker, now| worker.machine.stop(now, None));
    net.run(secs(1));
    let lost = r#""W_LOST""#;
    assert_eq!(
        parts(&mut net, c, r),
        [part(0, "W2", "1"), part(12, "W3", lost)]
    );
    assert_eq!(net.end(c, r), done("null"));
    assert!(net.started(workers[1]).is_empty());
}

/// Who answered while the client was away can't be told any more.
#[test]
fn it_ends_with_its_connection_and_runs_nowhere_again() {
    for stop in [false, true] {
        let (mut net, b, c, workers) = cast(3);
        for &worker in &workers {
            net.serve(worker, |body| Job::echo(body).parts(1).every(secs(1)));
        }
        let r = net.request(c, "mmi.all:echo", "1");
        net.run(ms(100));
        match stop {
            true => net.act(b, |broker, now| broker.machine.stop(now)),
            false => net.cut(c, &[Side::Dealer, Side::Broker]),
        }
        net.run(secs(30));
        assert_eq!(net.end(c, r), failed("B_LOST"), "{stop}");
        for worker in workers {
            assert_eq!(net.started(worker), ["1"]);
        }
        assert_eq!(net[b].machine.load()[0], 0);
    }
}

#[test]
fn each_copy_is_on_the_account_of_its_client() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.held.peer = 4000);
    let c = net.client(b);
    for _ in 0..3 {
        net.worker(b, "echo");
    }
    net.run(ms(50));
    let large = format!("\"{}\"", "x".repeat(1000));
    let r = net.request(c, "mmi.all:echo", &large);
    net.run(ms(50));
    assert_eq!(net.end(c, r), failed("B_QUEUE_FULL"));
    let small = net.request(c, "mmi.all:echo", "1");
    net.run(ms(50));
    assert_eq!(net.end(c, small), done("null"));
}
