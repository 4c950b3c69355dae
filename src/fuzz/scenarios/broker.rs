//! Seeds of the broker, and of what it keeps.

use super::{PEER, PREFETCHING, keep, say};
use crate::fuzz::models::{BROKER, HELD};

const NEXT: u8 = 13;
const RULES: u8 = 15;

/// A message of a peer to the broker.
fn from(peer: u8, text: &str, gaps: &[u8]) -> Vec<u8> {
    [&[0, peer][..], &say(&BROKER, text, gaps), &[0]].concat()
}

#[test]
fn of_what_is_kept() {
    // A message of a peer in which one frame has a length of a power of two.
    let say = |peer: u8, text: &str, gaps: &[u8], size: u8, frame: u8| {
        [&[peer, 7][..], &say(&HELD, text, gaps), &[size, frame]].concat()
    };
    let ready = |size| say(0, "W|1|$S|$H", &[&[0][..], &PREFETCHING].concat(), size, 3);
    let hello = |size| say(2, "C|1|$H", &PEER, size, 2);
    let ask = |id, size| say(2, "C|2|$S|$n|1|{}|$Q", &[0, id, 0, 4, 0], size, 4);
    let resume = |id, size, frame| {
        let gaps = [0, id, 0, 4, 0, 0, 0, 0];
        say(2, "C|11|$S|$n|1|{}|$Q|$P", &gaps, size, frame)
    };
    let claim = |id, size| say(0, "W|11|$C|$n|$K", &[0, id, 0, 0], size, 3);
    keep("held", &[], &[hello(0), ask(1, 12), ask(2, 14), ask(3, 16)]);
    keep("held", &[], &[hello(0), resume(1, 13, 4), resume(2, 16, 3)]);
    keep(
        "held",
        &[],
        &[ready(0), claim(1, 8), claim(2, 16), claim(3, 0)],
    );
    keep("held", &[], &[ready(16), hello(14), ask(1, 0)]);
}

#[test]
fn of_the_broker() {
    let ready = || from(0, "W|1|$S|$H", &[&[0][..], &PREFETCHING].concat());
    let hello = || from(2, "C|1|$H", &PEER);
    let ask = |id| from(2, "C|2|$S|$n|1|{}|$Q", &[0, id, 0, 4, 0]);
    let answer = || from(0, "W|3|$A|$R|0|1|$E", &[0, 0, 0, 0, 1]);
    let gone = |peer| vec![10, peer];
    let next = || vec![NEXT];
    let all = [1, 1, 1];
    keep("broker", &all, &[ready(), hello(), ask(1), answer()]);
    keep(
        "broker",
        &all,
        &[ready(), hello(), ask(1), ask(2), ask(3), gone(0)],
    );
    let tokens = || from(0, "W|9|$T", &[0]);
    keep(
        "broker",
        &all,
        &[hello(), ask(1), ask(2), ready(), tokens(), answer()],
    );
    keep(
        "broker",
        &all,
        &[hello(), ask(1), next(), next(), next(), next()],
    );
    keep(
        "broker",
        &all,
        &[ready(), hello(), ask(1), from(2, "C|8|$n|T", &[1])],
    );
    keep(
        "broker",
        &all,
        &[ready(), hello(), ask(1), gone(2), answer()],
    );
    let old = [
        from(1, "W|1|$S", &[0]),
        from(3, "C|2|$S|$n|1|{\"timeout\":50}", &[0, 1]),
        from(1, "W|6|$A|$R|0|1", &[0, 0]),
        from(3, "C|4|$n", &[1]),
        from(1, "W|3|$A|$R|\"e\"", &[0, 0]),
    ];
    keep("broker", &all, &old);
    let mdp = [
        from(4, "|MDPW01|\u{1}|$S", &[0]),
        from(5, "MDPC02|\u{1}|$S|1", &[0]),
        from(4, "|MDPW01|\u{3}|$A||1|x", &[0]),
        from(4, "|MDPW01|\u{5}", &[]),
    ];
    keep("broker", &all, &mdp);
    let partial = || from(0, "W|6|$A|$R|0|1|$E", &[0, 0, 0, 0, 1]);
    let crossing = [
        ready(),
        from(4, "|MDPC01|$S|1|x", &[0]),
        partial(),
        partial(),
        answer(),
    ];
    keep("broker", &all, &crossing);
    let asked = [
        vec![RULES, 128],
        ready(),
        vec![14, 0],
        hello(),
        ask(1),
        answer(),
        vec![RULES, 1],
    ];
    keep("broker", &all, &asked);
    let resume = || from(2, "C|11|$S|$n|1|{}|$Q|$P", &[0, 1, 0, 4, 0, 0, 2, 0, 0]);
    let claim = |state| from(0, "W|11|$C|$n|$K", &[0, 1, state, 2, 0]);
    for state in 0..3 {
        let first = [ready(), hello(), resume(), claim(state), answer()];
        keep("broker", &all, &first);
        let second = [ready(), hello(), claim(state), resume(), answer()];
        keep("broker", &all, &second);
    }
    // Client and worker, each without the other.
    let alone = [hello(), resume(), next(), ready(), claim(0), next(), next()];
    keep("broker", &all, &alone);
    let parks = || from(2, "C|1|$H", &[0, 0, 1, 0xc0]);
    let go = || from(2, "C|12|$L", &[0, 0, 1, 0]);
    let parked = [parks(), ask(1), next(), ready(), go(), answer()];
    keep("broker", &all, &parked);
}
