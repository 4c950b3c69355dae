//! Two peers with one name: the later one keeps it.

use super::net::*;
use crate::proto::broker::Departure;
use crate::proto::link::Loss;

/// The later one takes over; the transport closes the earlier one's connection.
#[test]
fn of_two_workers_of_one_name_the_later_serves() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    net.serve(first, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    let second = net.named_worker(b, "echo", b"twin", |_| {});
    net.run(ms(10));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net.started(second), ["2"]);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

fn last_news(news: &[(crate::proto::Time, LinkNews)]) -> Option<LinkNews> {
    news.last().map(|(_, news)| *news)
}

fn replaced(net: &Net, b: Id<BrokerActor>) -> usize {
    let departures = net[b].departures();
    let replaced = |&&(_, why, _): &&(_, Departure, _)| why == Departure::Replaced;
    departures.iter().filter(replaced).count()
}

/// Each would take the name from the other for ever.
#[test]
fn workers_of_one_name_do_not_displace_each_other_for_ever() {
    for told in [true, false] {
        displace_each_other(told);
    }
}

fn displace_each_other(told: bool) {
    let mut net = Net::new();
    net.tells_displaced = told;
    let b = net.broker();
    let c = net.client(b);
    let all: Vec<_> = (0..3)
        .map(|_| {
            let w = net.named_worker(b, "echo", b"twin", |_| {});
            net.run(ms(37));
            w
        })
        .collect();
    net.run(secs(if told { 2 } else { 60 }));
    let displacements = replaced(&net, b);
    assert!((2..12).contains(&displacements), "{displacements}");
    net.run(secs(60));
    assert_eq!(replaced(&net, b), displacements, "it is settled");
    for &w in &all[..2] {
        assert_eq!(
            last_news(&net[w].news),
            Some(LinkNews::Lost(Loss::NameTaken))
        );
        assert_eq!(net[w].machine.next_deadline(), None);
    }
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net.started(all[2]), ["1"]);

    // A peer that is started again is the latest.
    net.restart(all[0]);
    net.run(secs(60));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net.started(all[0]), ["2"]);
    let news = last_news(&net[all[2]].news);
    assert_eq!(news, Some(LinkNews::Lost(Loss::NameTaken)));

    // A displaced peer can be stopped and started again.
    net.act(all[2], |worker, now| worker.machine.stop(now, None));
    assert_eq!(net[all[2]].drained, Some(net.now()));
    net.kill(all[0]);
    net.restart(all[1]);
    assert_eq!(net.call(c, "echo", "3"), End::Final(json("3")));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
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
