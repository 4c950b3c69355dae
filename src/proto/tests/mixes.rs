//! The eight combinations of 1.x and 0.0.92 peers in the three roles.

use super::net::*;

/// The requests to the peers of one combination.
struct Mix {
    net: Net,
    worker: Id<()>,
    client: Id<()>,
    name: String,
}

fn each_mix(mut test: impl FnMut(Mix)) {
    for n in 0..8 {
        let [broker, worker, client] = [n & 1 != 0, n & 2 != 0, n & 4 != 0];
        let mut net = Net::seeded(n);
        let b = match broker {
            true => net.old_broker().any(),
            false => net.broker().any(),
        };
        let worker_id = match worker {
            true => net.old_worker(b, "echo").any(),
            false => net.worker(b, "echo").any(),
        };
        let client_id = match client {
            true => net.old_client(b).any(),
            false => net.client(b).any(),
        };
        net.run(ms(100));
        let age = |old| if old { "old" } else { "new" };
        test(Mix {
            net,
            worker: worker_id,
            client: client_id,
            name: [age(broker), age(worker), age(client)].join(" "),
        });
    }
}

#[test]
fn echo_of_every_json_value() {
    let long = format!("\"{}\"", "x".repeat(300_000));
    let values = [
        "1",
        "0",
        "-1.5e300",
        "true",
        "false",
        "null",
        "\"\"",
        "\"foo\"",
        "\"żółć 漢字 \u{1f600}\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":null}]]",
        "\"0\"",
        "\"null\"",
        &long,
    ];
    each_mix(
        |Mix {
             mut net,
             client,
             name,
             ..
         }| {
            for value in values {
                assert_eq!(
                    net.call(client, "echo", value),
                    End::Final(json(value)),
                    "{name}"
                );
            }
        },
    );
}

#[test]
fn five_hundred_partials_in_order() {
    each_mix(|mix| {
        let Mix {
            mut net,
            worker,
            client,
            name,
        } = mix;
        net.serve(worker, |body| Job::echo(body).parts(500));
        let r = net.request(client, "echo", "\"end\"");
        net.run(secs(10));
        let expected: Vec<_> = (0..500).map(|n| json(&n.to_string())).collect();
        assert_eq!(net.seen(client, r).partials, expected, "{name}");
        assert_eq!(net.end(client, r), done("\"end\""), "{name}");
    });
}

#[test]
fn error_values() {
    each_mix(|mix| {
        let Mix {
            mut net,
            worker,
            client,
            name,
        } = mix;
        for value in ["\"bad\"", "1", "{\"code\":7}", "[null]", "true"] {
            net.serve(worker, move |_| Job::error(value));
            let r = net.request(client, "echo", "1");
            net.run(ms(700));
            assert_eq!(net.end(client, r), error(value), "{name}");
        }
    });
}

#[test]
fn an_error_after_partials() {
    each_mix(|mix| {
        let Mix {
            mut net,
            worker,
            client,
            name,
        } = mix;
        net.serve(worker, |_| Job::error("\"bad\"").parts(3).every(ms(5)));
        let r = net.request(client, "echo", "1");
        net.run(secs(1));
        assert_eq!(net.seen(client, r).partials.len(), 3, "{name}");
        assert_eq!(net.end(client, r), error("\"bad\""), "{name}");
    });
}

#[test]
fn two_hundred_requests_at_once() {
    each_mix(|mix| {
        let Mix {
            mut net,
            worker,
            client,
            name,
        } = mix;
        let texts: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let requests: Vec<u64> = texts
            .iter()
            .map(|text| net.request(client, "echo", text))
            .collect();
        net.run(secs(20));
        assert_eq!(net.started(worker), texts, "{name}");
        for (r, text) in requests.into_iter().zip(&texts) {
            assert_eq!(net.end(client, r), done(text), "{name}");
        }
    });
}

#[test]
fn a_long_request_that_says_nothing_for_a_quarter_of_an_hour() {
    each_mix(|mix| {
        let Mix {
            mut net,
            worker,
            client,
            name,
        } = mix;
        net.serve(worker, |body| Job::echo(body).every(secs(900)));
        let r = net.request_with(client, "echo", json("1"), None);
        net.run(secs(1000));
        assert_eq!(net.end(client, r), done("1"), "{name}");
        assert_eq!(net.started(worker), ["1"], "{name}");
    });
}
