//! Counters of the broker.

use super::net::*;
use crate::proto::broker::TableStats;

#[test]
fn counts_are_zero_when_all_is_over() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let old = net.old_client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).parts(2).every(ms(1)));
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.request(old, "echo", "2");
    net.request(c, "nobody", "3");
    net.run(ms(2));
    let stats = net[b].machine.stats(crate::proto::Time::ZERO);
    assert_eq!(stats.requests, 3);
    assert_eq!((stats.queued, stats.running), (2, 1));
    let echo = &stats.services[0];
    let echo = &echo.present;
    assert_eq!((echo.workers, echo.idle), (1, 0));
    assert_eq!((echo.queued, echo.running), (1, 1));
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    net.serve(w, |_| Job::error("1"));
    net.call(c, "echo", "4");
    let cancelled = net.request(c, "nobody", "5");
    net.act(c, |client, _| client.cancel(cancelled));
    net.run(secs(70));
    let stats = net[b].machine.stats(crate::proto::Time::ZERO);
    let counters = serde_json::json!({
        "requests": 5, "replies": 2, "failures": 1, "partials": 4,
        "errors": { "C_TIMEOUT": 1 },
        "expired": 1, "cancelled": 1, "retried": 0, "rejected": 0, "refused": 0, "badMessages": 0, "slowPeers": 0,
        "overLimit": 0,
    });
    let stats = serde_json::to_value(stats).expect("JSON");
    assert_eq!(stats["counters"], counters);
    assert_eq!(stats["dialects"]["omdp"]["workers"], 1);
    assert_eq!(stats["dialects"]["mdp/0.1"]["messages"], 0);
    net.kill(w);
    net.kill(c);
    net.run(secs(1));
    let tables = net[b].machine.stats(crate::proto::Time::ZERO).tables;
    assert_eq!(tables, TableStats::default());
}
