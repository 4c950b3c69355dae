//! Lists of services and workers.

use super::net::*;
use crate::wire::About;
use serde_json::{Value, json as value};

fn about(description: &str, metadata: &str) -> Option<Box<About>> {
    Some(Box::new(About {
        description: description.into(),
        metadata: metadata.into(),
    }))
}

fn ask(net: &mut Net, client: Id<ClientActor>, service: &str, data: &str) -> Value {
    // Answers are cached for a while.
    net.run(ms(300));
    match net.call(client, service, data) {
        End::Final(body) => serde_json::from_slice(&body.bytes).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_tells_about_itself_and_its_updates_change_nothing_of_it() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| {
        config.about = about("echoes", r#"{"a":[1]}"#);
    });
    net.worker(b, "other");
    net.run(ms(10));
    let check = |net: &mut Net| {
        let told = ask(net, c, "mmi.workers", r#"{"service":"echo"}"#);
        let [worker] = &told.as_array().expect("a list")[..] else {
            panic!("{told}");
        };
        assert_eq!(worker["description"], "echoes");
        assert_eq!(worker["metadata"], value!({ "a": [1] }));
        assert_eq!(worker["name"], "W2");
    };
    check(&mut net);
    net.act(w, |worker, now| worker.set_concurrency(now, Some(3)));
    check(&mut net);
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    check(&mut net);
    assert_eq!(ask(&mut net, c, "mmi.workers", r#""none""#), value!([]));
}

#[test]
fn the_description_of_a_worker_is_charged_to_it() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.held.peer = 2048);
    net.worker_with(b, "echo", |config| config.about = about("d", "[]"));
    let long = format!("\"{}\"", "m".repeat(3000));
    let w = net.worker_with(b, "echo", |config| config.about = about("", &long));
    net.run(ms(50));
    assert_eq!(net[b].machine.load()[1], 1);
    assert!(!net[w].machine.is_connected());
}

#[test]
fn a_service_has_its_numbers_and_its_last_error() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.run(ms(10));
    net.call(c, "echo", "1");
    let one = |net: &mut Net| ask(net, c, "mmi.services", r#""echo""#)[0].clone();
    let told = one(&mut net);
    assert_eq!((&told["requests"], &told["errors"]), (&1.into(), &0.into()));
    assert_eq!(told["lastError"], Value::Null);
    assert!(told["time"]["mean"].as_f64() > Some(0.0), "{told}");
    net.serve(w, |_| Job::error(r#""no""#));
    net.call(c, "echo", "2");
    let told = one(&mut net);
    assert_eq!(told["lastError"]["value"], r#""no""#);
    let refused = net.request_with(c, "echo", json("3"), Some(50));
    net.serve(w, |_| Job::endless());
    net.run(secs(1));
    assert!(net.end(c, refused).is_some());
    let told = one(&mut net);
    assert_eq!(told["lastError"]["code"], "C_TIMEOUT");
    assert_eq!((&told["requests"], &told["errors"]), (&3.into(), &2.into()));
    net.kill(w);
    net.run(secs(10));
    assert_eq!(ask(&mut net, c, "mmi.services", "0"), value!([]));
}

#[test]
fn the_directory_has_who_is_there_and_where_to_go_on_from() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.worker(b, "echo");
    net.run(ms(10));
    let told = ask(&mut net, c, "mmi.directory", "null");
    assert_eq!(told["services"], value!({ "echo": ["W2"] }));
    let since = told["last"].to_string();
    net.worker(b, "other");
    net.run(ms(10));
    let events = ask(&mut net, c, "mmi.events", &since);
    let payload = value!({ "service": "other", "worker": "W3" });
    let [event] = &events["events"].as_array().expect("a list")[..] else {
        panic!("{events}");
    };
    assert_eq!(
        (&event["event"], &event["payload"]),
        (&"workerReady".into(), &payload)
    );
    // The question came 310 ms after the worker started; messages travel for a few ms.
    let age = event["since"].as_f64().expect("a number");
    assert!((300.0..=320.0).contains(&age), "{age}");
    assert_eq!(events["broker"], told["broker"]);
    let dir = ask(&mut net, c, "$dir", "null");
    assert_eq!(dir, value!({ "echo": ["W2"], "other": ["W3"] }));
    assert_eq!(ask(&mut net, c, "$dir", r#""other""#), value!(["W3"]));
    // A worker may serve it in place of the broker.
    let own = net.worker(b, "$dir");
    net.serve(own, |_| Job::echo(&json(r#""mine""#)));
    net.run(ms(10));
    assert_eq!(ask(&mut net, c, "$dir", "null"), value!("mine"));
}

/// So many workers, each of a service of its own and of one that all have, that lists of them are made in pieces.
fn crowd(net: &mut Net, b: Id<BrokerActor>) -> Vec<Id<RawDealer>> {
    let raw = (0..300).map(|n| {
        let raw = net.raw(b, format!("raw{n}").as_bytes());
        net.run(ms(1));
        let service = if n % 2 == 0 {
            "all".to_owned()
        } else {
            format!("s{n}")
        };
        net.say(raw, &format!("W|1|{service}"));
        raw
    });
    let raw = raw.collect();
    net.run(ms(10));
    raw
}

#[test]
fn lists_of_very_many_services_and_workers_are_made_in_pieces() {
    let mut net = Net::new();
    let b = net.broker();
    let crowd = crowd(&mut net, b);
    let clients = [net.client(b), net.client(b)];
    net.run(ms(50));
    for service in ["mmi.metrics", "mmi.directory", "$dir"] {
        let asked = clients.map(|client| net.request(client, service, "null"));
        net.run_until(secs(1), |net| {
            net[b].machine.stats(net.now()).tables.leaving > 0
        });
        // Some go and others come meanwhile.
        if service == "mmi.metrics" {
            net.say(crowd[1], "W|5");
            net.say(crowd[1], "W|1|s0");
        }
        net.run(secs(1));
        let mut answers = clients.into_iter().zip(asked).map(|(client, request)| {
            let Some(End::Final(body)) = net.end(client, request) else {
                panic!("no answer of {service}");
            };
            serde_json::from_slice::<Value>(&body.bytes).expect("JSON")
        });
        let answer = answers.next().expect("there are two");
        assert_eq!(Some(&answer), answers.next().as_ref());
        drop(answers);
        let names = match service {
            "mmi.metrics" => {
                let stats = net[b].machine.stats(net.now());
                let stats = serde_json::to_value(&stats).expect("JSON");
                let keys = |of: &Value| -> Vec<String> {
                    let all = of.as_object().expect("an object");
                    all.keys().cloned().collect()
                };
                assert_eq!(keys(&answer), keys(&stats));
                let rows = |of: &Value| -> usize {
                    let lists = ["services", "absentServices"];
                    let lists = lists.map(|list| of[list].as_array().map_or(0, Vec::len));
                    lists.iter().sum()
                };
                assert!(rows(&answer) + 1 >= rows(&stats), "none is missing");
                assert_eq!(answer["workers"].as_array().map(Vec::len), Some(300));
                continue;
            }
            "mmi.directory" => &answer["services"],
            _ => &answer,
        };
        let names = names.as_object().expect("an object");
        assert_eq!(names.len(), 151);
        assert_eq!(names["all"].as_array().map(Vec::len), Some(150));
    }
}
