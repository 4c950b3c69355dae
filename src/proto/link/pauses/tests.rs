use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn pauses(name: &str, seed: u64) -> Pauses {
    Pauses::new(&LinkConfig {
        heartbeat: ms(1000),
        liveness: 3,
        soon: ms(10),
        reconnect: ms(100),
        reconnect_max: ms(1000),
        away: ms(1000),
        seed,
        expect_beats: true,
        expect_hello: false,
        name: name.into(),
        max_message: None,
    })
}

#[test]
fn pauses_double_with_each_failure_up_to_the_maximum() {
    let mut pauses = pauses("", 0);
    let mut next = || {
        let pause = pauses.next(false);
        pauses.failed();
        pause.as_millis()
    };
    assert_eq!(
        [(); 7].map(|()| next()),
        [100, 100, 200, 400, 800, 1000, 1000]
    );
    pauses.accepted();
    assert_eq!(pauses.next(false), ms(100));
}

#[test]
fn a_peer_that_may_be_awaited_returns_soon() {
    let mut pauses = pauses("", 0);
    pauses.configured.longest = ms(30_000);
    for _ in 0..20 {
        pauses.failed();
    }
    assert_eq!(
        [pauses.next(true), pauses.next(false)],
        [500, 30_000].map(ms)
    );
    pauses.configured.first = ms(5000);
    assert_eq!(pauses.next(true), ms(5000));
}

#[test]
fn a_connection_that_was_in_use_is_opened_again_soon() {
    let mut pauses = pauses("", 0);
    assert_eq!(pauses.soon(false), None);
    pauses.failed();
    let all = [true, true, false, false, false, false].map(|in_use| pauses.soon(in_use));
    let expected = [10, 10, 20, 40, 80].map(|pause| Some(ms(pause)));
    assert_eq!(all, *[&expected[..], &[None]].concat());
    assert_eq!(pauses.next(false), ms(100));
}

#[test]
fn the_pauses_between_attempts_grow_to_half_a_second_and_after_a_minute_to_the_longest() {
    let mut attempts = Attempts::new(ms(10), ms(100), ms(3000));
    let mut pauses = |secs| attempts.pause(Duration::from_secs(secs)).as_millis();
    let all = [(); 8].map(|()| pauses(0));
    assert_eq!(all, [10, 20, 40, 80, 160, 320, 500, 500]);
    assert_eq!([(); 4].map(|()| pauses(60)), [1000, 2000, 3000, 3000]);
    attempts.begin();
    assert!(attempts.are_short());
    assert_eq!(attempts.pause(SEARCH), ms(10));
}

#[test]
fn a_first_pause_that_is_long_is_the_shortest_limit() {
    let mut attempts = Attempts::new(ms(500), ms(5000), ms(1000));
    let all = [(); 5].map(|()| attempts.pause(ms(0)));
    assert_eq!(all, [500, 1000, 2000, 4000, 5000].map(ms));
}

#[test]
fn a_name_that_is_needed_is_asked_for_sooner() {
    let mut pauses = pauses("n", 0);
    assert_eq!(pauses.short_for_name(), None);
    let all = [(); 6].map(|()| {
        pauses.next_for_name();
        pauses.short_for_name()
    });
    assert_eq!(
        all,
        [100, 200, 400, 800, 800, 800].map(|pause| Some(ms(pause)))
    );
}

#[test]
fn the_jitter_is_a_quarter_at_most() {
    let mut pauses = pauses("", 7);
    let all: Vec<u128> = (0..1000).map(|_| pauses.next(false).as_millis()).collect();
    assert!(all.iter().all(|pause| (75..=125).contains(pause)));
    assert!(all.iter().min() < Some(&80) && all.iter().max() > Some(&120));
}

#[test]
fn a_peer_that_disturbs_the_holder_of_its_name_tries_less_often() {
    for (name, longest) in [("n", 8), ("", 60)] {
        let mut pauses = pauses(name, 0);
        let all = [(); 8].map(|()| pauses.next_for_name().as_secs());
        assert_eq!(all[..4], [1, 2, 4, 8]);
        assert_eq!(all[7], longest);
        pauses.named();
        assert_eq!(pauses.next_for_name(), ms(1000));
    }
}
