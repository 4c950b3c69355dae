//! Seeds of the client.

use super::{PEER, keep, say};
use crate::fuzz::models::CLIENT;

fn to_client(text: &str, gaps: &[u8]) -> Vec<u8> {
    [&[0][..], &say(&CLIENT, text, gaps)].concat()
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
