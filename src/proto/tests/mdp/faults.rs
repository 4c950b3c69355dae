//! Messages out of turn, of another dialect, or of none.

use super::*;
use crate::wire::sizes::{MAX_BODY_FRAMES, MAX_FRAMES};

#[test]
fn an_unregistered_peer_is_sent_one_disconnect() {
    for words in &ALL {
        for text in [words.beat.to_string(), words.answer("C", "1")] {
            let mut net = Net::new();
            let b = net.broker();
            let w = net.raw(b, b"W");
            net.say(w, &text);
            assert_eq!(net.heard(w), [words.goodbye]);
            net.say(w, &text);
            assert_eq!(net.heard(w), [""; 0], "and then silence");
            assert_eq!(faults(&net, b), ["unexpected command"; 2]);
            net.say(w, &words.ready());
            assert_eq!(net.heard(w), [""; 0]);
            assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
        }
        let mut net = Net::new();
        let b = net.broker();
        let w = net.raw(b, b"W");
        net.say(w, words.goodbye);
        assert_eq!(net.heard(w), [""; 0], "a goodbye needs no answer");
    }
}

#[test]
fn valid_commands_out_of_turn_cost_the_registration() {
    for words in &ALL {
        for text in [words.ready(), words.answer("nobody", "1")] {
            for busy in [false, true] {
                let (mut net, b, c, w) = pair();
                net.say(w, &words.ready());
                if busy {
                    net.say(c, &words.request("1"));
                }
                net.heard(w);
                net.say(w, &text);
                assert_eq!(net.heard(w), [words.goodbye], "{text}");
                assert_eq!(departures(&net, b), [Departure::Protocol]);
                assert_eq!(faults(&net, b), ["unexpected command"]);
                net.say(w, words.beat);
                assert_eq!(net.heard(w), [""; 0]);
                let lost = [words.reply("OMDP-CODE|W_LOST")];
                assert_eq!(net.heard(c), lost[..usize::from(busy)]);
            }
        }
    }
}

#[test]
fn a_stray_partial_is_only_dropped() {
    for words in &ALL[1..] {
        let (mut net, b, c, w) = pair();
        net.say(w, &words.ready());
        net.say(c, &words.request("1"));
        net.run(ms(10));
        net.say(w, &words.answer("C", "1"));
        net.say(w, &format!("{}|undefined|∅|x", words.partial.unwrap()));
        net.run(ms(10));
        assert_eq!(faults(&net, b), ["a partial for an unknown client"]);
        assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
        assert_eq!(net.heard(c), [words.reply("1")]);
    }
}

#[test]
fn one_identity_speaks_one_dialect() {
    for words in &ALL {
        for other in ALL.iter().filter(|other| other.name != words.name) {
            let (mut net, b, c, w) = pair();
            net.say(c, &words.request("1"));
            net.say(c, &other.request("2"));
            net.say(c, "C|2|echo|r|3");
            net.run(ms(10));
            assert_eq!(faults(&net, b), ["a different dialect than before"; 2]);
            net.say(w, &words.ready());
            assert_eq!(net.heard(w), [words.work("C", "1")]);
            net.say(w, other.beat);
            assert_eq!(net.heard(w), [words.goodbye], "in its own dialect");
            assert_eq!(departures(&net, b), [Departure::Protocol]);
            assert_eq!(net.heard(c), [words.reply("OMDP-CODE|W_LOST")]);
        }
        let mut net = Net::new();
        let b = net.broker();
        let w = net.raw(b, b"W");
        net.say(w, "W|1|echo");
        net.say(w, words.beat);
        assert_eq!(net.heard(w), ["W|5"]);
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
        assert_eq!(net.heard(raw), [""; 0]);
        assert_eq!(faults(&net, b), ["dialect not served"; 2]);
        assert_eq!(net[b].machine.load(), [0; 4]);
    }
}

#[test]
fn frames_that_are_no_message_are_dropped() {
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
        assert_eq!(net.heard(raw), [""; 0]);
        let short = "too few frames";
        let name = "invalid name or id";
        assert_eq!(
            faults(&net, b),
            [short, short, name, name, "unknown command", name]
        );
        assert_eq!(net[b].machine.load(), [0; 4]);
    }
}

/// What the broker puts before a body would make the message too long for its receiver, which would lose its connection.
#[test]
fn a_body_of_too_many_frames_ends_its_request_only() {
    let body = |frames: usize| vec!["1"; frames].join("|");
    for words in &ALL {
        let (mut net, b, c, w) = pair();
        net.say(w, &words.ready());
        net.say(c, &words.request(&body(MAX_BODY_FRAMES + 1)));
        assert_eq!(net.heard(c), [words.reply("OMDP-CODE|C_TOO_LARGE")]);
        assert_eq!(net.heard(w), [""; 0]);
        net.say(c, &words.request(&body(MAX_BODY_FRAMES)));
        let heard = net.heard(w);
        assert_eq!(heard.len(), 1);
        assert!(heard[0].split('|').count() <= MAX_FRAMES);
        net.say(w, &words.answer("C", &body(MAX_BODY_FRAMES + 1)));
        assert_eq!(net.heard(c), [words.reply("OMDP-CODE|W_TOO_LARGE")]);
        net.say(c, &words.request("1"));
        assert_eq!(net.heard(w).len(), 1);
        net.say(w, &words.answer("C", &body(MAX_BODY_FRAMES)));
        let heard = net.heard(c);
        assert_eq!(heard.len(), 1);
        assert!(heard[0].split('|').count() <= MAX_FRAMES);
        assert_eq!(departures(&net, b), []);
    }
}
