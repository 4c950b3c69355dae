//! Malformed, random and mutated messages, from unknown and known peers: they are counted and
//! dropped, nothing crashes, and the service goes on.

use super::net::texts::{FIRST_TOKEN, number, request_with, token};
use super::net::*;
use crate::proto::machine::Machine;
use crate::wire::ext::{RequestData, RequestExt, TokenExt};

const ROUNDS: usize = 3_000;

/// Valid or nearly valid messages for each receiver. The names are those of the scene.
const MODELS: [&str; 20] = [
    "W|1|echo2",
    r#"W|1|echo2|{"concurrency":3,"heartbeat":2500,"liveness":3,"omdp":1,"prefetch":9,"session":"s"}"#,
    r#"W|1|{"heartbeat":1,"liveness":1,"omdp":1}"#,
    "W|2|C2|c2.0-1|1",
    "W|3|C2|c2.0-1|0|1",
    "W|3|C2|c2.0-1|\"bad\"",
    "W|6|C2|c2.0-1|0|1",
    "W|4",
    "W|4|C2|c2.0-1",
    "W|5",
    r#"C|1|{"heartbeat":2147483647,"liveness":1000,"omdp":1,"session":"t"}"#,
    r#"C|2|echo|c2.0-1|1|{"timeout":60000}"#,
    "C|3|c2.0-1|0|1",
    "C|3|c2.0-1|\"W_LOST\"|∅|\u{c}",
    "C|6|c2.0-1|0|1|\u{1}",
    "C|4",
    "C|4|c2.0-1",
    "C|5",
    "C|8|c2.0-1",
    "C|8|c2.0-1|T",
];

/// Those with frames of a binary layout.
fn extended() -> [String; 7] {
    let ext = texts::REQUEST;
    let binary = RequestExt {
        data: RequestData::BufferAsJson,
        ..ext
    };
    let error = TokenExt {
        binary: false,
        error: true,
        own: false,
        token: FIRST_TOKEN,
        pace: None,
    };
    [
        format!("W|2|C2|c2.0-1|1|{{}}|{}", token(1)),
        format!("W|3|C2|c2.0-1|0|1|{}", token(FIRST_TOKEN)),
        format!("W|3|C2|c2.0-1|0|∅|{}", texts::text(error.to_frame())),
        format!("W|8|{}", number(FIRST_TOKEN)),
        format!("W|9|{}{}", number(FIRST_TOKEN), number(2 * FIRST_TOKEN + 1)),
        request_with("echo2", "r", "1", ext),
        request_with("echo", "r2", "[]", binary),
    ]
}

fn model(rng: &mut Rng) -> Frames {
    let picked = rng.below(MODELS.len() + extended().len());
    let mut message = match MODELS.get(picked) {
        Some(text) => frames(text),
        None => frames(&extended()[picked - MODELS.len()]),
    };
    // So that some name existing requests.
    if let Some(frame) = message.iter_mut().find(|frame| frame.starts_with(b"c2.0-")) {
        *frame = format!("c2.0-{}", rng.below(ROUNDS)).into_bytes();
    }
    message
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let len = *rng.pick(&[0, 1, 1, 2, 5, 8, 9, 40, 2000]);
    (0..len).map(|_| rng.next() as u8).collect()
}

fn garbage(rng: &mut Rng) -> Frames {
    if rng.percent(10) {
        return (0..rng.below(9)).map(|_| noise(rng)).collect();
    }
    let mut message = model(rng);
    for _ in 0..rng.below(4) {
        let at = rng.below(message.len().max(1));
        match rng.below(7) {
            0 if !message.is_empty() => drop(message.remove(at)),
            1 => message.insert(at, noise(rng)),
            2 => message.truncate(at),
            3 => message.push(noise(rng)),
            4 if !message.is_empty() => message.swap(0, at),
            5 => message.extend(model(rng)),
            _ => {
                if let Some(byte) = message.get_mut(at).and_then(|frame| frame.first_mut()) {
                    *byte ^= 1 << rng.below(8);
                }
            }
        }
    }
    message
}

/// A connected broker, worker and client.
fn scene(seed: u64) -> (Net, Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>) {
    let mut net = Net::seeded(seed);
    net.set_latency(10, 200);
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.run(ms(10));
    (net, b, w, c)
}

#[test]
fn messages_that_crashed_the_broker_of_0_0_92_are_counted_and_dropped() {
    let (mut net, b, _, c) = scene(1);
    let raw = net.raw(b, b"raw");
    let messages = [
        "C",
        "W",
        "∅",
        "X|1",
        "W|1",
        "W|1|∅",
        "W|3",
        "W|3|C2",
        "W|3|C2|c2.0-0",
        "W|6|C2|c2.0-0|0",
        "W|3|∅|∅|0|1",
        "C|2",
        "C|2|echo",
        "C|2|echo|r",
        "C|2|∅|r|1",
        "C|2|echo|∅|1",
        "C|7",
        "W|7",
        "C|2|echo|r|1|{}|bad extension",
        "C|8",
        "C|8|∅",
        "C|1",
        "C|1|nonsense",
    ];
    for text in messages {
        net.say(raw, text);
    }
    net.act(raw, |raw, _| raw.say(Vec::new()));
    net.run(ms(100));
    let bad = net[b].bad_messages();
    let bad = bad.iter().filter(|(peer, _)| *peer == b"raw");
    assert_eq!(bad.count(), messages.len() + 1);
    assert_eq!(net.take(raw), [""; 0]);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
}

#[test]
fn options_that_are_no_json_are_no_options() {
    let (mut net, b, ..) = scene(2);
    let raw = net.raw(b, b"raw");
    net.say(raw, "C|2|echo|r|1|{broken");
    net.run(ms(100));
    assert_eq!(net.take(raw), ["C|3|r|0|1"]);
}

#[test]
fn a_flood_of_garbage_from_strangers_costs_nobody_a_request() {
    for seed in 0..5 {
        let (mut net, b, w, c) = scene(seed);
        let strangers: Vec<_> = (0..5u8).map(|n| net.raw(b, &[n, 0xff])).collect();
        net.run(ms(10));
        for _ in 0..ROUNDS {
            let stranger = *net.rng.pick(&strangers);
            let message = garbage(&mut net.rng);
            net.act(stranger, |raw, _| raw.say(message));
            net.run(ms(1));
            if net.rng.percent(2) {
                assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
            }
        }
        assert_eq!((net[w].news.len(), net[c].news.len()), (1, 1));
        for stranger in strangers {
            net.kill(stranger);
        }
        // Peers that looked like clients of 0.0.92 are kept for four intervals.
        net.run(secs(61));
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

/// Only their own links suffer, and they can start over.
#[test]
fn a_broker_survives_real_peers_gone_mad() {
    for seed in 0..20 {
        let (mut net, b, w, c) = scene(seed);
        let sane = net.client(b);
        let other = net.worker(b, "other");
        net.impersonate(c);
        net.run(ms(10));
        for _ in 0..ROUNDS {
            let from = *net.rng.pick(&[b"W1", b"C2"]);
            let mut message = garbage(&mut net.rng);
            net.act(b, |broker, now| {
                broker.machine.handle_message(now, from, &mut message)
            });
            if net.rng.percent(5) {
                net.request_with(c, "echo", json("1"), Some(100));
            }
            if net.rng.percent(2) {
                assert_eq!(net.call(sane, "other", "1"), End::Final(json("1")));
            }
            net.run(ms(1));
        }
        net.restart(w);
        net.restart(c);
        net.run(ms(500));
        assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
        for client in [c, sane] {
            net.act(client, |client, _| client.stop());
        }
        for worker in [w, other] {
            net.act(worker, |worker, now| worker.machine.stop(now, None));
        }
        // Peers that looked like clients of 0.0.92 are kept for four intervals.
        net.run(secs(61));
        assert_eq!(net[b].machine.load(), [0; 4]);
        assert_eq!(net[b].machine.next_deadline(), None);
    }
}

#[test]
fn worker_and_client_survive_a_broker_gone_mad() {
    for seed in 0..5 {
        let (mut net, b, w, c) = scene(seed);
        for _ in 0..ROUNDS {
            let mut message = garbage(&mut net.rng);
            if net.rng.percent(50) {
                net.act(w, |worker, now| {
                    worker.machine.handle_message(0, now, &mut message)
                });
            } else {
                net.act(c, |client, now| {
                    client.machine.handle_message(0, now, &mut message)
                });
            }
            if net.rng.percent(10) {
                net.request_with(c, "echo", json("1"), Some(500));
            }
            net.run(ms(3));
        }
        assert!(!net[w].faults.is_empty() && !net[c].faults.is_empty());
        // A forged heartbeat of 2^31 ms in a welcome is valid until its connection ends.
        net.cut(w, &[Side::Dealer, Side::Broker]);
        net.cut(c, &[Side::Dealer, Side::Broker]);
        net.run(secs(1));
        assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
        assert_eq!(net[w].machine.outstanding(), 0);
        assert_eq!(net[c].machine.outstanding(), 0);
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}
