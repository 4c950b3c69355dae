//! Work of applications: the jobs of workers, and the requests of clients.

use crate::proto::Time;
use crate::wire::Body;
use crate::wire::omdp::Place;
use std::collections::BTreeMap;
use std::time::Duration;

/// The end of a request at its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Final(Body<Vec<u8>>),
    Error(Body<Vec<u8>>),
    Failed(String),
}

/// A request, as seen by its client's application.
#[derive(Debug)]
pub struct Seen {
    pub body: Body<Vec<u8>>,
    pub timeout: Option<Duration>,
    pub partials: Vec<Body<Vec<u8>>>,
    /// The number of attempts by its retry policy.
    pub attempts: u8,
    /// The latest reported place.
    pub place: Option<Place<Vec<u8>>>,
    /// The number of attempts before that, as the broker reported it.
    pub earlier: u8,
    pub end: Option<End>,
    /// The time of the end.
    pub at: Time,
    /// Ended by the application, or with its process: no notice may follow.
    pub dropped: bool,
}

impl Seen {
    pub fn new(body: Body<Vec<u8>>, timeout: Option<Duration>) -> Self {
        Seen {
            body,
            timeout,
            partials: Vec::new(),
            attempts: 1,
            place: None,
            earlier: 0,
            end: None,
            at: Time::ZERO,
            dropped: false,
        }
    }

    pub fn partial(&mut self, body: Body<Vec<u8>>) {
        assert!(self.is_open(), "a partial after the end of {self:?}");
        self.partials.push(body);
    }

    pub fn end(&mut self, now: Time, end: End) {
        assert!(self.is_open(), "a second end, {end:?}, of {self:?}");
        self.end = Some(end);
        self.at = now;
    }

    pub fn is_open(&self) -> bool {
        self.end.is_none() && !self.dropped
    }
}

/// The reply of a worker to a request: timed partials, then the end.
#[derive(Debug, Clone)]
pub struct Job {
    pub partials: Vec<Body<Vec<u8>>>,
    /// The time before each partial and before the end.
    pub every: Duration,
    /// `None`: the handler never ends.
    pub end: Option<Outcome>,
    /// Whether its next partial waits for credit.
    pub blocked: bool,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    Final(Body<Vec<u8>>),
    Error(Body<Vec<u8>>),
    Reject(Body<Vec<u8>>),
}

impl Job {
    /// Returns the body at once.
    pub fn echo(body: &Body<Vec<u8>>) -> Job {
        Job {
            partials: Vec::new(),
            every: Duration::ZERO,
            end: Some(Outcome::Final(body.clone())),
            blocked: false,
        }
    }

    pub fn error(value: &str) -> Job {
        Job {
            partials: Vec::new(),
            every: Duration::ZERO,
            end: Some(Outcome::Error(super::json(value))),
            blocked: false,
        }
    }

    pub fn reject() -> Job {
        Job {
            partials: Vec::new(),
            every: Duration::ZERO,
            end: Some(Outcome::Reject(super::json("\"not mine\""))),
            blocked: false,
        }
    }

    pub fn endless() -> Job {
        Job {
            partials: Vec::new(),
            every: Duration::ZERO,
            end: None,
            blocked: false,
        }
    }

    /// Adds this many partials before the end: `0`, `1`, …
    pub fn parts(mut self, count: usize) -> Job {
        self.partials = (0..count).map(|n| super::json(&n.to_string())).collect();
        self
    }

    pub fn every(mut self, pace: Duration) -> Job {
        self.every = pace;
        self
    }
}

/// One step of a handler.
#[derive(Debug)]
pub enum Step {
    Partial(Body<Vec<u8>>),
    End(Outcome),
}

/// The jobs of one worker, by its keys of requests.
#[derive(Debug)]
pub struct Jobs<K>(BTreeMap<K, (Time, Job)>);

impl<K: Ord + Clone> Jobs<K> {
    pub fn new() -> Self {
        Jobs(BTreeMap::new())
    }

    pub fn begin(&mut self, now: Time, key: K, mut job: Job) {
        job.partials.reverse();
        self.0.insert(key, (now + job.every, job));
    }

    pub fn drop(&mut self, key: &K) {
        self.0.remove(key);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn deadline(&self) -> Option<Time> {
        let moving = self.0.values().filter(|(_, job)| job.moves());
        moving.map(|(at, _)| *at).min()
    }

    /// Sets whether the next partial has to wait.
    pub fn block(&mut self, key: &K, blocked: bool) {
        if let Some((_, job)) = self.0.get_mut(key) {
            job.blocked = blocked;
        }
    }

    /// Whether the job exists and does not end by itself.
    pub fn is_endless(&self, key: &K) -> bool {
        let job = self.0.get(key);
        job.is_some_and(|(_, job)| job.end.is_none() && job.partials.is_empty())
    }

    /// The next step whose time has come.
    pub fn due(&mut self, now: Time) -> Option<(K, Step)> {
        let (key, (at, job)) = self
            .0
            .iter_mut()
            .find(|(_, (at, job))| *at <= now && job.moves())?;
        let key = key.clone();
        *at = now + job.every;
        let step = match job.partials.pop() {
            Some(body) => Step::Partial(body),
            None => Step::End(job.end.take()?),
        };
        if !job.moves() && matches!(step, Step::End(_)) {
            self.0.remove(&key);
        }
        Some((key, step))
    }
}

impl Job {
    fn moves(&self) -> bool {
        match self.partials.is_empty() {
            true => self.end.is_some(),
            false => !self.blocked,
        }
    }
}
