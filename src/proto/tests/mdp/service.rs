//! Requests, replies and partials, between peers of every dialect.

use super::*;

#[test]
fn every_client_is_served_by_every_worker() {
    for client in &ALL {
        for worker in &ALL {
            let (mut net, b, c, w) = pair();
            net.say(w, &worker.ready());
            assert_eq!(net.heard(w), [""; 0], "READY has no reply");
            net.say(c, &client.request("a|∅|b"));
            assert_eq!(net.heard(w), [worker.work("C", "a|∅|b")]);
            net.say(w, &worker.answer("C", "x|∅"));
            assert_eq!(net.heard(c), [client.reply("x|∅")]);
            assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
            assert_eq!(faults(&net, b), [""; 0]);
        }
    }
}

#[test]
fn requests_wait_for_a_worker_in_their_order() {
    for words in &ALL {
        let (mut net, _, c, w) = pair();
        for body in ["1", "2", "3"] {
            net.say(c, &words.request(body));
        }
        net.run(ms(10));
        net.say(w, &words.ready());
        for body in ["1", "2", "3"] {
            assert_eq!(net.heard(w), [words.work("C", body)], "one at a time");
            net.say(w, &words.answer("C", body));
            assert_eq!(net.heard(c), [words.reply(body)]);
        }
    }
}

#[test]
fn partials_reach_whoever_has_them() {
    for worker in &ALL[1..] {
        for client in &ALL {
            let (mut net, b, c, w) = pair();
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
            assert_eq!(net.heard(c), expected);
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
        assert_eq!(net.heard(c), [words.reply("{\"a\":1}")]);
        net.say(c, &words.request("hello"));
        assert_eq!(net.heard(c), [words.reply("hello")]);
        net.say(c, &words.request("a|b"));
        assert_eq!(net.heard(c), [words.reply("a|b")]);
        assert_eq!(net.started(w), ["{\"a\":1}", "\"hello\"", "[\"a\",\"b\"]"]);
        net.kill(w);
        net.run(ms(10));

        let (ours, theirs) = (net.client(b), net.raw(b, b"V"));
        net.say(theirs, &words.ready());
        let r = net.request(ours, "echo", "\"5\"");
        let work = net.heard(theirs);
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
        assert_eq!(net.heard(c), [words.reply("OMDP-ERROR|{\"code\":\"E\"}")]);
        net.serve(w, |_| Job::endless());
        net.say(c, &words.request("1"));
        net.run(ms(10));
        net.kill(w);
        assert_eq!(net.heard(c), [words.reply("OMDP-CODE|W_LOST")]);
        let (ours, theirs) = (net.client(b), net.raw(b, b"V"));
        net.say(theirs, &words.ready());
        let r = net.request(ours, "echo", "1");
        let work = net.heard(theirs);
        let id = work[0].split('|').rev().nth(2).unwrap().to_string();
        net.say(theirs, &words.answer(&id, "OMDP-ERROR|no"));
        net.run(ms(10));
        assert_eq!(net.end(ours, r), error("\"no\""));
    }
}

#[test]
fn names_of_any_bytes_and_lengths() {
    for words in &ALL {
        for name in ["x".repeat(254), "x".repeat(255), "\u{feff}é\0".into()] {
            let mut net = Net::new();
            let b = net.broker();
            let (c, w) = (net.raw(b, b"\0\xff\xfe"), net.raw(b, b"W"));
            net.say(w, &format!("{}|\u{1}|{name}", words.worker));
            net.say(c, &format!("{}|{name}|1", words.client));
            assert_eq!(net.heard(w).len(), 1);
            let address = String::from_utf8_lossy(b"\0\xff\xfe").into_owned();
            // The text of the test cannot represent the bytes of the address, so it is another
            // address.
            net.say(w, &words.answer(&address, "1"));
            assert_eq!(net.heard(w), [words.goodbye]);
        }
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
        net.heard(w);
        net.kill(c);
        net.run(ms(10));
        let d = net.raw(b, b"D");
        net.say(d, &words.request("2"));
        assert_eq!(net.heard(w), [""; 0], "it works on the first");
        net.say(w, &words.answer("C1", "1"));
        assert_eq!(net.heard(w), [words.work("D", "2")]);
        assert_eq!(faults(&net, b), [""; 0]);
    }
}
