use super::*;
use crate::proto::broker::Outgoing;
use crate::proto::broker::bench::{Bench, Bytes};
use crate::proto::broker::ready::Line;
use crate::wire::omdp::rids;

/// The ids in the only message to the client; panics if it is another message.
fn named(bench: &mut Bench, expected: fn(Bytes) -> ToClient<Bytes>) -> Vec<String> {
    let sent = bench.sent();
    let [(_, Outgoing::Client(message))] = &sent[..] else {
        panic!("one message: {sent:?}");
    };
    let (ToClient::Parked { rids: frame } | ToClient::Unpark { rids: frame }) = message else {
        panic!("{message:?}");
    };
    assert_eq!(*message, expected(frame.clone()));
    rids(frame)
        .map(|rid| String::from_utf8_lossy(rid).into_owned())
        .collect()
}

fn parked(rids: Bytes) -> ToClient<Bytes> {
    ToClient::Parked { rids }
}

fn unpark(rids: Bytes) -> ToClient<Bytes> {
    ToClient::Unpark { rids }
}

fn frame_of(rids: &[&str]) -> Bytes {
    let mut frames = Vec::new();
    rids_to_frames(rids.iter().map(|rid| rid.as_bytes()), |frame: Bytes| {
        frames.push(frame);
    });
    frames.concat()
}

/// A service without a worker, and a client with two requests for it.
fn two_that_wait() -> (Bench, Parking, ServiceKey, ClientKey, [RequestKey; 2]) {
    let (mut bench, mut parking) = (Bench::empty(), Parking::default());
    let service = bench.services.require(b"s");
    let client = bench.client("c", |hello| hello.parks = true);
    let keys = ["1", "2"].map(|rid| bench.request(client, rid, service));
    for key in keys {
        parking.watch(&mut bench, key);
    }
    (bench, parking, service, client, keys)
}

#[test]
fn without_a_worker_requests_are_parked_at_the_end_of_their_turn() {
    let (mut bench, mut parking, service, _, keys) = two_that_wait();
    let now = bench.now;
    assert!(matches!(bench.wait(), Some(Timer::Parking)));
    assert_eq!(bench.now, now);
    assert_eq!(parking.due(&mut bench), [service]);
    assert_eq!(named(&mut bench, parked), ["1", "2"]);
    assert_eq!(bench.requests.park(keys[0]), Some(ParkState::Parked));
    assert_eq!(parking.timer(), None);
}

#[test]
fn behind_busy_workers_a_request_is_parked_after_a_while_and_asked_for_when_its_turn_comes() {
    let (mut bench, mut parking) = (Bench::empty(), Parking::default());
    let service = bench.services.require(b"s");
    let worker = bench.worker("w", service);
    let position = bench
        .workers
        .get_mut(worker)
        .and_then(|w| w.position.take());
    bench
        .services
        .leave_line(service, position.expect("it is idle"));
    let client = bench.client("c", |hello| hello.parks = true);
    let key = bench.request(client, "1", service);
    let begin = bench.now;
    parking.watch(&mut bench, key);
    assert!(matches!(bench.wait(), Some(Timer::Parking)));
    assert_eq!(bench.now, begin + PARK);
    assert_eq!(parking.due(&mut bench), [service]);
    assert_eq!(named(&mut bench, parked), ["1"]);

    let Context {
        services, requests, ..
    } = &mut bench;
    services.line_up(service, Line::Idle, worker, requests);
    assert!(!parking.ask_ahead(&mut bench, service, &mut 9));
    assert_eq!(named(&mut bench, unpark), ["1"]);
    assert!(!bench.requests.park(key).is_some_and(ParkState::may_start));
    let released = parking.release(&mut bench, client, &frame_of(&["1", "2"]));
    assert_eq!(released.services, [service]);
    assert!(released.back.is_empty());
    assert!(bench.requests.park(key).is_some_and(ParkState::may_start));
}

#[test]
fn a_client_that_does_not_answer_delays_others_once() {
    let (mut bench, mut parking, service, client, keys) = two_that_wait();
    bench.wait();
    parking.due(&mut bench);
    bench.sent();
    bench.worker("w", service);
    parking.ask_ahead(&mut bench, service, &mut 9);
    let asked = named(&mut bench, unpark);
    assert_eq!(asked.first().map(|rid| &**rid), Some("1"));
    bench.wait();
    assert_eq!(parking.due(&mut bench), [service]);
    assert_eq!(bench.requests.park(keys[0]), None);
    assert!(bench.clients.get(client).is_some_and(|c| c.did_not_release));
    let released = parking.release(&mut bench, client, &frame_of(&["1"]));
    assert_eq!(released.back, [keys[0]]);
    assert!(
        bench
            .clients
            .get(client)
            .is_some_and(|c| !c.did_not_release)
    );
}

#[test]
fn only_clients_that_support_it_have_their_requests_parked() {
    let (mut bench, mut parking) = (Bench::empty(), Parking::default());
    let service = bench.services.require(b"s");
    let client = bench.client("c", |hello| hello.parks = false);
    let key = bench.request(client, "1", service);
    parking.watch(&mut bench, key);
    assert!(bench.wait().is_none());
}
