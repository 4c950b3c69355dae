//! Forms of bodies and error values between 1.x and 0.0.92 peers.

use super::net::*;
use crate::wire::Body;

fn binary(bytes: &[u8]) -> Body<Vec<u8>> {
    Body::binary(bytes.to_vec())
}

/// The outcome of a request: the body at the worker, the partials at the client, and the end.
type Outcome = (Body<Vec<u8>>, Vec<Body<Vec<u8>>>, Option<End>);

/// One request with this body through peers of these ages.
fn round(
    [old_broker, old_worker, old_client]: [bool; 3],
    body: Body<Vec<u8>>,
    job: impl Fn(&Body<Vec<u8>>) -> Job + 'static,
) -> Outcome {
    let mut net = Net::new();
    let b = match old_broker {
        true => net.old_broker().any(),
        false => net.broker().any(),
    };
    let w = match old_worker {
        true => net.old_worker(b, "echo").any(),
        false => net.worker(b, "echo").any(),
    };
    let c = match old_client {
        true => net.old_client(b).any(),
        false => net.client(b).any(),
    };
    net.serve(w, job);
    net.run(ms(100));
    let r = net.request_with(c, "echo", body, Some(1000));
    net.run(secs(5));
    let got = net.bodies(w).into_iter().next().expect("it was asked");
    let seen = net.seen(c, r);
    (got, seen.partials.clone(), seen.end.clone())
}

const NEW: [bool; 3] = [false; 3];

/// All combinations except three 1.x peers.
fn with_an_old_one() -> impl Iterator<Item = [bool; 3]> {
    (1..8).map(|n| [n & 1 != 0, n & 2 != 0, n & 4 != 0])
}

#[test]
fn bytes_stay_bytes_between_new_peers() {
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"", b"null", b"0"] {
        let (got, partials, end) = round(NEW, binary(bytes), |body| Job {
            partials: vec![body.clone()],
            ..Job::echo(body)
        });
        assert_eq!(got, binary(bytes));
        assert_eq!(partials, [binary(bytes)]);
        assert_eq!(end, Some(End::Final(binary(bytes))));
    }
}

#[test]
fn between_new_and_old_bytes_take_the_form_that_node_gives_them() {
    let form = json(r#"{"type":"Buffer","data":[0,255]}"#);
    for ages in with_an_old_one() {
        let (got, partials, end) = round(ages, binary(&[0, 255]), |_| Job {
            partials: vec![binary(&[0, 255])],
            ..Job::echo(&binary(&[0, 255]))
        });
        assert_eq!(got, form, "{ages:?}");
        assert_eq!(partials[..], [got], "{ages:?}");
        assert_eq!(end, Some(End::Final(form.clone())), "{ages:?}");
    }
}

#[test]
fn an_error_is_the_value_that_the_worker_gave() {
    for value in [
        "0",
        "-0.0",
        "1",
        "\"\"",
        "\"0\"",
        "false",
        "null",
        "{\"a\":[1]}",
        "\"W_LOST\"",
    ] {
        let (.., end) = round(NEW, json("1"), |_| Job::error(value));
        assert_eq!(end, error(value));
    }
}

/// 0.0.92 treats every value that coerces to zero as success.
#[test]
fn an_error_of_zero_is_an_error_for_old_peers_too() {
    for ages in with_an_old_one() {
        let [old_broker, old_worker, old_client] = ages;
        if old_worker && (old_broker || old_client) {
            continue; // No peer of 1.0 between them can convert the value.
        }
        let (.., end) = round(ages, json("1"), |_| Job::error("0"));
        let expected = match old_broker || old_client {
            true => "\"0\"",
            false => "0",
        };
        assert_eq!(end, error(expected), "{ages:?}");
    }
}

#[test]
fn an_old_worker_behind_our_broker_may_fail_with_zero() {
    for old_client in [false, true] {
        let (.., end) = round([false, true, old_client], json("1"), |_| Job::error("0"));
        let expected = if old_client { "\"0\"" } else { "0" };
        assert_eq!(end, error(expected));
    }
}

/// A null partial ends the stream of a 0.0.92 client before its final, which crashes the client.
#[test]
fn a_null_partial_reaches_new_clients_alone() {
    let job = |_: &Body<Vec<u8>>| Job {
        partials: vec![json("1"), json("null"), json("2")],
        ..Job::echo(&json("null"))
    };
    let (_, partials, end) = round(NEW, json("null"), job);
    assert_eq!(partials, [json("1"), json("null"), json("2")]);
    assert_eq!(end, done("null"));
    for ages in [
        [false, false, true],
        [false, true, true],
        [true, false, true],
    ] {
        let (_, partials, end) = round(ages, json("null"), job);
        assert_eq!(partials, [json("1"), json("2")], "{ages:?}");
        assert_eq!(end, done("null"), "{ages:?}");
    }
}

#[test]
fn a_suppressed_partial_is_a_sign_of_life_nevertheless() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job {
        partials: vec![json("null"); 4],
        ..Job::echo(body).every(ms(900))
    });
    let raw = net.raw(b, b"raw");
    net.say(raw, r#"C|2|echo|r|1|{"timeout":1000}"#);
    net.run(secs(10));
    assert_eq!(net.take(raw), ["C|3|r|0|1"]);
}

#[test]
fn the_options_reach_the_handler_through_a_broker_of_ours() {
    let (mut net, b, w, c) = trio();
    let old = net.old_client(b);
    net.run(ms(10));
    net.request_with(c, "echo", json("1"), Some(7));
    net.request_with(old, "echo", json("1"), Some(8));
    let raw = net.raw(b, b"raw");
    net.say(raw, "C|2|echo|r|1");
    net.run(ms(10));
    let opts: Vec<_> = net[w]
        .deliveries
        .iter()
        .map(|(_, opts)| opts.clone())
        .collect();
    let json = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(
        opts,
        [json(r#"{"timeout":7}"#), json(r#"{"timeout":8}"#), json("")]
    );
}

#[test]
fn the_options_of_an_old_client_say_its_timeout() {
    for (opts, ms_to_wait) in [
        (r#"{"timeout":50}"#, Some(50)),
        (r#"{"timeout":49.5}"#, Some(50)),
        (r#"{"timeout":0}"#, Some(60_000)),
        (r#"{"timeout":"50"}"#, Some(60_000)),
        (r#"{"timeout":-1}"#, None),
        ("{}", Some(60_000)),
        ("null", Some(60_000)),
        ("not json", Some(60_000)),
        ("[]", Some(60_000)),
    ] {
        let mut net = Net::new();
        let b = net.broker();
        let raw = net.raw(b, b"raw");
        net.say(raw, &format!("C|2|echo|r|1|{opts}"));
        net.run(ms(2));
        let expected = ms_to_wait.map(|wait| at(2) + ms(wait));
        assert_eq!(net[b].machine.next_deadline(), expected, "{opts}");
    }
}
