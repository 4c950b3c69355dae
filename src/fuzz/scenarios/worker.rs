//! Seeds of the worker.

use super::{PEER, keep, say};
use crate::fuzz::models::WORKER;

fn to_worker(text: &str, gaps: &[u8]) -> Vec<u8> {
    [&[0][..], &say(&WORKER, text, gaps)].concat()
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
