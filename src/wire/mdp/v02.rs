//! MDP 0.2, <https://rfc.zeromq.org/spec/18/>: partials, commands on both sides, no delimiter.

use super::Layout;

pub(super) const LAYOUT: Layout = Layout {
    delimiter: false,
    client: b"MDPC02",
    worker: b"MDPW02",
    commands: Some([1, 2, 3]),
    names_service: true,
    partial: Some(3),
    last: 4,
    heartbeat: 5,
    disconnect: 6,
};

#[cfg(test)]
mod tests {
    use super::super::Dialect::V02;
    use super::super::testing::*;
    use crate::wire::Malformed::*;

    #[test]
    fn golden() {
        from_peer(V02, "MDPC02|\u{1}|echo|a|∅", request("echo", "a|∅"));
        to_client(V02, "MDPC02|\u{2}|echo|a", reply(false, Some("echo"), "a"));
        to_client(
            V02,
            "MDPC02|\u{3}|echo|a|b",
            reply(true, Some("echo"), "a|b"),
        );
        from_peer(V02, "MDPW02|\u{1}|echo", ready("echo"));
        to_worker(V02, "MDPW02|\u{2}|Cx|∅|a|b", work("Cx", "a|b"));
        from_peer(V02, "MDPW02|\u{3}|Cx|∅|a", answer(false, "Cx", "a"));
        from_peer(V02, "MDPW02|\u{4}|Cx|∅|a", answer(true, "Cx", "a"));
        beats_and_goodbyes(V02, "MDPW02|\u{5}", "MDPW02|\u{6}");
    }

    #[test]
    fn malformed() {
        common_faults(V02, "MDPC02|\u{1}", "MDPW02", "\u{4}", ["\u{5}", "\u{6}"]);
        for (text, why) in [
            ("∅|MDPC02|\u{1}|echo|a", Header),
            ("MDPC02|\u{2}|echo|a", Command),
            ("MDPC02|\u{3}|echo|a", Command),
            ("MDPW02|\u{3}|Cx|a", Name),
            ("MDPW02|\u{7}", Command),
        ] {
            refused(V02, text, why);
        }
        refused_by_client(V02, "MDPC02|\u{1}|echo|a", Command);
        refused_by_client(V02, "MDPC02|\u{3}|echo", Short);
    }
}
