//! A worker of `billing.*` serves all names with this prefix.

use crate::proto::Terms;
use crate::proto::tests::net::*;

fn pattern(net: &mut Net, broker: Id<BrokerActor>, pattern: &str) -> Id<WorkerActor> {
    let worker = net.worker_with(broker, pattern, |config| config.serving.pattern = true);
    net.run(ms(10));
    worker
}

fn names(net: &Net, worker: Id<WorkerActor>) -> Vec<&str> {
    let asked = net[worker].asked.iter();
    asked.map(|name| name.as_deref().unwrap_or("-")).collect()
}

#[test]
fn own_workers_first_then_the_longest_pattern() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let all = pattern(&mut net, b, "*");
    let billing = pattern(&mut net, b, "billing.*");
    let own = net.worker(b, "billing.pay");
    net.run(ms(10));
    for name in ["billing.pay", "billing.refund", "billing", "x"] {
        assert_eq!(net.call(c, name, "1"), End::Final(json("1")));
    }
    assert_eq!(net.started(own).len(), 1);
    assert_eq!(names(&net, billing), ["billing.refund"]);
    assert_eq!(names(&net, all), ["billing", "x"]);
    net.kill(own);
    net.run(ms(10));
    net.call(c, "billing.pay", "2");
    assert_eq!(names(&net, billing), ["billing.refund", "billing.pay"]);
    net.kill(billing);
    net.run(ms(10));
    net.call(c, "billing.pay", "3");
    assert_eq!(names(&net, all), ["billing", "x", "billing.pay"]);
}

#[test]
fn a_star_without_the_option_is_a_character() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let literal = net.worker(b, "s*");
    net.run(ms(10));
    let other = net.request_with(c, "some", json("1"), Some(1000));
    net.call(c, "s*", "2");
    net.run(secs(2));
    assert_eq!(net.end(c, other), failed("C_TIMEOUT"));
    assert_eq!(net.started(literal), ["2"]);
    // A pattern with the same text is another service.
    let all = pattern(&mut net, b, "s*");
    net.call(c, "some", "3");
    net.call(c, "s*", "4");
    assert_eq!(net.started(literal), ["2", "4"]);
    assert_eq!(names(&net, all), ["some"]);
}

/// PIGATO's broker never dispatches these.
#[test]
fn waiting_requests_are_for_a_pattern_that_comes_later() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let waits = net.request(c, "billing.pay", "1");
    let other = net.request(c, "orders", "2");
    net.run(secs(3));
    let w = pattern(&mut net, b, "billing.*");
    net.run(secs(1));
    assert_eq!((net.end(c, waits), net.end(c, other)), (done("1"), None));
    // Also for its own workers, which register while it waits for a busy pattern.
    net.serve(w, |_| Job::endless());
    net.request(c, "billing.a", "3");
    net.run(ms(10));
    let waits = net.request(c, "billing.b", "4");
    net.run(secs(1));
    let own = net.worker(b, "billing.b");
    net.run(ms(10));
    assert_eq!(net.end(c, waits), done("4"));
    assert_eq!(net.started(own), ["4"]);
    assert_eq!(net[own].asked, [None]);
}

/// In PIGATO, two of three names on one worker starve.
#[test]
fn all_names_of_a_pattern_are_served_in_the_order_in_which_they_came() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let mut asked = Vec::new();
    for n in 0..30 {
        net.request(c, &format!("s.{}", n % 3), &n.to_string());
        asked.push(n.to_string());
        if n % 7 == 0 {
            net.run(ms(1));
        }
    }
    net.run(secs(1));
    let w = pattern(&mut net, b, "s.*");
    net.serve(w, |body| Job::echo(body).every(ms(10)));
    net.run(ms(100));
    for n in 30..60 {
        net.request(c, &format!("s.{}", n % 3), &n.to_string());
        asked.push(n.to_string());
    }
    net.run(secs(3));
    assert_eq!(net.started(w), asked);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn requests_without_a_pattern_any_more_wait_or_fail_fast() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = pattern(&mut net, b, "s.*");
    net.serve(w, |_| Job::endless());
    net.request(c, "s.0", "0");
    net.run(ms(10));
    let terms = Terms {
        timeout: Some(secs(60)),
        retry: 0,
        fail_fast: true,
        ..Terms::default()
    };
    let fails = net.request_on(c, "s.1", json("1"), terms);
    let waits = net.request(c, "s.2", "2");
    net.run(ms(10));
    net.kill(w);
    net.run(ms(10));
    assert_eq!(net.end(c, fails), failed("W_NONE"));
    assert_eq!(net.end(c, waits), None);
    assert_eq!(net[b].machine.load(), [1, 0, 1, 1]);
    let own = net.worker(b, "s.2");
    net.run(secs(1));
    assert_eq!(net.end(c, waits), done("2"));
    assert_eq!(net.started(own), ["2"]);
}

/// A retry goes to the current home of the name.
#[test]
fn a_lost_request_starts_again_where_its_name_is_served() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = pattern(&mut net, b, "s.*");
    net.serve(w, |_| Job::endless());
    let terms = Terms {
        timeout: Some(secs(60)),
        retry: 1,
        fail_fast: false,
        ..Terms::default()
    };
    let r = net.request_on(c, "s.1", json("1"), terms);
    net.run(ms(10));
    let own = net.worker(b, "s.1");
    net.run(ms(10));
    net.kill(w);
    net.run(ms(10));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[own].retried, [1]);
    assert_eq!(net[own].asked, [None]);
}
