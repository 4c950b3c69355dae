use super::*;

const MESSAGE: u64 = 10 << 20;

/// The bytes that a connection sends at each check.
const PIECE: u64 = 256 << 10;

const CHECK: Duration = Duration::from_millis(20);

/// The connections of a broker, as libzmq reads them: as long as all have little, and then what is allowed.
struct World {
    endless: Endless,
    now: Time,
    /// Of each connection: what it has sent of its message, how much the message has, and what is allowed.
    connections: HashMap<Fd, (u64, u64, u64)>,
    ended: Vec<(Fd, &'static str)>,
    done: Vec<Fd>,
    /// The most that all had together.
    peak: u64,
    room: u64,
}

fn owner(fd: Fd) -> Arc<Owner> {
    Arc::new(match fd {
        0..100 => Owner::User(format!("{}", fd / 10).into()),
        _ => Owner::Address(format!("{}", fd / 100).into()),
    })
}

impl World {
    fn new(all: u64, of_each: u64) -> World {
        let together = UnfinishedLimits {
            all,
            of_user: of_each,
            of_address: of_each,
        };
        World {
            endless: Endless::new(MESSAGE, together),
            now: Time::ZERO,
            connections: HashMap::new(),
            ended: Vec::new(),
            done: Vec::new(),
            peak: 0,
            room: together.room(),
        }
    }

    fn send(&mut self, fd: Fd, size: u64) {
        self.connections.insert(fd, (0, size, 0));
    }

    fn sum(&self) -> u64 {
        self.connections.values().map(|(sent, ..)| sent).sum()
    }

    /// Each connection sends a piece if it may, except those that `stall` at this size.
    fn step(&mut self, stall: impl Fn(Fd) -> u64) {
        self.now = self.now + CHECK;
        let mut fds: Vec<Fd> = self.connections.keys().copied().collect();
        fds.sort_unstable();
        let open = fds.len();
        for fd in fds {
            let sum = self.sum();
            let Some((sent, size, allowed)) = self.connections.get_mut(&fd) else {
                continue;
            };
            let wanted = (*sent + PIECE).min(*size).min(stall(fd)).max(*sent);
            let may = match sum < self.room {
                true => wanted,
                false => wanted.min((*allowed).max(*sent)),
            };
            let waits = may < wanted;
            *sent = may;
            let sent = *sent;
            self.peak = self.peak.max(self.sum());
            if sent == self.connections[&fd].1 {
                self.connections.remove(&fd);
                self.done.push(fd);
                self.endless.forget(fd);
                continue;
            }
            self.endless.look(self.now, fd, (sent, waits), open);
        }
        let decisions = self.endless.decide(self.now, owner);
        for (fd, bytes) in decisions.allowed {
            if let Some(connection) = self.connections.get_mut(&fd) {
                connection.2 = bytes;
            }
        }
        for (fd, why) in decisions.ended {
            self.connections.remove(&fd);
            self.ended.push((fd, why));
        }
    }

    fn run(&mut self, steps: usize, stall: impl Fn(Fd) -> u64) {
        for _ in 0..steps {
            self.step(&stall);
        }
    }
}

const GROWS: fn(Fd) -> u64 = |_| u64::MAX;

#[test]
fn a_message_that_is_too_large_ends_and_one_that_becomes_complete_does_not() {
    let mut world = World::new(10 * MESSAGE, 10 * MESSAGE);
    world.send(1, MESSAGE);
    world.send(2, 10 * MESSAGE);
    world.run(100, GROWS);
    assert_eq!(world.done, [1]);
    assert_eq!(world.ended, [(2, "a message without an end")]);
    assert!(!world.endless.watches());
}

#[test]
fn many_large_messages_of_one_user_become_complete_within_the_limit_and_one() {
    let mut world = World::new(8 * MESSAGE, 2 * MESSAGE);
    for fd in 0..10 {
        world.send(fd, MESSAGE);
    }
    world.run(1000, GROWS);
    assert_eq!((world.done.len(), world.ended.len()), (10, 0));
    assert!(world.peak <= 3 * MESSAGE, "{}", world.peak);
}

#[test]
fn many_large_messages_of_many_become_complete_within_the_limit_of_all_and_one() {
    let mut world = World::new(3 * MESSAGE, 2 * MESSAGE);
    for fd in (0..100).step_by(3) {
        world.send(fd, MESSAGE);
    }
    world.run(4000, GROWS);
    assert_eq!((world.done.len(), world.ended.len()), (34, 0));
    assert!(world.peak <= 4 * MESSAGE, "{}", world.peak);
}

#[test]
fn those_that_do_not_go_on_end_and_only_of_the_owner_that_has_most() {
    let mut world = World::new(4 * MESSAGE, 3 * MESSAGE);
    // A stranger stops near the end of each message; an honest one sends slowly, another one much.
    let stall = |fd| if fd < 10 { MESSAGE - PIECE } else { u64::MAX };
    for fd in 0..8 {
        world.send(fd, MESSAGE);
    }
    for fd in 20..24 {
        world.send(fd, MESSAGE);
    }
    world.run(1000, stall);
    assert_eq!(world.done.len(), 4);
    assert!(!world.ended.is_empty());
    for (fd, why) in &world.ended {
        assert!((0..10).contains(fd) && *why == "too much of incomplete messages");
    }
    assert!(world.peak <= 5 * MESSAGE, "{}", world.peak);
}

#[test]
fn one_that_stops_beyond_the_limit_of_all_ends() {
    let mut world = World::new(2 * MESSAGE, 2 * MESSAGE);
    for fd in (0..100).step_by(10) {
        world.send(fd, MESSAGE);
    }
    // All stop at the end of the first second but one.
    world.run(50, GROWS);
    let before: HashMap<Fd, u64> = world
        .connections
        .iter()
        .map(|(fd, (sent, ..))| (*fd, *sent + PIECE))
        .collect();
    let beyond = world.endless.allowances.beyond_fd();
    assert!(beyond.is_some());
    world.run(2000, |fd| {
        if fd == 90 {
            u64::MAX
        } else {
            before.get(&fd).copied().unwrap_or(u64::MAX)
        }
    });
    assert!(
        world.done.contains(&90),
        "{:?} {:?}",
        world.done,
        world.ended
    );
    assert!(world.peak <= 3 * MESSAGE, "{}", world.peak);
}

#[test]
fn the_more_connections_the_smaller_are_those_that_count() {
    let together = UnfinishedLimits {
        all: 3 * MESSAGE,
        of_user: u64::MAX,
        of_address: u64::MAX,
    };
    let (mut endless, open) = (Endless::new(MESSAGE, together), 1000);
    let small = 3 * MESSAGE / UNCOUNTED / open;
    for (size, count) in [(small - 1, 0), (small, 1000)] {
        for fd in 0..1000 {
            endless.look(Time::ZERO, fd, (size, false), open as usize);
        }
        assert_eq!(endless.watched().len(), count);
    }
    // No connection waits for them.
    let later = Time::ZERO + Duration::from_secs(100);
    assert_eq!(endless.decide(later, owner), Decisions::default());
}

fn at(ms: u64) -> Time {
    Time::ZERO + Duration::from_millis(ms)
}

fn limits(all: u64, of_each: u64) -> UnfinishedLimits {
    UnfinishedLimits {
        all,
        of_user: of_each,
        of_address: of_each,
    }
}

/// Each of thousands of waiting connections of one user is looked at a few times at each check, not once for each other.
#[test]
fn a_check_of_many_that_wait_looks_at_each_a_few_times() {
    const OPEN: usize = 8000;
    let mut endless = Endless::new(MESSAGE, limits(40 * MESSAGE, 8 * MESSAGE));
    let ours = Arc::new(Owner::User("one".into()));
    for round in 0..40 {
        let now = at(3000 + 100 * round);
        for fd in 0..OPEN as Fd {
            endless.look(now, fd, (64 << 10, true), OPEN);
        }
        let decisions = endless.decide(now, |_| Arc::clone(&ours));
        assert_eq!(decisions.ended, []);
    }
    let looks = endless.allowances.looks.get();
    assert!((40 * OPEN..=6 * 40 * OPEN).contains(&looks), "{looks}");
}

/// The allowance of a message is not kept for the next one.
#[test]
fn the_next_message_of_a_connection_is_allowed_nothing_at_first() {
    let mut endless = Endless::new(MESSAGE, limits(4 * MESSAGE, 4 * MESSAGE));
    endless.look(at(0), 1, (MESSAGE / 2, true), 2);
    let step = limits(4 * MESSAGE, 4 * MESSAGE).step();
    let allowed = endless.decide(at(0), owner).allowed;
    assert_eq!(allowed, [(1, MESSAGE / 2 + step)]);
    endless.look(at(20), 1, (MESSAGE / 4, false), 2);
    assert_eq!(endless.decide(at(20), owner).allowed, [(1, 0)]);
    assert_eq!(endless.decide(at(40), owner).allowed, []);
}

/// The one message that exceeds the maximum of all is as any other when all have less again.
#[test]
fn one_beyond_the_limit_of_all_is_not_ended_for_later_messages() {
    let all = 4 * MESSAGE;
    let mut endless = Endless::new(all, limits(all, all));
    let mut look = |ms: u64, sizes: &[(Fd, u64, bool)]| {
        for &(fd, size, waits) in sizes {
            endless.look(at(ms), fd, (size, waits), 10);
        }
        let decisions = endless.decide(at(ms), owner);
        (decisions.ended, endless.allowances.beyond_fd())
    };
    let large = all - MESSAGE / 4;
    let full = [
        (10, large / 2, false),
        (20, large / 2, false),
        (30, MESSAGE / 4, true),
    ];
    assert_eq!(look(0, &full), (vec![], Some(30)));
    assert_eq!(
        look(20, &[(10, MESSAGE, false), (30, MESSAGE / 4, false)]),
        (vec![], None)
    );
}

/// The pause of one that has little ends nothing although strangers have used up the limit of all.
#[test]
fn a_stalled_message_of_an_owner_with_little_is_not_ended_for_others() {
    let all = 4 * MESSAGE;
    let mut endless = Endless::new(2 * MESSAGE, limits(all, all));
    let mut ended = Vec::new();
    for n in 0..300 {
        let ms = n * 20;
        // Two owners trickle; one of two connections of a third one pauses, while the other one waits.
        let grown = n * (2 << 10);
        for fd in [100, 101, 200, 201] {
            endless.look(at(ms), fd, (MESSAGE + grown, fd % 2 == 0), 10);
        }
        endless.look(at(ms), 1, (70 << 10, false), 10);
        endless.look(at(ms), 2, (70 << 10, true), 10);
        ended.extend(endless.decide(at(ms), owner).ended);
    }
    assert!(ended.iter().all(|(fd, _)| *fd >= 100), "{ended:?}");
}
