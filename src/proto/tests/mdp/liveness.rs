//! Heartbeats, silence, and the end of either side.

use super::*;

#[test]
fn a_request_that_no_worker_takes_expires_and_one_that_runs_does_not() {
    for words in &ALL {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.expiry = Some(secs(2)));
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        net.say(c, &words.request("1"));
        net.run(ms(2010));
        assert_eq!(net.heard(c), [words.reply("OMDP-CODE|C_TIMEOUT")]);
        net.say(w, &words.ready());
        net.say(c, &words.request("2"));
        net.run(secs(60));
        net.say(w, &words.answer("C", "late"));
        assert_eq!(net.heard(c), [words.reply("late")]);
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
            assert_eq!(net.heard(w), [words.beat], "one an interval");
            net.say(w, words.beat);
        }
        net.run(secs(11));
        let last = net.take(w).pop();
        assert_eq!(last.as_deref(), Some(words.goodbye));
        assert_eq!(departures(&net, b), [Departure::Silence]);
        net.run(secs(11));
        assert_eq!(net.heard(w), [""; 0]);
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
        assert_eq!(net.heard(c), [words.reply("OMDP-CODE|W_LOST")]);
    }
}

#[test]
fn the_end_of_the_broker_reaches_everybody() {
    for words in &ALL {
        let (mut net, b, c, w) = pair();
        net.say(w, &words.ready());
        net.say(c, &words.request("1"));
        net.heard(w);
        net.act(b, |broker, now| broker.machine.discard(now));
        assert_eq!(net.heard(w), [words.goodbye]);
        assert_eq!(net.heard(c), [words.reply("OMDP-CODE|B_LOST")]);
        assert_eq!(net[b].machine.load(), [0; 4]);
    }
}
