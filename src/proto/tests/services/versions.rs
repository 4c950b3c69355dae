//! `orders@^2`: the highest version with workers that satisfies the range.

use crate::proto::Terms;
use crate::proto::tests::net::*;

fn fail_fast() -> Terms {
    Terms {
        timeout: Some(secs(60)),
        retry: 0,
        fail_fast: true,
        ..Terms::default()
    }
}

fn ready<T>(net: &mut Net, worker: Id<T>) {
    net.run(ms(10));
    assert!(net.started(worker).is_empty());
}

#[test]
fn the_highest_version_that_satisfies_and_has_workers_gets_it() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let [one, two, newer] =
        ["1.9.0", "2.0.0", "2.1.0"].map(|version| net.worker(b, &format!("orders@{version}")));
    let old = net.old_worker(b, "orders@2.3.0").any();
    ready(&mut net, one);
    assert_eq!(net.call(c, "orders@^2", "1"), End::Final(json("1")));
    assert_eq!(net.call(c, "orders@^1", "2"), End::Final(json("2")));
    assert_eq!(net.call(c, "orders@<2.3", "3"), End::Final(json("3")));
    assert_eq!(net.call(c, "orders@2.0.0", "4"), End::Final(json("4")));
    assert_eq!(net.call(c, "orders", "5"), End::Final(json("5")));
    assert_eq!(net.started(old), ["1", "5"]);
    assert_eq!(net.started(one), ["2"]);
    assert_eq!(net.started(newer), ["3"]);
    assert_eq!(net.started(two), ["4"]);
    assert_eq!(net[newer].asked, [Some("orders@<2.3".to_owned())]);
    assert_eq!(net[two].asked, [None]);
    // When the highest leaves, the next lower one is chosen.
    net.kill(old);
    net.run(ms(10));
    assert_eq!(net.call(c, "orders@^2", "6"), End::Final(json("6")));
    assert_eq!(net.started(newer), ["3", "6"]);
}

#[test]
fn prereleases_are_for_those_who_ask_for_them() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let stable = net.worker(b, "orders@2.0.0");
    let rc = net.worker(b, "orders@2.1.0-rc.1");
    ready(&mut net, rc);
    net.call(c, "orders@^2", "1");
    net.call(c, "orders", "2");
    net.call(c, "orders@>=2.1.0-rc.0", "3");
    assert_eq!(net.started(stable), ["1", "2"]);
    assert_eq!(net.started(rc), ["3"]);
    net.kill(stable);
    net.run(ms(10));
    // Only the prerelease is left.
    net.call(c, "orders", "4");
    assert_eq!(net.started(rc), ["3", "4"]);
    let r = net.request_on(c, "orders@^2", json("5"), fail_fast());
    net.run(ms(10));
    assert_eq!(net.end(c, r), failed("W_NONE"));
}

#[test]
fn workers_of_the_very_name_come_first() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let versioned = net.worker(b, "orders@9.0.0");
    ready(&mut net, versioned);
    net.call(c, "orders", "1");
    let plain = net.worker(b, "orders");
    ready(&mut net, plain);
    net.call(c, "orders", "2");
    assert_eq!(net.started(versioned), ["1"]);
    assert_eq!(net.started(plain), ["2"]);
    assert_eq!(net[plain].asked, [None]);
}

#[test]
fn a_range_that_nobody_satisfies_waits() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let old = net.old_client(b);
    let two = net.worker(b, "orders@2.0.0");
    ready(&mut net, two);
    let waits = net.request(c, "orders@^3", "1");
    let also = net.request(old, "orders@^3", "2");
    let expires = net.request_with(c, "orders@^4", json("3"), Some(1000));
    let fails = net.request_on(c, "orders@^3", json("4"), fail_fast());
    net.run(secs(2));
    assert_eq!(net.end(c, fails), failed("W_NONE"));
    assert_eq!(net.end(c, expires), failed("C_TIMEOUT"));
    assert_eq!(net.end(c, waits), None);
    let three = net.worker(b, "orders@3.2.1");
    net.run(secs(1));
    assert_eq!(
        (net.end(c, waits), net.end(old, also)),
        (done("1"), done("2"))
    );
    assert_eq!(net.started(three), ["1", "2"]);
    assert!(net.started(two).is_empty());
}

/// Requests wait for a busy version. They move when it leaves, and when a higher one registers.
#[test]
fn waiting_requests_move_with_the_workers() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let two = net.worker(b, "orders@2.0.0");
    let one = net.worker(b, "orders@1.0.0");
    ready(&mut net, one);
    net.serve(two, |_| Job::endless());
    let running = net.request(c, "orders", "0");
    net.run(ms(10));
    let waiting = [1, 2, 3].map(|n| net.request(c, "orders@*", &n.to_string()));
    net.run(ms(10));
    assert_eq!(net.ends(c, &waiting), vec![None; 3]);
    let three = net.worker(b, "orders@3.0.0");
    net.serve(three, |body| match *body.bytes {
        [b'1'] => Job::echo(body),
        _ => Job::endless(),
    });
    net.run(ms(20));
    assert_eq!(net.started(three), ["1", "2"]);
    net.kill(three);
    net.kill(two);
    net.run(ms(10));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(
        net.ends(c, &waiting),
        [done("1"), failed("W_LOST"), done("3")]
    );
    assert_eq!(net.started(one), ["3"]);
}

/// After the death of the broker, workers claim under the names of their services, and clients resume under the names
/// that they called.
#[test]
fn a_range_is_found_again_after_the_death_of_the_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let two = net.worker(b, "orders@2.0.0");
    net.serve(two, |body| Job::echo(body).every(secs(5)));
    ready(&mut net, two);
    let running = net.request(c, "orders@^2", "1");
    let parked = net.request(c, "orders@^2", "2");
    net.run(secs(1));
    net.kill(b);
    net.run(secs(1));
    net.start(b);
    net.run(secs(20));
    assert_eq!(net.ends(c, &[running, parked]), [done("1"), done("2")]);
    assert_eq!(net.started(two), ["1", "2"]);
}

#[test]
fn mdp_clients_ask_for_versions_too() {
    let mut net = Net::new();
    let b = net.broker();
    let two = net.worker(b, "orders@2.0.0");
    ready(&mut net, two);
    let raw = net.raw(b, b"mdp");
    net.say(raw, "MDPC02|\u{1}|orders@2.x|hello");
    let heard = net.heard(raw);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].contains("orders@2.x"), "{heard:?}");
    assert_eq!(net[two].started.len(), 1);
}

/// The behaviour of PIGATO, as an option of the broker.
#[test]
fn all_versions_that_satisfy_may_share_the_work() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.policies.spreads = true);
    let c = net.client(b);
    let [one, two, three] =
        ["1.0.0", "2.0.0", "2.1.0"].map(|version| net.worker(b, &format!("orders@{version}")));
    ready(&mut net, three);
    for n in 0..20 {
        net.call(c, "orders@^2", &n.to_string());
    }
    net.call(c, "orders", "20");
    let counts = [one, two, three].map(|w| net.started(w).len());
    assert_eq!(counts, [0, 10, 11]);
    // No request waits for one version while another is idle, however long that has been idle.
    net.serve(three, |_| Job::endless());
    net.serve(two, |body| Job::echo(body).every(secs(1)));
    let requests: Vec<u64> = (0..6)
        .map(|n| net.request(c, "orders@^2", &n.to_string()))
        .collect();
    net.run(secs(20));
    assert_eq!(net.ends(c, &requests).iter().flatten().count(), 5);
    net.kill(three);
    net.run(ms(10));
    assert_eq!(net.ends(c, &requests).iter().flatten().count(), 6);
}

#[test]
fn a_request_that_one_version_rejects_goes_to_another_that_shares_the_range() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.policies.spreads = true);
    let c = net.client(b);
    let picky = [0; 2].map(|_| net.worker(b, "orders@1.1.0"));
    for worker in picky {
        net.serve(worker, |_| Job::reject());
    }
    let willing = net.worker(b, "orders@1.0.0");
    ready(&mut net, willing);
    for n in 0..20 {
        // The willing worker has been idle for the shortest time.
        net.call(c, "orders@1.0.0", "0");
        let r = net.request_on(c, "orders@^1", json(&n.to_string()), fail_fast());
        net.run(ms(100));
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    net.serve(willing, |_| Job::reject());
    let r = net.request_on(c, "orders@^1", json("20"), fail_fast());
    net.run(ms(100));
    assert_eq!(net.end(c, r), failed("W_REJECTED"));
    assert_eq!(net[b].machine.load()[0], 0);
}
