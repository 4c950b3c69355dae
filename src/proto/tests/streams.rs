//! Requests with streams: bytes under way, the end of either side, and continuation without gaps after any break.

use super::net::*;
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::proto::flow::{OVERHEAD, WINDOW};
use crate::wire::Body;
use crate::wire::omdp::{ClientMessage, Need};

mod breaks;

/// The cost of a part; all parts differ.
const COST: u32 = 100;

/// Number of parts under way; the last one may exceed the window.
const IN_WINDOW: usize = WINDOW.div_ceil(COST) as usize;

/// Number of parts in several windows.
const LONG: usize = 10 * IN_WINDOW;

fn part(n: usize) -> Body<Vec<u8>> {
    let len = (COST - OVERHEAD) as usize;
    Body::binary(format!("{n:0len$}").into_bytes())
}

fn parts(count: usize) -> Vec<Body<Vec<u8>>> {
    (0..count).map(part).collect()
}

fn upload(net: &mut Net, c: Id<ClientActor>, count: usize, timeout: Option<u64>) -> u64 {
    let terms = Terms::from(timeout.map(ms));
    net.act(c, |client, now| {
        client.ask_stream(now, "echo", parts(count), terms)
    })
}

/// All parts of the only stream that this worker received.
fn got(net: &mut Net, w: Id<WorkerActor>) -> Vec<Body<Vec<u8>>> {
    let inflows = net.act(w, |worker, _| std::mem::take(&mut worker.inflows));
    assert!(inflows.len() <= 1);
    inflows
        .into_values()
        .flat_map(|inflow| inflow.parts)
        .collect()
}

#[test]
fn all_of_it_arrives_in_order_and_the_end_too() {
    for count in [0, 1, IN_WINDOW - 1, IN_WINDOW, IN_WINDOW + 1, LONG] {
        let (mut net, b, w, c) = trio();
        let r = upload(&mut net, c, count, Some(5000));
        net.run(secs(3));
        assert_eq!(net.end(c, r), done(&count.to_string()));
        assert_eq!(got(&mut net, w), parts(count));
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn a_reader_that_waits_holds_its_client_back() {
    let (mut net, _, w, c) = trio();
    net.act(w, |worker, _| worker.reads = false);
    let r = upload(&mut net, c, LONG, None);
    net.run(secs(5));
    // Nothing is sent before the worker begins to read.
    assert_eq!(net[c].sources[&r].given, 0);
    net.act(w, |worker, _| worker.machine.read(1, 0));
    net.run(secs(5));
    assert_eq!(net[w].inflows[&1].parts.len(), IN_WINDOW);
    assert_eq!(net[c].sources[&r].given, IN_WINDOW);
    net.act(w, |worker, _| worker.set_reading(true));
    net.run(secs(5));
    assert_eq!(net.end(c, r), done(&LONG.to_string()));
    assert_eq!(got(&mut net, w), parts(LONG));
}

#[test]
fn parts_of_any_size_pass_one_at_a_time() {
    let (mut net, _, w, c) = trio();
    let large = |n: u8| Body::binary(vec![n; 3 * WINDOW as usize]);
    let all: Vec<_> = (0..5).map(large).collect();
    let given = all.clone();
    let r = net.act(c, |client, now| {
        client.ask_stream(now, "echo", given, Terms::default())
    });
    net.run(secs(3));
    assert_eq!(net.end(c, r), done("5"));
    assert_eq!(got(&mut net, w), all);
}

#[test]
fn a_stream_and_a_stream_of_replies_at_once() {
    let (mut net, _, w, c) = trio();
    net.act(w, |worker, _| worker.answers_early = true);
    net.serve(w, |_| Job {
        end: None,
        ..Job::endless().parts(LONG).every(ms(1))
    });
    let r = upload(&mut net, c, LONG, Some(5000));
    net.run(secs(5));
    assert_eq!(net.seen(c, r).partials.len(), LONG);
    assert_eq!(got(&mut net, w), parts(LONG));
}

#[test]
fn a_handler_that_has_enough_stops_the_stream_and_goes_on() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = upload(&mut net, c, LONG, None);
    net.run_until(secs(3), |net| {
        net[w]
            .inflows
            .get(&1)
            .is_some_and(|inflow| inflow.parts.len() > 3)
    });
    net.act(w, |worker, _| worker.machine.enough(1));
    net.run(secs(1));
    let given = net[c].sources[&r].given;
    assert!(net[c].sources[&r].enough && given < LONG);
    net.run(secs(1));
    assert_eq!(net[c].sources[&r].given, given);
    assert_eq!(net.end(c, r), None);
    net.act(w, |worker, now| {
        worker.end(now, 1, Outcome::Final(json("\"enough\"")));
    });
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("\"enough\""));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn an_answer_that_comes_early_ends_the_request() {
    let (mut net, b, w, c) = trio();
    net.act(w, |worker, _| worker.answers_early = true);
    net.serve(w, |body| Job::echo(body).every(ms(5)));
    let r = upload(&mut net, c, LONG, None);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done(""));
    assert!(net[c].sources[&r].given < LONG);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    assert_eq!(net[w].faults.len() + net[c].faults.len(), 0);
}

#[test]
fn a_client_that_gives_up_cancels_it() {
    let (mut net, b, w, c) = trio();
    let r = net.act(c, |client, now| {
        let id = client.ask_stream(now, "echo", parts(3), Terms::default());
        client.sources.get_mut(&id).unwrap().goes_on = true;
        id
    });
    net.run(secs(1));
    assert_eq!(net[w].inflows[&1].parts.len(), 3);
    net.act(c, |client, _| client.cancel(r));
    net.run(secs(1));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

/// Each part is a sign of life in both directions; a longer pause of the source is a timeout.
#[test]
fn the_timeout_is_between_signs_of_life() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = net.act(c, |client, now| {
        let id = client.ask_stream(now, "echo", Vec::new(), Terms::from(Some(ms(1000))));
        client.sources.get_mut(&id).unwrap().goes_on = true;
        id
    });
    for n in 0..10 {
        net.run(ms(700));
        net.act(c, |client, now| {
            client.sources.get_mut(&r).unwrap().parts.push_back(part(n));
            client.feed(now, r);
        });
    }
    net.run(ms(700));
    assert_eq!(net.end(c, r), None);
    net.run(ms(700));
    assert_eq!(net.end(c, r), failed("C_TIMEOUT"));
    assert_eq!(net[w].inflows[&1].parts.len(), 10);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn it_waits_for_a_worker_and_is_given_back_as_any_other() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = upload(&mut net, c, 30, None);
    let second = upload(&mut net, c, 30, None);
    net.run(secs(1));
    let w = net.worker_with(b, "echo", |config| config.prefetch = 10);
    net.act(w, |worker, _| worker.reads = false);
    net.run(secs(1));
    net.act(w, |worker, _| worker.set_reading(true));
    net.run(secs(3));
    assert_eq!(net.end(c, first), done("30"));
    // The second was not read, so it reached the next delivery complete.
    assert_eq!(net.end(c, second), done("30"));
}

#[test]
fn a_worker_that_dies_ends_it_and_retry_is_of_no_use() {
    let (mut net, b, w, c) = trio();
    let other = net.worker(b, "echo");
    let terms = Terms {
        retry: 3,
        ..Terms::default()
    };
    let r = net.act(c, |client, now| {
        let id = client.ask_stream(now, "echo", parts(3), terms);
        client.sources.get_mut(&id).unwrap().goes_on = true;
        id
    });
    net.run(secs(1));
    let has = |net: &mut Net, w: Id<WorkerActor>| !net[w].inflows.is_empty();
    let holder = if has(&mut net, w) { w } else { other };
    net.kill(holder);
    net.run(secs(20));
    assert_eq!(net.end(c, r), failed("W_LOST"));
}

#[test]
fn a_peer_that_does_not_support_streams_is_never_given_one() {
    let mut net = Net::new();
    let b = net.broker();
    let old = net.old_worker(b, "echo");
    let c = net.client(b);
    let r = upload(&mut net, c, 3, None);
    net.run(secs(1));
    assert_eq!(net.end(c, r), failed("W_NO_STREAMS"));
    assert_eq!(net[c].sources[&r].given, 0);
    assert_eq!(net.started(old).len(), 0);
    // The worker is free for others.
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));

    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    let r = upload(&mut net, c, 3, None);
    let plain = net.request(c, "echo", "1");
    net.run(secs(10));
    assert_eq!(net.end(c, r), failed("W_NO_STREAMS"));
    assert_eq!(net.end(c, plain), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

#[test]
fn a_broker_of_1_x_without_streams_is_known_by_its_hello() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    net.run(ms(500));
    net.tell(
        b,
        "C1",
        r#"C|1|{"omdp":1,"heartbeat":2500,"liveness":3,"flow":1}"#,
    );
    net.run(ms(100));
    net.take(b);
    let r = upload(&mut net, c, 3, None);
    net.run(ms(100));
    assert_eq!(net.end(c, r), failed("W_NO_STREAMS"));
    assert_eq!(net.take(b), Vec::<String>::new());
}

/// A client that sends chunks without a NEED loses the request, and the worker receives none of them.
#[test]
fn a_client_can_flood_nobody() {
    let (mut net, b, w, c) = trio();
    net.act(w, |worker, _| worker.reads = false);
    let r = upload(&mut net, c, 0, None);
    net.run(secs(1));
    let name = b"C2".to_vec();
    let rid = net.act(c, |client, _| client.machine.rid_for_test(r));
    let chunk = |at: u64| {
        let mut frames = Vec::new();
        ClientMessage::Chunk {
            rid: rid.clone(),
            body: part(0),
            at,
            last: false,
        }
        .encode(&mut frames);
        frames
    };
    net.act(c, |client, _| {
        client.sources.get_mut(&r).unwrap().goes_on = true
    });
    // Before NEED it is dropped; beyond the window it ends the request.
    net.act(b, |broker, now| {
        broker.machine.handle_message(now, &name, &mut chunk(0));
    });
    net.run(ms(500));
    assert_eq!(net[w].inflows[&1].parts.len(), 0);
    assert_eq!(net.end(c, r), None);
    net.act(w, |worker, _| worker.machine.read(1, 0));
    net.run(ms(500));
    for n in 0..=IN_WINDOW {
        let at = u64::from(COST) * n as u64;
        net.act(b, |broker, now| {
            broker.machine.handle_message(now, &name, &mut chunk(at));
        });
    }
    net.run(ms(500));
    assert_eq!(net[w].inflows[&1].parts.len(), IN_WINDOW);
    assert_eq!(net.end(c, r), failed("C_ABORTED"));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
}

/// A worker that sends an invalid NEED only loses its own request.
#[test]
fn nonsense_about_a_stream_ends_it() {
    let (mut net, _, w, c) = trio();
    net.act(w, |worker, _| worker.reads = false);
    let r = upload(&mut net, c, 3, None);
    let plain = net.request(c, "other", "1");
    net.run(secs(1));
    net.act(w, |worker, _| {
        worker.machine.say_need_for_test(
            1,
            Need {
                have: 17,
                limit: 5,
                again: true,
                enough: false,
            },
        );
    });
    net.run(secs(1));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(net[c].faults.len(), 1);
    assert_eq!(net.end(c, plain), None);
}
