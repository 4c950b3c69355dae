use super::*;

const MESSAGE: u64 = 10 << 20;

/// What a connection sends at each check.
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

fn owner(fd: Fd) -> Owner {
    match fd {
        0..100 => Owner::User(format!("{}", fd / 10).into()),
        _ => Owner::Address(format!("{}", fd / 100).into()),
    }
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
    // Nobody waits for them.
    let later = Time::ZERO + Duration::from_secs(100);
    assert_eq!(endless.decide(later, owner), Decisions::default());
}
