use super::*;

fn micros(us: u64) -> Duration {
    Duration::from_micros(us)
}

/// How much longer a gap is if the thread sleeps.
const WAKE_UP: u64 = 30;

/// Plays alternating gaps of a client and a worker, which are longer by `WAKE_UP` for a thread
/// that sleeps, and by `harm` for one that spins. Returns the number of spins and their total
/// length.
fn play(
    spinner: &mut Spinner,
    rounds: usize,
    (request, reply): (u64, u64),
    harm: u64,
) -> (usize, Duration) {
    let mut now = spinner.seen + micros(1);
    let (mut spins, mut cost) = (0, Duration::ZERO);
    for _ in 0..rounds {
        for (awaited, gap) in [(Awaited::Request, request), (Awaited::Reply, reply)] {
            let spin = spinner.idle(now, awaited, 1);
            spins += usize::from(spin.is_some());
            let found = spin.is_some_and(|spin| micros(gap + harm) <= spin);
            let gap = micros(gap + if found { harm } else { WAKE_UP });
            if let Some(spin) = spin {
                cost += spin.min(gap);
                if !found {
                    spinner.missed(spin);
                }
            }
            now = now + gap;
            spinner.busy(now, found);
        }
    }
    (spins, cost)
}

#[test]
fn request_after_request_is_spun_for_without_limit() {
    let mut spinner = Spinner::new(Spin::Auto, 2);
    let (spins, _) = play(&mut spinner, 10_000, (120, 130), 0);
    assert!(spins >= 2 * 9_000, "{spins}");
}

#[test]
fn nothing_is_spun_for_where_the_peers_need_the_core() {
    let mut spinner = Spinner::new(Spin::Auto, 2);
    let (spins, _) = play(&mut spinner, 10_000, (120, 130), 45);
    assert!(spins < 1_500, "{spins}");
}

#[test]
fn a_trickle_stays_within_the_budget() {
    let mut spinner = Spinner::new(Spin::Auto, 2);
    let (spins, cost) = play(&mut spinner, 10_000, (900, 150), 0);
    let budget = micros(10_000 * 1110) / SHARE + MAX_SAVED;
    assert!(spins > 0 && cost <= budget, "{spins} spins, {cost:?}");
}

#[test]
fn nothing_is_spun_where_all_gaps_are_long_or_there_is_one_core() {
    let mut rare = Spinner::new(Spin::Auto, 2);
    let nothing = (0, Duration::ZERO);
    assert_eq!(play(&mut rare, 1000, (10_000, 400), 0), nothing);
    let mut alone = Spinner::new(Spin::Auto, 1);
    assert_eq!(play(&mut alone, 1000, (100, 100), 0), nothing);
}

#[test]
fn nothing_is_spun_for_under_load() {
    let mut spinner = Spinner::new(Spin::Auto, 2);
    play(&mut spinner, 1000, (100, 100), 0);
    let now = spinner.seen + micros(100);
    assert!(spinner.idle(now, Awaited::Reply, 1).is_some());
    assert!(spinner.idle(now, Awaited::Reply, TRICKLE + 1).is_none());
    assert!(spinner.idle(now, Awaited::Reply, 0).is_none());
}

#[test]
fn a_core_that_somebody_else_wants_is_given_up_for_longer_and_longer() {
    let mut spinner = Spinner::new(Spin::Auto, 2);
    let (mut now, mut pauses) = (Time::from_micros(1), Vec::new());
    for _ in 0..3 {
        for awaited in [Awaited::Request, Awaited::Reply].into_iter().cycle() {
            if spinner.idle(now, awaited, 1).is_some() {
                break;
            }
            now = now + micros(100);
            spinner.busy(now, false);
        }
        now = now + micros(100);
        assert!(!spinner.goes_on(now), "the clock jumped");
        spinner.busy(now, false);
        pauses.push(spinner.paused.since(now));
    }
    assert_eq!(pauses, [PAUSE, PAUSE * 2, PAUSE * 4]);
}

#[test]
fn a_number_is_taken_at_its_word() {
    let mut never = Spinner::new(Spin::For(Duration::ZERO), 8);
    assert_eq!(play(&mut never, 100, (10, 10), 0).0, 0);
    let mut always = Spinner::new(Spin::For(micros(50)), 1);
    assert_eq!(play(&mut always, 100, (5000, 5000), 0).0, 200);
    assert!(always.goes_on(Time::from_micros(10_000_000)));
}
