//! Large replies to a client that is away or behind: the broker keeps some of them, the others stay at their workers
//! until there is room, and none is lost.

use super::net::*;
use crate::proto::Terms;
use crate::wire::Body;

const LARGE: usize = 100_000;

/// The broker's room for replies that a client has not acknowledged.
const ROOM: usize = 4 * LARGE;

fn large() -> Body<Vec<u8>> {
    json(&"1".repeat(LARGE))
}

fn large_reply() -> Job {
    Job::echo(&large())
}

/// A broker that keeps this much of the replies to a client, and puts replies of this size or more on hold.
fn broker(net: &mut Net, hold_from: usize, room: usize) -> Id<BrokerActor> {
    net.broker_with(|config| {
        (config.hold_from, config.unacknowledged_bytes) = (hold_from, room);
        config.reconnect_grace = secs(5);
    })
}

/// A broker with little room, a worker that runs any number of requests, and a client.
fn scene() -> (Net, Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>) {
    let mut net = Net::new();
    let b = broker(&mut net, 1024, ROOM);
    let w = net.worker_with(b, "echo", |config| {
        config.concurrency = None;
        (config.link.soon, config.link.away) = (ms(10), secs(60));
    });
    let c = net.client_with(b, |config| {
        (config.link.soon, config.link.away) = (ms(10), secs(60));
    });
    net.run(secs(1));
    (net, b, w, c)
}

/// The connection of a client ends, and it cannot make another one.
fn strand(net: &mut Net, c: Id<ClientActor>) {
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.partition(c);
}

/// A client that is away since shortly after its 20 requests, whose replies are large.
fn scene_with_replies_on_hold() -> (
    Net,
    Id<BrokerActor>,
    Id<WorkerActor>,
    Id<ClientActor>,
    Vec<u64>,
) {
    let (mut net, b, w, c) = scene();
    net.serve(w, |_| large_reply().every(ms(20)));
    let requests = net.requests(c, 0..20);
    net.run(ms(10));
    strand(&mut net, c);
    net.run(ms(300));
    (net, b, w, c, requests)
}

fn held(net: &Net, b: Id<BrokerActor>) -> usize {
    net[b].machine.held()
}

/// Runs, and checks that the broker keeps no more than it should: what is unacknowledged, and some steps of allowances.
fn run_bounded(net: &mut Net, b: Id<BrokerActor>, span: std::time::Duration) {
    net.run_checked(span, |net| {
        let most = ROOM + 2 * 1024 * 1024;
        assert!(held(net, b) < most, "{}", held(net, b));
    });
}

fn assert_answered(net: &mut Net, c: Id<ClientActor>, requests: &[u64]) {
    for end in net.ends(c, requests) {
        assert!(end == Some(End::Final(large())), "{end:?}");
    }
}

#[test]
fn replies_to_a_client_that_is_away_stay_at_their_worker_until_it_is_back() {
    let (mut net, b, w, c) = scene();
    net.serve(w, |_| large_reply().every(ms(100)));
    let requests = net.requests(c, 0..60);
    net.run(ms(50));
    strand(&mut net, c);
    run_bounded(&mut net, b, ms(500));
    net.heal(c);
    run_bounded(&mut net, b, secs(10));
    assert_answered(&mut net, c, &requests);
    assert_eq!(net.started(w).len(), 60, "nothing ran twice");
    assert_eq!(
        (net[w].machine.kept(), net[w].machine.outstanding()),
        (0, 0)
    );
}

#[test]
fn a_client_that_is_cut_off_again_and_again_loses_no_replies() {
    for victims in [1, 2, 3] {
        let (mut net, b, w, c) = scene();
        net.set_latency(500, 10_000);
        net.serve(w, |_| large_reply().every(ms(30)));
        let mut requests = net.requests(c, 0..40);
        for round in 0..40 {
            if victims & 1 != 0 {
                net.cut(c, &[Side::Dealer, Side::Broker]);
            }
            if victims & 2 != 0 {
                net.cut(w, &[Side::Dealer, Side::Broker]);
            }
            run_bounded(&mut net, b, ms(130));
            requests.extend(net.requests(c, 40 + 2 * round..42 + 2 * round));
        }
        run_bounded(&mut net, b, secs(60));
        assert_answered(&mut net, c, &requests);
        assert_eq!(net.started(w).len(), 120, "nothing ran twice: {victims}");
    }
}

#[test]
fn a_client_that_takes_little_is_sent_no_more_than_there_is_room_for() {
    let (mut net, b, w, c) = scene();
    net.serve(w, |_| large_reply());
    net.set_latency(200_000, 200_000);
    let requests = net.requests(c, 0..100);
    run_bounded(&mut net, b, secs(60));
    assert_answered(&mut net, c, &requests);
    assert_eq!(net.started(w).len(), 100);
}

#[test]
fn parts_of_a_reply_on_hold_follow_without_a_gap() {
    let (mut net, b, w, c) = scene();
    net.serve(w, |body| match &body.bytes[..] {
        b"0" => {
            let mut job = Job::echo(body).parts(6).every(ms(40));
            job.partials[3] = large();
            job
        }
        _ => large_reply().every(ms(20)),
    });
    let stream = net.request(c, "echo", "0");
    let others = net.requests(c, 1..20);
    net.run(ms(10));
    strand(&mut net, c);
    run_bounded(&mut net, b, ms(400));
    net.heal(c);
    run_bounded(&mut net, b, secs(10));
    let seen = &net.seen(c, stream).partials;
    let lengths: Vec<usize> = seen.iter().map(|part| part.bytes.len()).collect();
    assert_eq!(lengths, [1, 1, 1, LARGE, 1, 1]);
    assert_eq!(net.end(c, stream), done("0"));
    assert_answered(&mut net, c, &others);
}

/// While a client is away, its replies take no room of a worker.
#[test]
fn a_worker_whose_reply_is_on_hold_serves_others() {
    let mut net = Net::new();
    let b = broker(&mut net, 1024, 1);
    let w = net.worker(b, "echo");
    let (c, other) = (net.client(b), net.client(b));
    net.serve(w, |body| match &body.bytes[..] {
        b"9" => Job::echo(body),
        _ => large_reply().every(ms(50)),
    });
    net.run(secs(1));
    let requests = net.requests(c, 0..3);
    net.run(ms(10));
    strand(&mut net, c);
    net.run(ms(500));
    assert_eq!(net.started(w), ["0"]);
    assert_eq!(net.call(other, "echo", "9"), End::Final(json("9")));
    net.heal(c);
    net.run(secs(5));
    assert_answered(&mut net, c, &requests);
    assert_eq!(net.started(w), ["0", "9", "1", "2"]);
}

#[test]
fn a_reply_on_hold_that_nobody_wants_is_forgotten_by_its_worker() {
    let (mut net, _, w, c) = scene();
    net.serve(w, |_| large_reply().every(ms(20)));
    let terms = Terms::from(Some(ms(700)));
    for _ in 0..20 {
        net.request_on(c, "echo", json("1"), terms);
    }
    net.run(ms(10));
    strand(&mut net, c);
    net.run(ms(300));
    assert!(net[w].machine.kept() > 10);
    net.kill(c);
    // Until the broker has given the client up.
    net.run(secs(30));
    assert_eq!(net[w].machine.kept(), 0);
}

#[test]
fn a_worker_that_stops_hands_over_what_is_on_hold() {
    let (mut net, b, w, c, requests) = scene_with_replies_on_hold();
    net.act(w, |worker, now| worker.machine.stop(now, None));
    run_bounded(&mut net, b, ms(300));
    assert!(net[w].drained.is_none());
    net.heal(c);
    run_bounded(&mut net, b, secs(10));
    assert!(net[w].drained.is_some());
    assert_answered(&mut net, c, &requests);
}

/// The next broker has the requests of the clients, and the replies of the workers.
#[test]
fn a_reply_on_hold_survives_the_broker() {
    let (mut net, b, w, c, requests) = scene_with_replies_on_hold();
    net.restart(b);
    net.heal(c);
    net.run(secs(20));
    assert_answered(&mut net, c, &requests);
    assert_eq!(net.started(w).len(), 20, "nothing ran twice");
}

/// Nothing of it is for the client.
#[test]
fn a_rejection_needs_no_room() {
    let mut net = Net::new();
    let b = broker(&mut net, 1, 1);
    let (rejecting, w) = (net.worker(b, "echo"), net.worker(b, "echo"));
    let c = net.client_with(b, |config| config.link.away = secs(60));
    net.serve(rejecting, |_| Job::reject().every(ms(100)));
    net.serve(w, |body| Job::echo(body).every(ms(50)));
    net.run(ms(100));
    let requests = net.requests(c, 1..3);
    net.run(ms(10));
    assert_eq!(net.started(rejecting).len(), 1);
    strand(&mut net, c);
    net.run(ms(200));
    assert_eq!(net.started(w).len(), 2);
    net.heal(c);
    net.run(secs(10));
    assert_eq!(net.ends(c, &requests), [done("1"), done("2")]);
}

/// Its requests end in pieces, and nothing is asked for meanwhile.
#[test]
fn a_client_that_leaves_with_very_many_replies_on_hold_leaves_nothing_to_the_next() {
    let mut net = Net::new();
    let b = broker(&mut net, 1024, ROOM);
    let w = net.worker_with(b, "echo", |config| config.concurrency = None);
    net.serve(w, |_| Job::echo(&json(&"1".repeat(3 * LARGE))));
    for _ in 0..2 {
        let c = net.client(b);
        net.run(secs(1));
        net.set_latency(200_000, 200_000);
        // More than end in one turn. The second reply has arrived at the broker, and is not acknowledged.
        net.requests(c, 0..300);
        net.run(ms(1400));
        assert!(net[w].machine.kept() > 250);
        net.act(c, |client, _| client.stop());
        net.run(secs(6));
        assert_eq!(net[w].machine.kept(), 0);
    }
}

/// Each claim of a lying worker is as good as the last one, and is kept once.
#[test]
fn a_worker_that_claims_a_reply_on_hold_again_and_again_takes_no_memory() {
    let mut net = Net::new();
    let b = broker(&mut net, 1, 1);
    let w = net.raw_beating(b, b"W", secs(1));
    let hello =
        r#"{"concurrency":2,"heartbeat":2500,"holds":true,"liveness":3,"omdp":1,"session":"w"}"#;
    net.say(w, &format!("W|1|echo|{hello}"));
    let c = net.client_with(b, |config| config.link.away = secs(60));
    net.run(ms(100));
    let requests = [net.request(c, "echo", "1"), net.request(c, "echo", "2")];
    let heard = net.heard(w);
    let given = heard.iter().filter(|text| text.starts_with("W|2|"));
    let given: Vec<(&str, &str)> = given
        .map(|text| {
            let frames: Vec<&str> = text.split('|').collect();
            (frames[3], *frames.last().expect("an extension"))
        })
        .collect();
    let [(first, one), (second, two)] = &given[..] else {
        panic!("{heard:?}")
    };
    let number = &two[1..];
    net.say(w, &format!("W|3|C2|{first}|0|1|{one}"));
    net.say(w, &format!("W|3|C2|{second}|0|2|{two}"));
    for _ in 0..3 {
        net.say(w, &format!("W|11|C2|{second}|\u{1}{number}{number}"));
    }
    let told = net.heard(w);
    assert!(
        told.contains(&format!("W|22|{number}")),
        "{told:?} {given:?}"
    );
    // It does not wait until it is asked.
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(3));
    for _ in 0..3 {
        net.say(w, &format!("W|11|C2|{second}|\u{1}{number}{number}"));
    }
    net.run(ms(10));
    net.say(w, &format!("W|3|C2|{second}|0|2|{two}"));
    net.run(secs(3));
    assert_eq!(requests.map(|r| net.end(c, r)), [done("1"), done("2")]);
}
