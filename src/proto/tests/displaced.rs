//! Two peers with one name: of workers the first one keeps it, and the other tries again later; of clients the later
//! one keeps it.

use super::net::*;
use crate::proto::broker::Departure;
use crate::proto::link::Loss;

fn last_news(news: &[(crate::proto::Time, LinkNews)]) -> Option<LinkNews> {
    news.last().map(|(_, news)| *news)
}

const TAKEN: Option<LinkNews> = Some(LinkNews::Lost(Loss::NameTaken));

fn replaced(net: &Net, b: Id<BrokerActor>) -> usize {
    let departures = net[b].departures();
    let replaced = |&&(_, why, _): &&(_, Departure, _)| why == Departure::Replaced;
    departures.iter().filter(replaced).count()
}

/// A broker with a grace time for detached peers.
fn lenient(net: &mut Net) -> Id<BrokerActor> {
    net.broker_with(|config| config.reconnect_grace = secs(2))
}

fn twin(net: &mut Net, b: Id<BrokerActor>) -> Id<WorkerActor> {
    net.named_worker(b, "echo", b"twin", |_| {})
}

/// A peer that takes the name of a worker for a moment costs it a reconnect, but no request.
#[test]
fn a_worker_whose_name_another_wants_loses_nothing() {
    let mut net = Net::new();
    let b = lenient(&mut net);
    let c = net.client(b);
    let first = twin(&mut net, b);
    net.run(ms(10));
    net.serve(first, |body| Job::echo(body).every(secs(1)));
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    let second = twin(&mut net, b);
    net.run(ms(500));
    assert_eq!(last_news(&net[second].news), TAKEN);
    assert_eq!(last_news(&net[first].news), Some(LinkNews::Connected));
    net.run(secs(60));
    assert_eq!(net.end(c, r), Some(End::Final(json("1"))));
    assert_eq!(net.started(first), ["1"]);
    assert_eq!(replaced(&net, b), 0);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    // The other worker gets the name when the first has left.
    net.kill(first);
    net.run(secs(61));
    assert_eq!(last_news(&net[second].news), Some(LinkNews::Connected));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net.started(second), ["2"]);
}

/// Over some transports, a displaced peer only notices silence.
#[test]
fn a_worker_that_notices_late_that_its_name_was_taken_comes_back_when_the_other_has_left() {
    let mut net = Net::new();
    net.tells_displaced = false;
    let b = lenient(&mut net);
    let c = net.client(b);
    let first = twin(&mut net, b);
    net.run(ms(10));
    let second = twin(&mut net, b);
    net.run(secs(60));
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    net.kill(second);
    net.run(secs(61));
    assert_eq!(last_news(&net[first].news), Some(LinkNews::Connected));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net.started(first).last().map(String::as_str), Some("2"));
}

/// Messages under a worker's name that are not of its life have no effect.
#[test]
fn a_stranger_under_the_name_of_a_worker_does_nothing_in_its_place() {
    let mut net = Net::new();
    let b = lenient(&mut net);
    let c = net.client(b);
    let w = twin(&mut net, b);
    net.run(ms(10));
    net.serve(w, |_| Job::endless());
    let r = net.request_with(c, "echo", json("1"), None);
    net.run(ms(10));
    for message in ["W|1|echo", "W|5", "W|4", "W|3|C0|r1|0|2"] {
        net.act(b, |broker, now| {
            broker.machine.handle_new_connection(now, b"twin");
            let frames = message.split('|').map(|frame| frame.as_bytes().to_vec());
            let frames = &mut frames.collect();
            broker.machine.handle_message(now, b"twin", frames);
        });
        assert_eq!(net[b].machine.load()[..2], [1, 1], "{message}");
    }
    assert_eq!(net.end(c, r), None);
}

/// A worker that restarts has its name as soon as the broker knows that the old connection has ended.
#[test]
fn a_worker_that_is_started_anew_has_its_name_at_once() {
    let mut net = Net::new();
    let b = lenient(&mut net);
    let c = net.client(b);
    let w = twin(&mut net, b);
    net.run(ms(10));
    net.kill(w);
    net.run(ms(10));
    net.restart(w);
    net.run(ms(300));
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(last_news(&net[w].news), Some(LinkNews::Connected));
}

/// A broker without a grace time gives the name to the later peer. Each would take it from the other for ever.
#[test]
fn without_a_grace_the_later_keeps_the_name_nearly_always() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let all = [0, 1].map(|_| {
        let w = twin(&mut net, b);
        net.run(ms(37));
        w
    });
    net.run(secs(300));
    let displacements = replaced(&net, b);
    assert!((2..30).contains(&displacements), "{displacements}");
    assert_eq!(last_news(&net[all[0]].news), TAKEN);
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    net.act(all[0], |worker, now| worker.machine.stop(now, None));
    assert_eq!(net[all[0]].drained, Some(net.now()));
}

/// A name is free after its holder has left, even for a peer that was displaced before.
#[test]
fn a_worker_that_was_displaced_is_welcome_when_nobody_has_the_name() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    let second = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    net.kill(second);
    net.run(secs(1));
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net.started(first), ["1"]);
}

#[test]
fn a_worker_that_lost_its_connection_is_not_displaced_by_itself() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.named_worker(b, "echo", b"one", |_| {});
    for n in 0..5 {
        net.run(ms(500));
        net.cut(w, &[Side::Dealer]);
        net.run(ms(500));
        let text = n.to_string();
        assert_eq!(net.call(c, "echo", &text), End::Final(json(&text)));
    }
}

#[test]
fn of_two_clients_of_one_name_the_later_keeps_it() {
    let mut net = Net::new();
    let b = net.broker();
    net.worker(b, "echo");
    let twins = [0, 1].map(|_| {
        let c = net.unstarted_client(b, b"twin", |_| {});
        net.impersonate(c);
        net.start(c);
        net.run(ms(50));
        c
    });
    net.run(secs(2));
    let r = net.request_with(twins[0], "echo", json("1"), Some(1000));
    assert_eq!(net.call(twins[1], "echo", "2"), End::Final(json("2")));
    net.run(secs(60));
    assert_eq!(net.end(twins[0], r), failed("C_NAME_TAKEN"));
    let news = last_news(&net[twins[0]].news);
    assert_eq!(news, Some(LinkNews::Lost(Loss::NameTaken)));
    assert_eq!(last_news(&net[twins[1]].news), Some(LinkNews::Connected));
    assert!(net[twins[1]].news.len() <= 3, "{:?}", net[twins[1]].news);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

/// When this message is sent, the name may belong to the other peer again.
#[test]
fn that_the_name_is_taken_counts_for_the_session_that_it_is_meant_for() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.named_worker(b, "echo", b"w", |_| {});
    let c = net.unstarted_client(b, b"c", |_| {});
    net.start(c);
    net.run(ms(10));
    let hello = r#"{"heartbeat":2500,"liveness":3,"omdp":1}"#;
    net.tell(b, "w", &format!("W|1|{hello}"));
    net.tell(b, "c", &format!("C|1|{hello}"));
    net.tell(b, "w", "W|5|other.1");
    net.tell(b, "c", "C|5|other-1");
    net.run(ms(10));
    assert_eq!(last_news(&net[w].news), Some(LinkNews::Connected));
    assert_eq!(last_news(&net[c].news), Some(LinkNews::Connected));
    assert!(net[w].faults.is_empty() && net[c].faults.is_empty());
    net.tell(b, "w", "W|5|w1.0.1");
    net.tell(b, "c", "C|5|c2.0-1");
    net.run(ms(10));
    let taken = Some(LinkNews::Lost(Loss::NameTaken));
    assert_eq!(
        (last_news(&net[w].news), last_news(&net[c].news)),
        (taken, taken)
    );
}
