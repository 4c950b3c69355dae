//! Tests of the roster alone.

use super::confirmations::HEAR;
use super::*;
use crate::proto::broker::Outgoing;
use crate::proto::broker::bench::Bench;
use std::time::Duration;

fn is_new(bench: &Bench, key: WorkerKey) -> bool {
    bench.workers.get(key).is_some_and(|worker| worker.is_new)
}

/// A bench with a service and a client that is told the roster.
fn bench() -> (Bench, Roster, ServiceKey, ClientKey) {
    let (mut bench, mut roster) = (Bench::empty(), Roster::default());
    let service = bench.services.require(b"s");
    let client = bench.client("c", |hello| hello.roster = true);
    assert!(roster.whole(&mut bench, client).is_some());
    (bench, roster, service, client)
}

fn add(bench: &mut Bench, roster: &mut Roster, service: ServiceKey) -> WorkerKey {
    let name = format!("w{}", bench.workers.len());
    let key = bench.worker(&name, service);
    roster.add(bench, key);
    key
}

#[test]
fn a_worker_begins_when_all_clients_have_heard_of_it() {
    let (mut bench, mut roster, service, client) = bench();
    let worker = add(&mut bench, &mut roster, service);
    assert!(is_new(&bench, worker));
    assert!(matches!(bench.wait(), Some(Timer::Roster)));
    assert!(roster.due(&mut bench).is_empty());
    let sent = bench.sent();
    assert!(matches!(
        &sent[..],
        [(name, Outgoing::Client(ToClient::Roster { entries: Some(_), .. }))] if name == "c"
    ));
    let confirmed = roster.heard(&mut bench, client, 1);
    assert_eq!(confirmed.begin, [worker]);
    assert!(!confirmed.releases && !is_new(&bench, worker));
    assert!(!roster.keeps_back());
    assert_eq!(roster.timer(), None);
}

#[test]
fn a_client_that_does_not_confirm_is_behind_and_holds_up_nobody() {
    let (mut bench, mut roster, service, client) = bench();
    let worker = add(&mut bench, &mut roster, service);
    bench.wait();
    roster.due(&mut bench);
    let told = bench.now;
    bench.wait();
    assert_eq!(bench.now, told + HEAR);
    assert_eq!(roster.due(&mut bench), [worker]);
    assert!(roster.keeps_back());
    let confirmed = roster.heard(&mut bench, client, 1);
    assert!(confirmed.releases && confirmed.begin.is_empty());
    assert!(!roster.keeps_back());
}

/// Else workers that come all the time would keep its requests from those that stay.
#[test]
fn a_client_that_is_behind_goes_on_with_the_workers_of_which_it_has_heard() {
    let (mut bench, mut roster, service, client) = bench();
    add(&mut bench, &mut roster, service);
    bench.wait();
    roster.due(&mut bench);
    bench.wait();
    roster.due(&mut bench);
    add(&mut bench, &mut roster, service);
    bench.wait();
    roster.due(&mut bench);
    let lacks = |bench: &Bench, number| {
        let heard = bench.clients.get(client).and_then(|client| client.heard);
        heard.is_some_and(|heard| heard.lacks(number))
    };
    assert!(lacks(&bench, 1) && lacks(&bench, 2));
    assert!(roster.heard(&mut bench, client, 1).releases);
    assert!(!lacks(&bench, 1) && lacks(&bench, 2));
    assert!(roster.keeps_back());
    assert!(!roster.heard(&mut bench, client, 1).releases);
    assert!(roster.heard(&mut bench, client, 2).releases);
    assert!(!lacks(&bench, 2) && !roster.keeps_back());
}

#[test]
fn what_a_client_cannot_have_heard_of_confirms_nothing() {
    let (mut bench, mut roster, service, client) = bench();
    let worker = add(&mut bench, &mut roster, service);
    bench.wait();
    roster.due(&mut bench);
    for last in [0, 2, u64::MAX] {
        let confirmed = roster.heard(&mut bench, client, last);
        assert!(confirmed.begin.is_empty());
    }
    assert!(is_new(&bench, worker));
}

#[test]
fn without_clients_that_are_told_a_worker_begins_at_once() {
    let (mut bench, mut roster, service, client) = bench();
    let heard = bench.clients.get_mut(client).and_then(|c| c.heard.take());
    assert!(heard.is_some(), "it was told");
    roster.close(&mut bench, heard);
    let worker = add(&mut bench, &mut roster, service);
    assert!(!is_new(&bench, worker));
    assert!(bench.wait().is_none());
}

#[test]
fn the_sum_of_a_service_is_gone_with_its_last_worker() {
    let (mut bench, mut roster, service, _) = bench();
    let workers = [(); 2].map(|()| add(&mut bench, &mut roster, service));
    assert_eq!(roster.sums.len(), 1);
    for key in workers {
        let worker = bench.workers.remove(key).expect("it is there");
        roster.remove(&mut bench, &worker);
    }
    assert_eq!(roster.sums.len(), 0);
    roster.sums.audit(&Sums::default());
}

#[test]
fn many_clients_are_told_of_a_worker_that_comes_and_goes_now_and_then() {
    let (mut bench, mut roster, service, client) = bench();
    for n in 1..1000 {
        let client = bench.client(&format!("c{n}"), |hello| hello.roster = true);
        roster.whole(&mut bench, client);
    }
    let begun = bench.now;
    let mut told = 0;
    while bench.now < begun + Duration::from_secs(1) {
        let worker = add(&mut bench, &mut roster, service);
        let worker = bench.workers.remove(worker).expect("it is new");
        roster.remove(&mut bench, &worker);
        bench.wait();
        roster.due(&mut bench);
        told += bench.sent().len();
        // All of them confirm at once.
        for key in bench.clients.keys() {
            roster.heard(&mut bench, key, worker.number);
        }
        bench.now = bench.now + Duration::from_millis(1);
    }
    assert!((40_000..=51_000).contains(&told), "{told}");
    assert!(roster.heard(&mut bench, client, 1).begin.is_empty());
}
