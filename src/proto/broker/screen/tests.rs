use super::*;
use crate::proto::broker::BrokerConfig;
use crate::proto::broker::{Credentials, Grant, Pattern};
use crate::wire::omdp::Past;
use std::collections::HashMap;
use std::time::Duration;

/// Everyone may serve everything, and call what has this name.
fn access(call: &str) -> Arc<Access> {
    let mut credentials = Credentials::default();
    credentials.listed.insert("key".into());
    Arc::new(Access {
        credentials,
        users: HashMap::new(),
        others: Grant {
            serve: vec![Pattern::new("w*")],
            call: vec![Pattern::new(call)],
        },
        ask: None,
    })
}

#[test]
fn a_client_with_a_resume_that_waits_for_an_answer_has_said_all() {
    let mut broker: Broker<Vec<u8>> = Broker::new(BrokerConfig::default());
    let now = Time::ZERO + Duration::from_secs(1);
    let ask = Some(Duration::from_secs(5));
    let access = Arc::unwrap_or_clone(access("w*"));
    broker.set_access(now, Arc::new(Access { ask, ..access }));
    let who = Principal {
        credential: "key".into(),
        user: "user".into(),
        metadata: String::new(),
    };
    let who = who.to_text();
    let say = |broker: &mut Broker<Vec<u8>>, mut frames: Vec<Vec<u8>>| {
        broker.handle_message_of(now, b"c", Some(&who), &mut frames);
    };
    let text = |text: &str| -> Vec<Vec<u8>> { text.split('|').map(|each| each.into()).collect() };
    say(
        &mut broker,
        text(r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#),
    );
    let past = Past {
        received: 0,
        wait_ms: 5000,
        read: 0,
        here: false,
    };
    let mut resume = text("C|11|other|r|1|{}|\0\u{7f}\u{7f}\u{7f}\u{7f}");
    resume.push(past.to_frame());
    say(&mut broker, resume);
    assert_eq!(broker.authorizer.questions(), 1);
    let key = broker.cx.clients.find(b"c").expect("it is registered");
    let client = |broker: &mut Broker<Vec<u8>>| {
        let client = broker.cx.clients.get_mut(key).expect("it is there");
        client.returned = 1;
        client.lacks_replies()
    };
    assert!(client(&mut broker));
    say(&mut broker, text("C|15"));
    assert_eq!(broker.authorizer.questions(), 1);
    assert!(!client(&mut broker));
}

#[test]
fn who_waits_for_a_list_is_told_what_the_new_rules_allow() {
    let mut broker: Broker<Vec<u8>> = Broker::new(BrokerConfig::default());
    let mut now = Time::ZERO + Duration::from_secs(1);
    broker.set_access(now, access("*"));
    let who = Principal {
        credential: "key".into(),
        user: "user".into(),
        metadata: String::new(),
    };
    let who = who.to_text();
    let say = |broker: &mut Broker<Vec<u8>>, from: &str, text: &str| {
        let mut frames = text.split('|').map(|frame| frame.into()).collect();
        broker.handle_message_of(now, from.as_bytes(), Some(&who), &mut frames);
    };
    for n in 0..200 {
        say(&mut broker, &format!("w{n}"), &format!("W|1|w{n}"));
    }
    say(&mut broker, "c", "C|2|mmi.metrics|r1|null|{}");
    say(&mut broker, "c", "C|2|mmi.directory|r2|null|{}");
    assert_eq!(broker.tasks.len(), 2);
    broker.drain_transmits().for_each(drop);
    now = broker.next_deadline().expect("they are made in pieces");
    broker.handle_timeout(now);
    broker.set_access(now, access("mmi.d*"));
    while broker.tasks.len() > 0 {
        now = broker.next_deadline().expect("a piece is left");
        broker.handle_timeout(now);
    }
    let answers = broker.drain_transmits().map(|transmit| {
        let mut frames = Vec::new();
        transmit.encode(&mut frames);
        String::from_utf8_lossy(&frames.concat()).into_owned()
    });
    let answers: Vec<String> = answers.filter(|text| text.starts_with('C')).collect();
    let of = |rid: &str| {
        let mut found = answers.iter().filter(|text| text.contains(rid));
        let answer = found.next().expect("an answer");
        assert!(found.next().is_none(), "{rid}");
        answer
    };
    assert!(of("r1").contains("DENIED"), "{}", of("r1"));
    assert!(of("r2").contains("services"));
    assert!(broker.answers.surveys.is_empty());
}
