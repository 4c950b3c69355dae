//! Workers claim their requests from the next broker, which checks the claims.

use super::net::texts::{claim, credit, number, token};
use super::net::*;
use super::resume::{replace, scene};
use crate::proto::code::Code;
use crate::wire::omdp::ClaimState;
use std::time::Duration;

/// While its claims are open, it is given no request that it could not run.
#[test]
fn a_worker_is_busy_with_what_it_claims() {
    let Scene {
        mut net, b, w, c, ..
    } = scene(secs(3));
    net.kill(c);
    net.kill(b);
    net.run(ms(10));
    net.start(b);
    let other = net.client(b);
    net.run(ms(300));
    let r = net.request(other, "echo", "9");
    net.run(secs(1));
    assert_eq!(net.started(w), ["1"]);
    assert_eq!(net[w].returns, 0);
    net.serve(w, Job::echo);
    net.run(secs(10));
    assert_eq!(net.end(other, r), done("9"));
}

/// A claim is valid only for the worker's own service, and only once.
#[test]
fn a_claim_that_does_not_fit_is_refused() {
    let Scene {
        mut net,
        b,
        w,
        c,
        running,
        ..
    } = scene(secs(3));
    net.kill(b);
    net.power_off(w);
    net.run(ms(10));
    net.start(b);
    let thief = net.raw_beating(b, b"thief", secs(1));
    net.say(
        thief,
        r#"W|1|other|{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"t"}"#,
    );
    net.run(ms(300));
    let rid = "c2.0-0";
    net.say(thief, &claim("C2", rid, ClaimState::Running, 1));
    net.say(thief, &claim("C2", rid, ClaimState::Running, 2));
    net.run(ms(10));
    let heard = net.take(thief);
    assert!(heard.contains(&format!("W|12|{}", number(2))), "{heard:?}");
    net.run(secs(20));
    assert_eq!(net.end(c, running), failed("B_LOST"));
}

/// The worker's goodbye and RESUME cross.
#[test]
fn requests_claimed_by_a_worker_that_leaves_do_not_run_again() {
    for after in 0..12 {
        let Scene {
            mut net,
            b,
            w,
            c,
            running,
            ..
        } = scene(secs(60));
        replace(&mut net, b, ms(300));
        net.run_until(secs(1), |net| {
            net[w].news.last().map(|news| news.1) == Some(LinkNews::Connected)
        });
        net.run(Duration::from_micros(500) * after);
        net.act(w, |worker, now| worker.machine.stop(now, Some(now)));
        let other = net.worker(b, "echo");
        net.run(secs(20));
        let end = net.end(c, running);
        assert!(
            [failed("W_LOST"), failed("B_LOST")].contains(&end),
            "{end:?}"
        );
        assert_eq!(net.started(w), ["1"]);
        assert_eq!(net.started(other), ["2"]);
    }
}

#[test]
fn a_broker_of_0_0_92_in_its_place_is_asked_for_nothing() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.run(ms(10));
    let hello = r#"{"heartbeat":2500,"liveness":3,"omdp":1,"session":"b1"}"#;
    net.tell(b, "W1", &format!("W|1|{hello}"));
    net.tell(b, "C2", &format!("C|1|{hello}"));
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    net.tell(b, "W1", &format!("W|2|C2|r|1|{{}}|{}", token(1)));
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    assert_eq!(net.started(w), ["1"]);
    net.restart(b);
    net.run(ms(500));
    net.take(b);
    net.tell(b, "W1", "W|4");
    net.run(secs(8));
    let heard = net.take(b);
    assert!(!heard.iter().any(|text| text.contains("|11|")), "{heard:?}");
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(net[w].cancelled[0].2, Code::BrokerLost);
}

/// The broker has not noticed the end of the earlier connection. What it sends then concerns that connection.
#[test]
fn messages_about_an_earlier_connection_before_the_hello_are_ignored() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker_with(b, "echo", |config| config.link.away = secs(60));
    net.run(ms(10));
    let hello = r#"W|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"b1"}"#;
    net.tell(b, "W1", hello);
    net.tell(b, "W1", &format!("W|2|C2|r|1|{{}}|{}", token(1)));
    let heard = net.heard(b);
    assert!(heard.iter().any(|text| text.starts_with("W|3|C2|r|0|1|")));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(300));
    assert_eq!(net.take(b).len(), 1, "READY");
    let (one, zero) = (number(1), number(0));
    net.tell(b, "W1", &format!("W|22|{one}"));
    net.tell(b, "W1", &format!("W|11|{one}{one}{}{zero}", credit(0)));
    assert_eq!(net.heard(b), [""; 0], "it has not lost the reply");
    net.tell(b, "W1", hello);
    let heard = net.heard(b);
    let claim = format!("W|11|C2|r|\u{1}{one}{one}");
    assert!(heard.contains(&claim), "{heard:?}");
}
