//! How long the broker works on one message at most. `cargo test --lib longest -- --ignored --nocapture` prints the times
//! on this machine.

use super::net::*;
use crate::wire::sizes::{MAX_BODY_FRAMES, MAX_LIST};
use std::time::{Duration, Instant};

const HELLO: &str = r#"{"concurrency":-1,"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"packed":true,"session":"s"}"#;

const MIB: usize = 1 << 20;

/// The shortest time of some runs, since a test may be interrupted.
const RUNS: usize = 3;

fn frames(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// How long the broker takes for this message, and for the encoding of what it sends because of it.
#[expect(
    clippy::disallowed_methods,
    reason = "the times of this machine are what it measures"
)]
fn time(net: &mut Net, b: Id<BrokerActor>, from: &str, mut message: Vec<Vec<u8>>) -> Duration {
    net.act(b, |broker, now| {
        let begun = Instant::now();
        broker
            .machine
            .handle_message(now, from.as_bytes(), &mut message);
        for transmit in broker.machine.drain_transmits() {
            let mut frames: Vec<Vec<u8>> = Vec::new();
            transmit.encode(&mut frames);
        }
        begun.elapsed()
    })
}

struct Case {
    name: &'static str,
    /// What precedes the message: who sends what.
    before: Vec<(&'static str, Vec<Vec<u8>>)>,
    from: &'static str,
    message: Vec<Vec<u8>>,
}

fn case(
    name: &'static str,
    before: &[(&'static str, &[&str])],
    (from, message): (&'static str, &[&str]),
) -> Case {
    let before = before.iter().map(|&(from, texts)| (from, frames(texts)));
    Case {
        name,
        before: before.collect(),
        from,
        message: frames(message),
    }
}

const EXT: &str = "\0\u{7f}\u{7f}\u{7f}\u{7f}";

fn cases() -> Vec<Case> {
    let mdp: (&str, &[&str]) = ("M", &["MDPW02", "\u{1}", "s"]);
    let strings = format!("[{}\"b\"]", "\"a\",".repeat(MIB / 4));
    let short = format!(
        "[{}\"b\"]",
        format!("\"{}\",", "a".repeat(1000)).repeat(1000)
    );
    let bytes = format!(
        "{{\"type\":\"Buffer\",\"data\":[{}1]}}",
        "255,".repeat(MIB / 4)
    );
    let text = format!("\"{}\"", "\\n".repeat(MIB / 2));
    let many = vec!["1"; MAX_BODY_FRAMES];
    let of_many: Vec<&str> = ["MDPC02", "\u{1}", "s"].into_iter().chain(many).collect();
    let large = "a ".repeat(MIB / 2);
    let list = "\0\u{2}ab".repeat(MAX_LIST / 4);
    let client: (&str, &[&str]) = ("C", &["C", "1", HELLO]);
    let worker: (&str, &[&str]) = ("W", &["W", "1", "s", HELLO]);
    vec![
        case(
            "1 MiB of short strings to MDP",
            &[mdp],
            ("O", &["C", "2", "s", "r", &strings, "{}"]),
        ),
        case(
            "1000 strings of 1 kB to MDP",
            &[mdp],
            ("O", &["C", "2", "s", "r", &short, "{}"]),
        ),
        case(
            "1 MiB of a Buffer as JSON to MDP",
            &[mdp],
            ("O", &["C", "2", "s", "r", &bytes, "{}"]),
        ),
        case(
            "1 MiB of a string to MDP",
            &[mdp],
            ("O", &["C", "2", "s", "r", &text, "{}"]),
        ),
        case("16368 frames from MDP to OMDP", &[worker], ("P", &of_many)),
        case(
            "1 MiB of text from MDP to OMDP",
            &[worker],
            ("P", &["MDPC02", "\u{1}", "s", &large]),
        ),
        case(
            "32 KiB of request ids in a list",
            &[client],
            ("C", &["C", "16", &list]),
        ),
        case(
            "32 KiB of tokens in a RETURN",
            &[worker],
            ("W", &["W", "7", &"\0".repeat(MAX_LIST)]),
        ),
        case(
            "a request of 1 MiB",
            &[client, worker],
            ("C", &["C", "2", "s", "r", &strings, "{}", EXT]),
        ),
    ]
}

#[test]
#[ignore = "prints times"]
fn times() {
    for n in 0..cases().len() {
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            let mut net = Net::new();
            let b = net.broker();
            let case = cases().swap_remove(n);
            for (from, message) in case.before {
                time(&mut net, b, from, message);
            }
            best = best.min(time(&mut net, b, case.from, case.message));
        }
        println!("{:40} {best:>10.0?}", cases()[n].name);
    }
}
