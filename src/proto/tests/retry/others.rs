//! Further attempts with 0.0.92 and MDP peers, and the exact frames.

use super::*;

/// For all kinds of workers and of losses.
#[test]
fn old_workers_die_and_take_over() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.old_worker(b, "echo");
    net.serve(first, |_| Job::endless());
    let r = ask(&mut net, c, "1", 2);
    net.run(secs(1));
    net.kill(first);
    let second = net.old_worker(b, "echo");
    net.serve(second, |_| Job::endless());
    net.run(secs(1));
    assert_eq!(net.started(second), ["1"]);
    net.kill(second);
    let third = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[third].retried, [2]);
}

#[test]
fn an_mdp_worker_takes_over() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.worker(b, "echo");
    net.serve(first, |_| Job::endless());
    let r = ask(&mut net, c, "1", 1);
    net.run(secs(1));
    net.kill(first);
    let second = net.raw(b, b"M");
    net.say(second, "MDPW02|\u{1}|echo");
    net.run(secs(1));
    let heard = net.take(second);
    let client = net.name(c).replace("ClientActor", "C");
    assert!(
        heard.contains(&format!("MDPW02|\u{2}|{client}|∅|1")),
        "{heard:?}"
    );
    net.say(second, &format!("MDPW02|\u{4}|{client}|∅|2"));
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("2"));
}

/// The worker abandons the request, and would be given it again before it has left.
#[test]
fn an_mdp_worker_of_ours_that_is_stopped_is_not_given_the_request_again() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.raw(b, b"M");
    net.say(w, "MDPW02|\u{1}|echo");
    net.run(ms(10));
    let r = ask(&mut net, c, "1", 1);
    net.run(secs(1));
    let client = net.name(c).replace("ClientActor", "C");
    net.take(w);
    net.say(w, &format!("MDPW02|\u{4}|{client}|∅|OMDP-CODE|W_LOST"));
    net.run(secs(1));
    assert_eq!(net.take(w), ["MDPW02|\u{6}"]);
    let other = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(
        (net.end(c, r), net[other].retried.clone()),
        (done("1"), vec![1])
    );
}

/// A late reply to the first attempt, after the second has begun, is ignored.
#[test]
fn a_late_reply_of_an_earlier_attempt_does_nothing() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let raw = net.raw(b, b"W9");
    net.say(
        raw,
        "W|1|echo|{\"omdp\":1,\"heartbeat\":2500,\"liveness\":3,\"session\":\"a\"}",
    );
    let r = ask(&mut net, c, "1", 2);
    net.run(secs(1));
    let token = |net: &mut Net| {
        let heard = net.act(raw, |raw, _| std::mem::take(&mut raw.heard));
        let request = heard.iter().rfind(|frames| frames[1] == b"2");
        request.map(|frames| frames[6].clone()).expect("a request")
    };
    let first = token(&mut net);
    assert_eq!(first.len(), 9);
    // The worker starts over, and is given the request again.
    net.say(
        raw,
        "W|1|echo|{\"omdp\":1,\"heartbeat\":2500,\"liveness\":3,\"session\":\"b\"}",
    );
    net.run(secs(1));
    let second = token(&mut net);
    assert_eq!((second.len(), second[9]), (10, 1));
    assert_ne!(first[1..9], second[1..9]);
    let reply = |net: &mut Net, token: &[u8], data: &[u8]| {
        let ext = [&[0], &token[1..9]].concat();
        let frames = [b"W", &b"3"[..], b"C", b"r", b"0", data, &ext];
        let frames = frames.iter().map(|frame| frame.to_vec()).collect();
        net.act(raw, |raw, _| raw.say(frames));
        net.run(secs(1));
    };
    reply(&mut net, &first, b"1");
    assert_eq!(net.end(c, r), None);
    reply(&mut net, &second, b"2");
    assert_eq!(net.end(c, r), done("2"));
}

#[test]
fn an_old_broker_knows_no_retry() {
    let mut net = Net::new();
    let b = net.old_broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.run(secs(1));
    let r = ask(&mut net, c, "1", 3);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[w].retried, [0]);
}
