//! Very many questions to very many workers.

use super::*;
use crate::proto::tests::net::texts::{number, past, resume, rids, text};
use crate::wire::omdp::{Past, Recall};

/// A RESUME of a request of a lost broker that had two workers.
fn resume_of(rid: usize) -> String {
    let past = Past {
        wait_ms: 0x1f40,
        ..past(0)
    };
    let recall = Recall {
        session: "lost".into(),
        stamp: 1,
        sum: 5,
        last: 9,
    };
    let resume = resume("echo", &format!("r{rid}"), "1", past);
    format!("{resume}|{}", text(recall.to_frame()))
}

/// Both may be very many, and each question is some bytes.
#[test]
fn very_many_workers_are_asked_for_very_many_requests_in_pieces() {
    const REQUESTS: usize = 700;
    let mut net = Net::new();
    let b = net.broker();
    let hello = |session: &str| {
        format!(
            r#"{{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"roster":true,"session":"{session}"}}"#
        )
    };
    let c = net.raw_beating(b, b"c", secs(1));
    net.say(c, &format!("C|1|{}", hello("c.1")));
    for n in 0..REQUESTS {
        net.say(c, &resume_of(n));
    }
    let workers: Vec<_> = (0..5)
        .map(|n| net.raw_beating(b, format!("w{n}").as_bytes(), secs(1)))
        .collect();
    for (n, &w) in workers.iter().enumerate() {
        let service = if n == 4 { "other" } else { "echo" };
        net.say(w, &format!("W|1|{service}|{}", hello(&format!("w{n}.1"))));
        net.run(ms(200));
        net.take(w);
        let lives = format!("\u{4}lost{}", number(1 + n as u64));
        net.say(w, &format!("W|15|{lives}"));
    }
    let asked = |net: &mut Net, w| -> (usize, usize) {
        let heard = net.take(w);
        let asks = heard
            .iter()
            .filter(|message| message.starts_with("W|20|lost|"));
        // After the stamp of the request.
        let of_c = number(1) + &rids(&["c"]);
        let questions = asks.clone().map(|message| message.matches(&of_c).count());
        (asks.count(), questions.sum())
    };
    net.run(ms(100));
    for (n, &w) in workers.iter().enumerate() {
        let (messages, questions) = asked(&mut net, w);
        // Its service is another one.
        let expected = if n == 4 { 0 } else { REQUESTS };
        assert_eq!(questions, expected);
        assert!(messages >= expected / 64, "{messages}");
    }
    // The client has resumed everything, twice: each worker is asked again, and not without an end.
    net.say(c, "C|15");
    net.say(c, "C|15");
    net.run(ms(100));
    let (messages, questions) = asked(&mut net, workers[0]);
    assert!(
        (REQUESTS..=2 * REQUESTS).contains(&questions),
        "{questions}"
    );
    assert!(messages >= REQUESTS / 64);
    net.run(secs(20));
    assert_eq!(net[b].machine.load()[0], 0);
}
