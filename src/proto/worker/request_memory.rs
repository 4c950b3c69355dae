//! The requests that this worker has had, of its current broker and of earlier ones.
//!
//! After the death of a broker, a client may ask the next one for a request that no worker claims. The request has
//! not started if each worker to which the dead broker can have given it denies it, see
//! [`roster`](crate::proto::broker). So a worker remembers its latest requests after their end, as hashes. A
//! collision only prevents a denial.
//!
//! The hashes are kept in blocks, and the oldest block is forgotten as a whole. The first stamp of the broker after a
//! block is the time up to which requests may have been forgotten. A request that was sent later is not among them.

use crate::wire::Frame;
use crate::wire::omdp::{MAX_LIVES, Question, lives_to_frame};
use foldhash::fast::FixedState;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hasher};

/// Number of requests in a block, and number of closed blocks.
const BLOCK: usize = 8192;
const BLOCKS: usize = 16;

#[derive(Debug)]
struct Block {
    ids: Vec<u64>,
    /// The broker of these requests.
    broker: u32,
    /// The first stamp of that broker after these requests.
    bound: Option<u64>,
}

/// A broker that this worker was registered at.
#[derive(Debug)]
struct Life {
    broker: u32,
    session: String,
    /// The worker's number there.
    number: u64,
    /// Requests that the broker gave up to this time may be forgotten.
    forgotten: u64,
}

#[derive(Debug)]
pub(super) struct RequestMemory {
    hasher: FixedState,
    /// The latest requests, of the current broker.
    latest: Vec<u64>,
    blocks: VecDeque<Block>,
    /// The brokers so far, the latest last.
    lives: VecDeque<Life>,
    /// The current or latest broker, and the number of brokers so far.
    broker: u32,
    brokers: u32,
    /// Whether a block waits for a stamp.
    awaits_stamp: bool,
}

impl RequestMemory {
    pub(super) fn new(seed: u64) -> Self {
        RequestMemory {
            hasher: FixedState::with_seed(seed),
            latest: Vec::new(),
            blocks: VecDeque::new(),
            lives: VecDeque::new(),
            broker: 0,
            brokers: 0,
            awaits_stamp: false,
        }
    }

    /// Forgets everything when another life begins.
    pub(super) fn clear(&mut self) {
        self.latest = Vec::new();
        self.blocks.clear();
        self.lives.clear();
        self.awaits_stamp = false;
    }

    /// Handles the hello of a broker. A broker that does not number its workers asks nothing.
    pub(super) fn begin(&mut self, session: &str, number: Option<u64>) {
        let number = number.filter(|_| !session.is_empty());
        let known = self.lives.iter().position(|life| life.session == session);
        let known = known.and_then(|at| self.lives.remove(at));
        if known.as_ref().is_none_or(|life| life.broker != self.broker) {
            self.close_block();
        }
        let life = known.unwrap_or_else(|| {
            self.brokers += 1;
            Life {
                broker: self.brokers,
                session: session.into(),
                number: 0,
                forgotten: 0,
            }
        });
        self.broker = life.broker;
        if let Some(number) = number {
            self.lives.push_back(Life { number, ..life });
        }
        if self.lives.len() > MAX_LIVES {
            self.lives.pop_front();
        }
    }

    /// Records the broker's time.
    pub(super) fn stamp(&mut self, stamp: u64) {
        if !self.awaits_stamp {
            return;
        }
        self.awaits_stamp = false;
        let broker = self.broker;
        let blocks = self.blocks.iter_mut();
        for block in blocks.filter(|each| each.broker == broker && each.bound.is_none()) {
            block.bound = Some(stamp);
        }
    }

    fn id(&self, client: &[u8], rid: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(client);
        hasher.write(rid);
        hasher.finish()
    }

    /// Remembers a request that has left and may have started.
    pub(super) fn note(&mut self, client: &[u8], rid: &[u8]) {
        if self.lives.is_empty() {
            return;
        }
        let id = self.id(client, rid);
        self.latest.push(id);
        if self.latest.len() >= BLOCK {
            self.close_block();
        }
    }

    #[cold]
    fn close_block(&mut self) {
        if self.latest.is_empty() {
            return;
        }
        self.awaits_stamp = true;
        self.blocks.push_back(Block {
            ids: std::mem::take(&mut self.latest),
            broker: self.broker,
            bound: None,
        });
        if self.blocks.len() > BLOCKS
            && let Some(oldest) = self.blocks.pop_front()
            && let Some(at) = self.lives.iter().position(|l| l.broker == oldest.broker)
        {
            match oldest.bound {
                Some(bound) => self.lives[at].forgotten = bound,
                // It is unknown up to which time requests are forgotten.
                None => drop(self.lives.remove(at)),
            }
        }
    }

    /// The brokers, other than that of this session, about whose requests the worker can tell; `None` if there are
    /// none.
    pub(super) fn lives<F: Frame>(&self, session: &str) -> Option<F> {
        let lives = self.lives.iter().filter(|life| life.session != session);
        let frame: F = lives_to_frame(lives.map(|life| (&*life.session, life.number)));
        (!frame.is_empty()).then_some(frame)
    }

    /// The tokens of the requests that this worker certainly never had of that broker. `here` contains the ids of
    /// current requests.
    pub(super) fn denied(
        &self,
        session: &[u8],
        questions: &[Question<'_>],
        here: &HashSet<(&[u8], &[u8])>,
    ) -> Vec<u8> {
        let mut lives = self.lives.iter();
        let Some(life) = lives.find(|life| *life.session.as_bytes() == *session) else {
            return Vec::new();
        };
        let ids = questions.iter().map(|each| self.id(each.client, each.rid));
        let ids: Vec<u64> = ids.collect();
        let asked: HashSet<u64> = ids.iter().copied().collect();
        let all = self.blocks.iter().flat_map(|block| &block.ids);
        let all = all.chain(&self.latest);
        let had: HashSet<u64> = all.filter(|id| asked.contains(id)).copied().collect();
        let mut tokens = Vec::new();
        for (question, id) in questions.iter().zip(ids) {
            let is_here = here.contains(&(question.client, question.rid));
            if question.stamp > life.forgotten && !had.contains(&id) && !is_here {
                tokens.extend(question.token.to_be_bytes());
            }
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::omdp::lives;

    fn ask(had: &RequestMemory, session: &str, stamp: u64, rids: &[usize]) -> Vec<u64> {
        let rids: Vec<String> = rids.iter().map(usize::to_string).collect();
        let questions = rids.iter().enumerate().map(|(token, rid)| Question {
            token: token as u64,
            stamp,
            client: b"c",
            rid: rid.as_bytes(),
        });
        let questions: Vec<Question> = questions.collect();
        let tokens = had.denied(session.as_bytes(), &questions, &HashSet::new());
        crate::wire::omdp::tokens(&tokens).collect()
    }

    fn note(had: &mut RequestMemory, rids: std::ops::Range<usize>) {
        for rid in rids {
            had.note(b"c", rid.to_string().as_bytes());
        }
    }

    #[test]
    fn it_denies_what_it_never_had_of_a_broker_that_it_was_with() {
        let mut had = RequestMemory::new(7);
        note(&mut had, 0..1);
        had.begin("b.1", Some(3));
        note(&mut had, 1..2);
        assert_eq!(had.lives::<Vec<u8>>("b.1"), None);
        had.begin("b.2", Some(5));
        note(&mut had, 2..3);
        let frame: Vec<u8> = had.lives("b.2").expect("a life");
        assert!(lives(&frame).eq([("b.1".into(), 3)]));
        assert_eq!(ask(&had, "b.1", 1, &[1, 2, 3, 4]), [2, 3]);
        assert!(ask(&had, "b.3", 1, &[3]).is_empty());
        let here = HashSet::from([(&b"c"[..], &b"3"[..])]);
        let question = Question {
            token: 1,
            stamp: 1,
            client: b"c",
            rid: b"3",
        };
        assert!(had.denied(b"b.1", &[question], &here).is_empty());
        had.begin("b.1", Some(9));
        assert_eq!(ask(&had, "b.1", 1, &[1, 2, 3, 4]), [2, 3]);
        had.clear();
        assert!(ask(&had, "b.1", 1, &[3]).is_empty());
    }

    #[test]
    fn what_was_sent_before_something_was_forgotten_is_not_denied() {
        let mut had = RequestMemory::new(7);
        had.begin("b.1", Some(1));
        let all = BLOCK * BLOCKS;
        for block in 0..BLOCKS {
            note(&mut had, block * BLOCK..(block + 1) * BLOCK);
            had.stamp(10 + block as u64);
        }
        assert_eq!(ask(&had, "b.1", 1, &[0, all]), [1]);
        note(&mut had, all..all + BLOCK);
        assert!(ask(&had, "b.1", 10, &[0, all, all + BLOCK]).is_empty());
        assert_eq!(ask(&had, "b.1", 11, &[BLOCK, all, all + BLOCK]), [2]);
    }

    #[test]
    fn a_broker_without_stamps_in_time_is_forgotten() {
        let mut had = RequestMemory::new(7);
        had.begin("b.1", Some(1));
        note(&mut had, 0..BLOCK - 1);
        had.begin("b.2", Some(1));
        assert_eq!(ask(&had, "b.1", 1, &[BLOCK]), [0]);
        note(&mut had, BLOCK..BLOCK * (BLOCKS + 1));
        assert!(ask(&had, "b.1", 1, &[0]).is_empty());
        assert_eq!(ask(&had, "b.2", 1, &[0]), [0]);
        for life in 3..60 {
            had.begin(&format!("b.{life}"), Some(1));
        }
        let frame: Vec<u8> = had.lives("").expect("lives");
        assert_eq!(lives(&frame).count(), MAX_LIVES);
        had.begin("", None);
        had.begin("old", None);
        assert_eq!(had.lives.len(), MAX_LIVES);
    }
}
