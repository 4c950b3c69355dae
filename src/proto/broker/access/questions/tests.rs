use super::*;
use crate::proto::Time;
use crate::proto::deadlines::Deadlines;
use crate::wire::omdp::ClientMessage;

struct Bench {
    questions: Questions<Vec<u8>>,
    deadlines: Deadlines<u64>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            questions: Questions::new(),
            deadlines: Deadlines::new(),
        }
    }

    fn wait(&mut self, from: &str, service: &str) -> Option<u64> {
        let message = PendingMessage {
            from: from.as_bytes().into(),
            message: Incoming::Client(ClientMessage::Heartbeat),
            account: AccountKey(0),
            charged: 0,
        };
        let deadlines = &mut self.deadlines;
        let time = |id| deadlines.set(Time::ZERO, id);
        self.questions.wait(question(service), message, time)
    }
}

fn question(service: &str) -> Question {
    Question {
        principal: Arc::new(Principal::in_process("u")),
        action: Action::Call,
        service: service.as_bytes().into(),
    }
}

#[test]
fn equal_questions_are_asked_once_and_all_messages_have_the_answer() {
    let mut bench = Bench::new();
    assert_eq!(bench.wait("a", "s"), Some(1));
    assert_eq!(bench.wait("b", "s"), None);
    assert_eq!(bench.wait("a", "t"), Some(2));
    let pending = bench.questions.take(1).expect("it waits");
    let from = pending.messages.iter().map(|message| &*message.from);
    assert_eq!(from.collect::<Vec<_>>(), [b"a", b"b"]);
    assert!(bench.questions.take(1).is_none());
    assert_eq!(bench.questions.len(), 1);
}

#[test]
fn messages_that_wait_have_a_limit_for_each_user() {
    let mut bench = Bench::new();
    for n in 0..MOST_OF_USER {
        assert!(!bench.questions.is_full("u"));
        bench.wait("a", &n.to_string());
    }
    assert!(bench.questions.is_full("u") && !bench.questions.is_full("v"));
    let (withdrawn, looked_at) = bench.questions.withdraw(b"a", |_| true);
    assert_eq!([withdrawn.len(), looked_at], [MOST_OF_USER; 2]);
    assert!(!bench.questions.is_full("u") && !bench.questions.is_empty());
}

#[test]
fn what_a_peer_withdraws_is_gone_and_the_rest_waits() {
    let mut bench = Bench::new();
    for from in ["a", "b"] {
        bench.wait(from, "s");
    }
    let (withdrawn, looked_at) = bench.questions.withdraw(b"a", |_| true);
    assert_eq!([withdrawn.len(), looked_at], [1, 2]);
    // A peer of which nothing waits is found at once.
    assert_eq!(bench.questions.withdraw(b"a", |_| true).1, 0);
    let [pending] = &bench.questions.take_all()[..] else {
        panic!("one question");
    };
    assert_eq!(*pending.messages[0].from, *b"b");
    assert!(bench.questions.is_empty());
}

#[test]
fn a_user_with_very_many_answers_does_not_displace_those_about_others() {
    let mut questions: Questions<Vec<u8>> = Questions::new();
    let of = |user: &str, service: &str| Question {
        principal: Arc::new(Principal::in_process(user)),
        ..question(service)
    };
    questions.remember(of("honest", "s"), true);
    for n in 0..3 * MOST {
        questions.remember(of("other", &n.to_string()), false);
    }
    assert_eq!(questions.answer(&of("honest", "s")), Some(true));
    assert!(questions.answers.len() <= MOST);
}

#[test]
fn remembered_answers_have_a_limit() {
    let mut questions: Questions<Vec<u8>> = Questions::new();
    for n in 0..=MOST {
        questions.remember(question(&n.to_string()), true);
    }
    assert_eq!(questions.answer(&question("0")), None);
    assert_eq!(questions.answer(&question(&MOST.to_string())), Some(true));
    questions.forget(&question(&MOST.to_string()));
    assert_eq!(questions.answer(&question(&MOST.to_string())), None);
}
