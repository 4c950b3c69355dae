//! MDP 0.2 as majortomo sends it: a delimiter as in 0.1, other command numbers on the client's
//! side, and replies to clients without the name of the service.

use super::{Layout, v02};

pub(super) const LAYOUT: Layout = Layout {
    delimiter: true,
    commands: Some([2, 3, 4]),
    names_service: false,
    ..v02::LAYOUT
};

#[cfg(test)]
mod tests {
    use super::super::Dialect::Majortomo;
    use super::super::testing::*;
    use crate::wire::Malformed::*;

    #[test]
    fn golden() {
        from_peer(Majortomo, "∅|MDPC02|\u{2}|echo|a|∅", request("echo", "a|∅"));
        to_client(Majortomo, "∅|MDPC02|\u{3}|a", reply(false, None, "a"));
        to_client(Majortomo, "∅|MDPC02|\u{4}|a|b", reply(true, None, "a|b"));
        from_peer(Majortomo, "∅|MDPW02|\u{1}|echo", ready("echo"));
        to_worker(Majortomo, "∅|MDPW02|\u{2}|Cx|∅|a|b", work("Cx", "a|b"));
        from_peer(Majortomo, "∅|MDPW02|\u{3}|Cx|∅|a", answer(false, "Cx", "a"));
        from_peer(Majortomo, "∅|MDPW02|\u{4}|Cx|∅|a", answer(true, "Cx", "a"));
        beats_and_goodbyes(Majortomo, "∅|MDPW02|\u{5}", "∅|MDPW02|\u{6}");
    }

    #[test]
    fn malformed() {
        let tags = ["\u{5}", "\u{6}"];
        common_faults(Majortomo, "∅|MDPC02|\u{2}", "∅|MDPW02", "\u{4}", tags);
        for (text, why) in [
            ("MDPC02|\u{2}|echo|a", Header),
            ("∅|MDPC02|\u{1}|echo|a", Command),
            ("∅|MDPC02|\u{4}|a", Command),
            ("∅|MDPW02|\u{7}", Command),
        ] {
            refused(Majortomo, text, why);
        }
        refused_by_client(Majortomo, "∅|MDPC02|\u{2}|a", Command);
        refused_by_client(Majortomo, "∅|MDPC02|\u{4}", Short);
    }
}
