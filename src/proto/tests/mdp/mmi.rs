//! Services that the broker itself answers.

use super::*;

#[test]
fn mmi_in_every_dialect() {
    for words in &ALL {
        let (mut net, b, c, w) = pair();
        let ask = |net: &mut Net, service: &str, body: &str| -> String {
            net.say(c, &format!("{}|{service}|{body}", words.client));
            let reply = net.heard(c).remove(0);
            let named = format!("|{service}|");
            assert_eq!(reply.contains(&named), words.name != "mdp/0.2-majortomo");
            reply.rsplit('|').next().unwrap().to_string()
        };
        assert_eq!(ask(&mut net, "mmi.service", "echo"), "404");
        net.say(w, &words.ready());
        assert_eq!(ask(&mut net, "mmi.service", "echo"), "200");
        assert_eq!(ask(&mut net, "mmi.service", "ech"), "404");
        assert_eq!(ask(&mut net, "mmi.else", "echo"), "501");
        let services = ask(&mut net, "mmi.services", "∅");
        let listed = r#"[{"errors":0,"lastError":null,"name":"echo","queued":0,"requests":0,"running":0,"since":"#;
        assert!(services.starts_with(listed), "{services}");
        assert_eq!(ask(&mut net, "$dir", "∅"), r#"{"echo":["W"]}"#);
        assert_eq!(ask(&mut net, "$dir", "echo"), r#"["W"]"#);
        assert_eq!(ask(&mut net, "$dir", "other"), "[]");
        let workers = format!(
            r#"[{{"dialect":"{}","ended":0,"failed":0,"id":1,"running":0,"service":"echo","silent":"#,
            words.name
        );
        let told = ask(&mut net, "mmi.workers", "∅");
        assert!(told.starts_with(&workers), "{told}");
        let stats = ask(&mut net, "mmi.stats", "∅");
        assert!(stats.contains(r#""badMessagesTotal":0"#));
        // Ten questions and a READY; a peer that only asks the broker does not count as a client.
        let counts = r#"{"clients":0,"messagesTotal":11,"workers":1}"#;
        assert!(
            stats.contains(&format!(r#""{}":{counts}"#, words.name)),
            "{stats}"
        );

        let w = net.raw(b, b"V");
        net.say(w, &format!("{}|\u{1}|mmi.mine", words.worker));
        assert_eq!(net.heard(w), [words.goodbye]);
        assert_eq!(faults(&net, b), ["reserved service"]);
        assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    }
}

#[test]
fn mmi_for_our_clients() {
    let mut net = Net::new();
    let b = net.broker();
    let (c, old, w) = (net.client(b), net.old_client(b), net.worker(b, "5"));
    net.run(ms(10));
    assert_eq!(net.call(c, "mmi.service", "\"5\""), End::Final(json("200")));
    assert_eq!(net.call(c, "mmi.service", "\"6\""), End::Final(json("404")));
    assert_eq!(
        net.call(old, "mmi.service", "\"5\""),
        End::Final(json("200"))
    );
    assert_eq!(net.call(c, "mmi.nothing", "null"), End::Final(json("501")));
    assert_eq!(net.started(w), [""; 0]);
    let raw = net.raw(b, b"R");
    net.say(raw, "W|1|mmi.mine");
    assert_eq!(net.heard(raw), ["W|5"]);
}
