//! The broker among peers of MDP, played from frames by the letter of each dialect.

use super::net::*;
use crate::proto::broker::{BrokerEvent, Departure};
use crate::wire::{Dialect, Dialects};

/// One dialect's frames, as texts.
struct Words {
    name: &'static str,
    client: &'static str,
    worker: &'static str,
    /// Before the body of a PARTIAL and of a FINAL to a client.
    to_client: [&'static str; 2],
    partial: Option<&'static str>,
    last: &'static str,
    beat: &'static str,
    goodbye: &'static str,
}

const V01: Words = Words {
    name: "mdp/0.1",
    client: "∅|MDPC01",
    worker: "∅|MDPW01",
    to_client: ["", "∅|MDPC01|echo"],
    partial: None,
    last: "∅|MDPW01|\u{3}",
    beat: "∅|MDPW01|\u{4}",
    goodbye: "∅|MDPW01|\u{5}",
};

const V02: Words = Words {
    name: "mdp/0.2",
    client: "MDPC02|\u{1}",
    worker: "MDPW02",
    to_client: ["MDPC02|\u{2}|echo", "MDPC02|\u{3}|echo"],
    partial: Some("MDPW02|\u{3}"),
    last: "MDPW02|\u{4}",
    beat: "MDPW02|\u{5}",
    goodbye: "MDPW02|\u{6}",
};

const MAJORTOMO: Words = Words {
    name: "mdp/0.2-majortomo",
    client: "∅|MDPC02|\u{2}",
    worker: "∅|MDPW02",
    to_client: ["∅|MDPC02|\u{3}", "∅|MDPC02|\u{4}"],
    partial: Some("∅|MDPW02|\u{3}"),
    last: "∅|MDPW02|\u{4}",
    beat: "∅|MDPW02|\u{5}",
    goodbye: "∅|MDPW02|\u{6}",
};

const ALL: [Words; 3] = [V01, V02, MAJORTOMO];

impl Words {
    fn request(&self, body: &str) -> String {
        format!("{}|echo|{body}", self.client)
    }

    fn ready(&self) -> String {
        format!("{}|\u{1}|echo", self.worker)
    }

    fn work(&self, client: &str, body: &str) -> String {
        format!("{}|\u{2}|{client}|∅|{body}", self.worker)
    }

    fn answer(&self, client: &str, body: &str) -> String {
        format!("{}|{client}|∅|{body}", self.last)
    }

    fn reply(&self, body: &str) -> String {
        format!("{}|{body}", self.to_client[1])
    }
}

fn heard(net: &mut Net, raw: Id<RawDealer>) -> Vec<String> {
    net.run(ms(10));
    net.act(raw, |raw, _| raw.take())
}

fn faults(net: &Net, broker: Id<BrokerActor>) -> Vec<&'static str> {
    let why = |event: &BrokerEvent| match event {
        BrokerEvent::BadMessage { why, .. } => Some(*why),
        _ => None,
    };
    net[broker]
        .events
        .iter()
        .filter_map(|(_, event)| why(event))
        .collect()
}

fn departures(net: &Net, broker: Id<BrokerActor>) -> Vec<Departure> {
    let why = |event: &BrokerEvent| match event {
        BrokerEvent::WorkerGone { why, .. } => Some(*why),
        _ => None,
    };
    net[broker]
        .events
        .iter()
        .filter_map(|(_, event)| why(event))
        .collect()
}

#[test]
fn every_client_is_served_by_every_worker() {
    for client in &ALL {
        for worker in &ALL {
            let mut net = Net::new();
            let b = net.broker();
            let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
            net.say(w, &worker.ready());
            assert_eq!(heard(&mut net, w), [""; 0], "READY has no reply");
            net.say(c, &client.request("a|∅|b"));
            assert_eq!(heard(&mut net, w), [worker.work("C", "a|∅|b")]);
            net.say(w, &worker.answer("C", "x|∅"));
            assert_eq!(heard(&mut net, c), [client.reply("x|∅")]);
            assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
            assert_eq!(faults(&net, b), [""; 0]);
        }
    }
}

#[test]
fn requests_wait_for_a_worker_in_their_order() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        for body in ["1", "2", "3"] {
            net.say(c, &words.request(body));
        }
        net.run(ms(10));
        net.say(w, &words.ready());
        for body in ["1", "2", "3"] {
            assert_eq!(heard(&mut net, w), [words.work("C", body)], "one at a time");
            net.say(w, &words.answer("C", body));
            assert_eq!(heard(&mut net, c), [words.reply(body)]);
        }
    }
}

#[test]
fn partials_reach_whoever_has_them() {
    for worker in &ALL[1..] {
        for client in &ALL {
            let mut net = Net::new();
            let b = net.broker();
            let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
            net.say(w, &worker.ready());
            net.say(c, &client.request("?"));
            net.run(ms(10));
            let partial = worker.partial.unwrap();
            net.say(w, &format!("{partial}|C|∅|a|b"));
            net.say(w, &format!("{partial}|C|∅|c"));
            net.say(w, &worker.answer("C", "d"));
            let expected = match client.partial {
                None => vec![client.reply("a|b|c|d")],
                Some(_) => vec![
                    format!("{}|a|b", client.to_client[0]),
                    format!("{}|c", client.to_client[0]),
                    client.reply("d"),
                ],
            };
            assert_eq!(heard(&mut net, c), expected);
            assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
        }
    }
}

/// Values to frames and back, through the broker.
#[test]
fn our_peers_among_theirs() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.worker(b, "echo"));
        net.run(ms(10));
        net.say(c, &words.request("{\"a\":1}"));
        assert_eq!(heard(&mut net, c), [words.reply("{\"a\":1}")]);
        net.say(c, &words.request("hello"));
        assert_eq!(heard(&mut net, c), [words.reply("hello")]);
        net.say(c, &words.request("a|b"));
        assert_eq!(heard(&mut net, c), [words.reply("a|b")]);
        assert_eq!(net.started(w), ["{\"a\":1}", "\"hello\"", "[\"a\",\"b\"]"]);
        net.kill(w);
        net.run(ms(10));

        let (ours, theirs) = (net.client(b), net.raw(b, b"V"));
        net.say(theirs, &words.ready());
        let r = net.request(ours, "echo", "\"5\"");
        let work = heard(&mut net, theirs);
        let id = work[0].split('|').rev().nth(2).unwrap().to_string();
        assert_eq!(work, [words.work(&id, "\"5\"")]);
        net.say(theirs, &words.answer(&id, "it is|5"));
        net.run(ms(10));
        assert_eq!(net.end(ours, r), done("[\"it is\",5]"));
    }
}

#[test]
fn errors_have_a_form() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.worker(b, "echo"));
        net.serve(w, |_| Job::error("{\"code\":\"E\"}"));
        net.run(ms(10));
        net.say(c, &words.request("1"));
        assert_eq!(
            heard(&mut net, c),
            [words.reply("OMDP-ERROR|{\"code\":\"E\"}")]
        );
        net.serve(w, |_| Job::endless());
        net.say(c, &words.request("1"));
        net.run(ms(10));
        net.kill(w);
        assert_eq!(heard(&mut net, c), [words.reply("OMDP-CODE|W_LOST")]);
        let (ours, theirs) = (net.client(b), net.raw(b, b"V"));
        net.say(theirs, &words.ready());
        let r = net.request(ours, "echo", "1");
        let work = heard(&mut net, theirs);
        let id = work[0].split('|').rev().nth(2).unwrap().to_string();
        net.say(theirs, &words.answer(&id, "OMDP-ERROR|no"));
        net.run(ms(10));
        assert_eq!(net.end(ours, r), error("\"no\""));
    }
}

#[test]
fn a_request_that_no_worker_takes_expires_and_one_that_runs_does_not() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.expiry = Some(secs(2)));
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        net.say(c, &words.request("1"));
        net.run(ms(2010));
        assert_eq!(heard(&mut net, c), [words.reply("OMDP-CODE|C_TIMEOUT")]);
        net.say(w, &words.ready());
        net.say(c, &words.request("2"));
        net.run(secs(60));
        net.say(w, &words.answer("C", "late"));
        assert_eq!(heard(&mut net, c), [words.reply("late")]);
    }
}

#[test]
fn heartbeats_both_ways_and_the_end_of_the_patience() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let w = net.raw(b, b"W");
        net.say(w, &words.ready());
        net.run(ms(20));
        for _ in 0..8 {
            net.run(ms(2490));
            assert_eq!(heard(&mut net, w), [words.beat], "one an interval");
            net.say(w, words.beat);
        }
        net.run(secs(11));
        let last = net.act(w, |raw, _| raw.take()).pop();
        assert_eq!(last.as_deref(), Some(words.goodbye));
        assert_eq!(departures(&net, b), [Departure::Silence]);
        net.run(secs(11));
        assert_eq!(heard(&mut net, w), [""; 0]);
    }
}

#[test]
fn a_worker_that_has_a_request_may_be_silent_for_longer() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.busy_timeout = secs(30));
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        net.say(w, &words.ready());
        net.say(c, &words.request("1"));
        net.run(secs(29));
        assert_eq!(departures(&net, b), []);
        net.run(secs(2));
        assert_eq!(departures(&net, b), [Departure::Silence]);
        assert_eq!(heard(&mut net, c), [words.reply("OMDP-CODE|W_LOST")]);
    }
}

#[test]
fn whoever_is_not_registered_hears_disconnect_once() {
    for words in &ALL {
        for text in [words.beat.to_string(), words.answer("C", "1")] {
            let mut net = Net::new();
            let b = net.broker();
            let w = net.raw(b, b"W");
            net.say(w, &text);
            assert_eq!(heard(&mut net, w), [words.goodbye]);
            net.say(w, &text);
            assert_eq!(heard(&mut net, w), [""; 0], "and then silence");
            assert_eq!(faults(&net, b), ["unexpected command"; 2]);
            net.say(w, &words.ready());
            assert_eq!(heard(&mut net, w), [""; 0]);
            assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
        }
        let mut net = Net::new();
        let b = net.broker();
        let w = net.raw(b, b"W");
        net.say(w, words.goodbye);
        assert_eq!(heard(&mut net, w), [""; 0], "a goodbye needs no answer");
    }
}

#[test]
fn valid_commands_out_of_turn_cost_the_registration() {
    for words in &ALL {
        for text in [words.ready(), words.answer("nobody", "1")] {
            for busy in [false, true] {
                let mut net = Net::new();
                let b = net.broker();
                let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
                net.say(w, &words.ready());
                if busy {
                    net.say(c, &words.request("1"));
                }
                heard(&mut net, w);
                net.say(w, &text);
                assert_eq!(heard(&mut net, w), [words.goodbye], "{text}");
                assert_eq!(departures(&net, b), [Departure::Protocol]);
                assert_eq!(faults(&net, b), ["unexpected command"]);
                net.say(w, words.beat);
                assert_eq!(heard(&mut net, w), [""; 0]);
                let lost = [words.reply("OMDP-CODE|W_LOST")];
                assert_eq!(heard(&mut net, c), lost[..usize::from(busy)]);
            }
        }
    }
}

#[test]
fn a_stray_partial_is_only_dropped() {
    for words in &ALL[1..] {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        net.say(w, &words.ready());
        net.say(c, &words.request("1"));
        net.run(ms(10));
        net.say(w, &words.answer("C", "1"));
        net.say(w, &format!("{}|undefined|∅|x", words.partial.unwrap()));
        net.run(ms(10));
        assert_eq!(faults(&net, b), ["a partial for nobody"]);
        assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
        assert_eq!(heard(&mut net, c), [words.reply("1")]);
    }
}

#[test]
fn a_worker_whose_client_has_gone_is_free_again_after_its_final() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.client(b), net.raw(b, b"W"));
        net.say(w, &words.ready());
        net.request(c, "echo", "1");
        heard(&mut net, w);
        net.kill(c);
        net.run(ms(10));
        let d = net.raw(b, b"D");
        net.say(d, &words.request("2"));
        assert_eq!(heard(&mut net, w), [""; 0], "it works on the first");
        net.say(w, &words.answer("C1", "1"));
        assert_eq!(heard(&mut net, w), [words.work("D", "2")]);
        assert_eq!(faults(&net, b), [""; 0]);
    }
}

#[test]
fn one_identity_speaks_one_dialect() {
    for words in &ALL {
        for other in ALL.iter().filter(|other| other.name != words.name) {
            let mut net = Net::new();
            let b = net.broker();
            let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
            net.say(c, &words.request("1"));
            net.say(c, &other.request("2"));
            net.say(c, "C|2|echo|r|3");
            net.run(ms(10));
            assert_eq!(faults(&net, b), ["another dialect than before"; 2]);
            net.say(w, &words.ready());
            assert_eq!(heard(&mut net, w), [words.work("C", "1")]);
            net.say(w, other.beat);
            assert_eq!(heard(&mut net, w), [words.goodbye], "in its own dialect");
            assert_eq!(departures(&net, b), [Departure::Protocol]);
            assert_eq!(heard(&mut net, c), [words.reply("OMDP-CODE|W_LOST")]);
        }
        let mut net = Net::new();
        let b = net.broker();
        let w = net.raw(b, b"W");
        net.say(w, "W|1|echo");
        net.say(w, words.beat);
        assert_eq!(heard(&mut net, w), ["W|5"]);
    }
}

#[test]
fn only_the_dialects_that_are_wanted() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker_with(|config| {
            let others = Dialect::ALL
                .into_iter()
                .filter(|dialect| dialect.as_str() != words.name);
            config.dialects = others.collect::<Dialects>();
        });
        let raw = net.raw(b, b"R");
        net.say(raw, &words.ready());
        net.say(raw, &words.request("1"));
        assert_eq!(heard(&mut net, raw), [""; 0]);
        assert_eq!(faults(&net, b), ["dialect not served"; 2]);
        assert_eq!(net[b].machine.load(), [0; 4]);
    }
}

#[test]
fn what_is_no_message_is_dropped() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let raw = net.raw(b, b"R");
        net.say(raw, words.client);
        net.say(raw, &format!("{}|echo", words.client));
        net.say(raw, &format!("{}|∅|1", words.client));
        net.say(raw, &format!("{}|\u{1}|∅", words.worker));
        net.say(raw, &format!("{}|\u{9}", words.worker));
        net.say(raw, &format!("{}|C|1", words.last));
        assert_eq!(heard(&mut net, raw), [""; 0]);
        let short = "too few frames";
        let name = "bad name or id";
        assert_eq!(
            faults(&net, b),
            [short, short, name, name, "unknown command", name]
        );
        assert_eq!(net[b].machine.load(), [0; 4]);
    }
}

#[test]
fn names_of_any_bytes_and_lengths() {
    for words in &ALL {
        for name in [
            "x".repeat(255),
            "x".repeat(256),
            "x".repeat(60_000),
            "\u{feff}é\0".into(),
        ] {
            let mut net = Net::new();
            let b = net.broker();
            let (c, w) = (net.raw(b, b"\0\xff\xfe"), net.raw(b, b"W"));
            net.say(w, &format!("{}|\u{1}|{name}", words.worker));
            net.say(c, &format!("{}|{name}|1", words.client));
            assert_eq!(heard(&mut net, w).len(), 1);
            let address = String::from_utf8_lossy(b"\0\xff\xfe").into_owned();
            // The test's text can't hold the bytes of the address, so it is not the client's.
            net.say(w, &words.answer(&address, "1"));
            assert_eq!(heard(&mut net, w), [words.goodbye]);
        }
    }
}

#[test]
fn mmi_in_every_dialect() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        let ask = |net: &mut Net, service: &str, body: &str| -> String {
            net.say(c, &format!("{}|{service}|{body}", words.client));
            let reply = heard(net, c).remove(0);
            let named = format!("|{service}|");
            assert_eq!(reply.contains(&named), words.name != "mdp/0.2-majortomo");
            reply.rsplit('|').next().unwrap().to_string()
        };
        assert_eq!(ask(&mut net, "mmi.service", "echo"), "404");
        net.say(w, &words.ready());
        assert_eq!(ask(&mut net, "mmi.service", "echo"), "200");
        assert_eq!(ask(&mut net, "mmi.service", "ech"), "404");
        assert_eq!(ask(&mut net, "mmi.else", "echo"), "501");
        let services = r#"[{"name":"echo","queued":0,"running":0,"workers":1}]"#;
        assert_eq!(ask(&mut net, "mmi.services", "∅"), services);
        let workers = format!(
            r#"[{{"dialect":"{}","id":"W","running":0,"service":"echo"}}]"#,
            words.name
        );
        assert_eq!(ask(&mut net, "mmi.workers", "∅"), workers);
        let stats = ask(&mut net, "mmi.stats", "∅");
        assert!(stats.contains(r#""badMessagesTotal":0"#));
        // Seven questions and a READY; who only asks the broker is not held as a client.
        let counts = r#"{"clients":0,"messagesTotal":8,"workers":1}"#;
        assert!(
            stats.contains(&format!(r#""{}":{counts}"#, words.name)),
            "{stats}"
        );

        let w = net.raw(b, b"V");
        net.say(w, &format!("{}|\u{1}|mmi.mine", words.worker));
        assert_eq!(heard(&mut net, w), [words.goodbye]);
        assert_eq!(faults(&net, b), ["reserved service"]);
        assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    }
}

#[test]
fn mmi_for_our_clients() {
    let mut net = Net::new();
    let b = net.broker();
    let (c, old, w) = (net.client(b), net.old_client(b), net.worker(b, "5"));
    net.run(ms(10));
    assert_eq!(net.call(c, "mmi.service", "\"5\""), End::Final(json("200")));
    assert_eq!(net.call(c, "mmi.service", "\"6\""), End::Final(json("404")));
    assert_eq!(
        net.call(old, "mmi.service", "\"5\""),
        End::Final(json("200"))
    );
    assert_eq!(net.call(c, "mmi.nothing", "null"), End::Final(json("501")));
    assert_eq!(net.started(w), [""; 0]);
    let raw = net.raw(b, b"R");
    net.say(raw, "W|1|mmi.mine");
    assert_eq!(heard(&mut net, raw), ["W|5"]);
}

#[test]
fn the_end_of_the_broker_reaches_everybody() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        net.say(w, &words.ready());
        net.say(c, &words.request("1"));
        heard(&mut net, w);
        net.act(b, |broker, now| broker.machine.stop(now));
        assert_eq!(heard(&mut net, w), [words.goodbye]);
        assert_eq!(heard(&mut net, c), [words.reply("OMDP-CODE|B_LOST")]);
        assert_eq!(net[b].machine.load(), [0; 4]);
    }
}
