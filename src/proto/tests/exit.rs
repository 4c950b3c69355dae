//! The end of a client's process: the client leaves when its requests have certainly arrived.

use super::net::*;
use std::time::Duration;

/// Requests of which the broker has not heard when the process ends.
const LAST: usize = 3;

/// Makes the requests and ends the process.
fn ask_and_exit(net: &mut Net, client: Id<ClientActor>) {
    net.requests(client, 0..LAST);
    net.act(client, |client, now| client.machine.exit(now));
}

/// How long the client takes to leave from now on.
fn time_to_leave(net: &mut Net, client: Id<ClientActor>) -> Duration {
    let begin = net.now();
    net.run_until(secs(5), |net| net[client].machine.has_left());
    net.now().since(begin)
}

#[test]
fn a_client_leaves_when_the_broker_has_its_last_requests() {
    for name in ["", "named"] {
        for latency in [1_000, 80_000] {
            let mut net = Net::new();
            net.set_latency(latency, latency);
            let b = net.broker();
            let w = net.worker_with(b, "echo", |config| config.concurrency = None);
            net.serve(w, |_| Job::endless());
            let c = net.client_with(b, |config| config.link.name = name.into());
            net.run(secs(1));
            ask_and_exit(&mut net, c);
            assert_eq!(net[b].machine.load()[0], 0);
            let round_trip = 2 * Duration::from_micros(latency);
            assert_eq!(time_to_leave(&mut net, c), round_trip);
            assert_eq!(net[b].machine.load()[0], LAST);
            net.run(secs(1));
            assert_eq!(
                net.started(w).len(),
                LAST,
                "the hello has not cancelled them"
            );
        }
    }
}

/// The log of its replies is charged to the client, and goes on after the second hello.
#[test]
fn a_second_hello_leaves_what_is_charged_for_replies() {
    let mut net = Net::new();
    net.set_latency(50_000, 50_000);
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| config.concurrency = None);
    net.serve(w, Job::echo);
    let c = net.client(b);
    net.run(secs(1));
    let before = net[b].machine.held();
    let large = json(&"1".repeat(100_000));
    let requests: Vec<u64> = (0..8)
        .map(|_| net.request_with(c, "echo", large.clone(), None))
        .collect();
    net.run(ms(130));
    net.act(c, |client, now| client.machine.exit(now));
    // The hello arrives after the replies were sent, and before they are acknowledged.
    net.run(ms(50));
    assert!(net[b].machine.held() > before);
    net.run(secs(10));
    assert!(net[c].machine.has_left());
    assert_eq!(net.ends(c, &requests), vec![Some(End::Final(large)); 8]);
    assert_eq!(net[b].machine.held(), before);
}

#[test]
fn it_does_not_wait_without_requests_or_without_a_broker_that_answers() {
    let (mut net, b, _, c) = trio();
    net.run(secs(1));
    net.act(c, |client, now| client.machine.exit(now));
    assert!(!net[c].machine.exits(), "there is nothing to send");
    net.kill(b);
    net.run(secs(1));
    ask_and_exit(&mut net, c);
    assert!(!net[c].machine.exits(), "there is no connection");

    let mut net = Net::new();
    let b = net.old_broker();
    let c = net.client(b);
    net.run(secs(1));
    ask_and_exit(&mut net, c);
    assert!(!net[c].machine.exits(), "0.0.92 does not answer");
}

#[test]
fn it_leaves_in_time_when_the_broker_is_silent_or_lost() {
    let (mut net, b, _, c) = trio();
    net.run(secs(1));
    net.pause(b);
    ask_and_exit(&mut net, c);
    assert!(net[c].machine.exits());
    assert_eq!(time_to_leave(&mut net, c), ms(250));

    let (mut net, b, _, c) = trio();
    net.run(secs(1));
    net.pause(b);
    ask_and_exit(&mut net, c);
    net.run(ms(100));
    net.kill(b);
    net.run(ms(10));
    assert!(net[c].machine.has_left());
}
