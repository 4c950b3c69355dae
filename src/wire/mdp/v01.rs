//! MDP 0.1, <https://rfc.zeromq.org/spec/7/>: one reply for each request, no commands on the
//! client's side.

use super::Layout;

pub(super) const LAYOUT: Layout = Layout {
    delimiter: true,
    client: b"MDPC01",
    worker: b"MDPW01",
    commands: None,
    names_service: true,
    partial: None,
    last: 3,
    heartbeat: 4,
    disconnect: 5,
};

#[cfg(test)]
mod tests {
    use super::super::Dialect::V01;
    use super::super::testing::*;
    use crate::wire::Malformed::*;

    #[test]
    fn golden() {
        from_peer(V01, "∅|MDPC01|echo|a|∅", request("echo", "a|∅"));
        to_client(V01, "∅|MDPC01|echo|a", reply(true, Some("echo"), "a"));
        from_peer(V01, "∅|MDPW01|\u{1}|echo", ready("echo"));
        to_worker(V01, "∅|MDPW01|\u{2}|Cx|∅|a|b", work("Cx", "a|b"));
        from_peer(V01, "∅|MDPW01|\u{3}|Cx|∅|a", answer(true, "Cx", "a"));
        beats_and_goodbyes(V01, "∅|MDPW01|\u{4}", "∅|MDPW01|\u{5}");
    }

    #[test]
    fn malformed() {
        common_faults(V01, "∅|MDPC01", "∅|MDPW01", "\u{3}", ["\u{4}", "\u{5}"]);
        for (text, why) in [
            ("MDPC01|echo|a", Header),
            ("∅|MDPC01", Short),
            ("∅|MDPC01|echo", Short),
            ("∅|MDPC01|∅|a", Name),
            ("∅|MDPW01|\u{6}", Command),
        ] {
            refused(V01, text, why);
        }
        refused_by_client(V01, "∅|MDPC01|echo", Short);
        refused_by_client(V01, "∅|MDPC02|\u{2}|echo|a", Header);
    }
}
