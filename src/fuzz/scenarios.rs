//! The seeds of the machines' targets: ordinary sequences of events, encoded for these targets.

use super::corpus::seed;
use super::{broker, client, held, run, worker};

/// An operation that sends a model: its number, one byte for each gap, and a zero, which leaves it
/// undamaged.
fn say(models: &[&str], text: &str, gaps: &[u8]) -> Vec<u8> {
    let model = models.iter().position(|model| *model == text);
    let model = model.expect("a model of the list") as u8;
    [&[model], gaps, &[0]].concat()
}

/// A message of a peer to the broker.
fn from(peer: u8, text: &str, gaps: &[u8]) -> Vec<u8> {
    [&[0, peer][..], &say(&broker::MODELS, text, gaps), &[0]].concat()
}

fn to_client(text: &str, gaps: &[u8]) -> Vec<u8> {
    [&[0][..], &say(&client::MODELS, text, gaps)].concat()
}

fn to_worker(text: &str, gaps: &[u8]) -> Vec<u8> {
    [&[0][..], &say(&worker::MODELS, text, gaps)].concat()
}

/// Checks that the corpus contains the seed, and runs the target on it.
fn keep(target: &str, before: &[u8], operations: &[Vec<u8>]) {
    let bytes = [before, &operations.concat()].concat();
    seed(target, &bytes);
    run(target, &bytes);
}

/// Heartbeat 2500, liveness 3, session s0; for a worker also: concurrency 1, prefetch 9, packed.
const PEER: [u8; 4] = [0, 0, 1, 0];
const PREFETCHING: [u8; 6] = [0, 0, 2, 0, 2, 0];

const NEXT: u8 = 13;
const RULES: u8 = 15;

#[test]
fn of_what_is_kept() {
    // A message of a peer in which one frame has a length of a power of two.
    let say = |peer: u8, text: &str, gaps: &[u8], size: u8, frame: u8| {
        [
            &[peer, 7][..],
            &say(&held::MODELS, text, gaps),
            &[size, frame],
        ]
        .concat()
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

#[test]
fn of_the_client() {
    const START: u8 = 15;
    const UP: u8 = 11;
    const DOWN: u8 = 12;
    let before = |await_hello: bool| [0, u8::from(!await_hello)];
    let ask = || vec![6, 2, 0, 2];
    let welcome = || to_client("C|1|$H", &PEER);
    let begin = || vec![START, UP];
    keep(
        "client",
        &before(false),
        &[
            begin(),
            welcome(),
            ask(),
            to_client("C|3|$R|0|1|$X", &[0, 0]),
        ],
    );
    keep(
        "client",
        &before(true),
        &[
            begin(),
            ask(),
            welcome(),
            to_client("C|6|$R|0|1|$X", &[0, 0]),
            vec![14, 14],
        ],
    );
    keep(
        "client",
        &before(false),
        &[
            ask(),
            begin(),
            ask(),
            vec![9, 0],
            vec![DOWN, 1],
            vec![14, UP],
            ask(),
            to_client("C|5", &[]),
        ],
    );
    let code = to_client("C|3|$R|\"W_LOST\"||\u{c}", &[0]);
    keep(
        "client",
        &before(false),
        &[begin(), welcome(), ask(), code, vec![START, 0]],
    );
    let mdp = [
        begin(),
        ask(),
        ask(),
        to_client("|MDPC01|echo|1|x", &[]),
        vec![9, 0],
        vec![14, UP],
        ask(),
    ];
    keep("client", &[5, 1], &mdp);
}

#[test]
fn of_the_client_of_a_broker_that_dies() {
    let begin = |session| [vec![14, 11], to_client("C|1|$H", &[0, 0, 1, session])].concat();
    let lost = || vec![12, 1];
    let ask = || vec![6, 2, 0, 2];
    let word = |text| to_client(text, &[0, 0, 0]);
    let found = [
        vec![15],
        begin(0x40),
        ask(),
        to_client("C|6|$R|0|1|$X", &[0, 0]),
        lost(),
        begin(0x41),
        word("C|11|$L"),
        to_client("C|3|$R|0|1|$X", &[0, 0]),
    ];
    keep("client", &[0, 1], &found);
    let same = [vec![15], begin(0), ask(), lost(), begin(0)];
    keep("client", &[0, 1], &same);
    let again = [
        vec![15],
        begin(0),
        ask(),
        lost(),
        begin(1),
        lost(),
        begin(2),
    ];
    keep("client", &[0, 1], &again);
    let parked = [
        vec![15],
        begin(0),
        ask(),
        word("C|12|$L"),
        lost(),
        begin(1),
        word("C|13|$L"),
        vec![14],
    ];
    keep("client", &[0, 1], &parked);
}

#[test]
fn of_the_worker_of_a_broker_that_dies() {
    let all = [0, 0, 0, 0];
    let begin = |session| [vec![14, 11], to_worker("W|1|$H", &[0, 0, 1, session])].concat();
    let lost = || vec![12, 1];
    let work = || to_worker("W|2|$A|$n|1|{}|\0\0\0\0\0\0\0\0\u{1}", &[0, 1]);
    let (take, end) = (|| vec![6], || vec![7, 0, 4, 0]);
    let resume = || to_worker("W|11|$M", &[0, 7, 0, 0]);
    let start = || [vec![15], begin(0), work()].concat();
    let running = [start(), take(), lost(), begin(1), resume(), end()];
    keep("worker", &all, &running);
    let over = [start(), take(), lost(), end(), begin(1), resume()];
    keep("worker", &all, &over);
    let nobody = || to_worker("W|12|$T", &[0]);
    keep(
        "worker",
        &all,
        &[start(), take(), lost(), begin(1), nobody()],
    );
    keep(
        "worker",
        &all,
        &[start(), take(), lost(), end(), begin(1), nobody()],
    );
    keep("worker", &all, &[start(), take(), lost(), begin(0)]);
    keep("worker", &all, &[start(), lost(), begin(1), work(), take()]);
    keep("worker", &all, &[start(), take(), lost(), vec![14, 14, 14]]);
}

#[test]
fn of_the_worker() {
    const START: u8 = 15;
    const UP: u8 = 11;
    let all = [0, 0, 0, 0];
    let welcome = || to_worker("W|1|$H", &PEER);
    let begin = || vec![START, UP];
    let work = |token| {
        to_worker(
            &format!("W|2|$A|$n|1|{{}}|\0\0\0\0\0\0\0\0{token}"),
            &[0, 1],
        )
    };
    let (one, two) = ('\u{1}', '\u{2}');
    let (take, end) = (|| vec![6], || vec![7, 0, 4, 0]);
    let stop = || vec![START, 0, 5];
    keep(
        "worker",
        &all,
        &[begin(), welcome(), work(one), take(), end()],
    );
    keep(
        "worker",
        &all,
        &[
            begin(),
            welcome(),
            work(one),
            work(two),
            take(),
            vec![13, 20],
            stop(),
            to_worker("W|5", &[]),
        ],
    );
    keep(
        "worker",
        &all,
        &[
            begin(),
            welcome(),
            work(one),
            to_worker("W|8|\0\0\0\0\0\0\0\u{1}", &[]),
            stop(),
            vec![14, 14],
        ],
    );
    let old = || to_worker("W|2|$A|$n|1", &[0, 1]);
    keep(
        "worker",
        &all,
        &[
            begin(),
            old(),
            take(),
            vec![9, 0, 1],
            vec![12, 1],
            vec![14, UP],
            old(),
        ],
    );
    let mdp = || to_worker("|MDPW01|\u{2}|c||1|x", &[]);
    keep(
        "worker",
        &[5, 0, 0, 0],
        &[begin(), mdp(), take(), vec![9, 0, 4], end(), stop()],
    );
}
