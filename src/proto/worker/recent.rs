//! What a worker has said last, which a broker that dies may not have passed on.
//!
//! Nobody acknowledges a reply. When a broker dies, what lies in its buffers and in the kernel's dies
//! with it, and the worker can't know what that was. So it keeps its latest words for a while, to
//! repeat them to a broker that comes after, where a client asks for them.
//!
//! They are kept in two generations. The younger one is full, or is [`KEEP`] old, when it becomes the
//! older one, and the older one is forgotten then: in this way a word costs no more than its copy.
//! They age only with what is heard of the broker: while that is silent, it may be dead.

use crate::proto::Time;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Encoding, Frame};
use std::collections::HashMap;
use std::time::Duration;

/// A broker that was heard so long after a word was sent has passed it on. Long against the moment in
/// which that is true of a broker that is not overloaded, short against what the memory is wanted for.
pub const KEEP: Duration = Duration::from_millis(250);

/// How many words one generation has.
pub const MAX_WORDS: usize = 1000;

/// How many bytes of them it has before the next begins. One word more may be of any size.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Longer bodies are shared, see [`Frame`]; shorter ones lie end to end, which allocates nothing.
const COPIED: usize = 1024;

#[derive(Debug)]
struct Word<F> {
    number: u64,
    at: Time,
    end: Option<End>,
    encoding: Encoding,
    /// `None` is in the generation's text.
    shared: Option<F>,
    len: u32,
}

/// The end of a reply; in the text, in front of the body, stand the client, the rid and the user.
#[derive(Debug, Clone, Copy)]
struct End {
    kind: ReplyKind,
    sent: u32,
    client: u32,
    rid: u32,
    user: Option<u32>,
}

/// A reply that has ended, and all that is left of its request.
#[derive(Debug)]
pub(super) struct Finished<F> {
    pub(super) client: F,
    pub(super) rid: F,
    pub(super) user: Option<F>,
    /// How many parts there were.
    pub(super) sent: u32,
    /// The last of them.
    pub(super) tail: Vec<Body<F>>,
    pub(super) kind: ReplyKind,
    pub(super) body: Body<F>,
}

/// What a broker may not have passed on, by delivery.
pub(super) struct Said<F> {
    /// In the order in which they ended.
    pub(super) finished: Vec<(u64, Finished<F>)>,
    /// Of what has not ended.
    pub(super) parts: HashMap<u64, Vec<Body<F>>>,
}

/// Whose reply has ended, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'a> {
    pub(super) client: &'a [u8],
    pub(super) rid: &'a [u8],
    pub(super) user: Option<&'a [u8]>,
    pub(super) sent: u32,
    pub(super) kind: ReplyKind,
}

#[derive(Debug)]
struct Generation<F> {
    words: Vec<Word<F>>,
    text: Vec<u8>,
    shared: usize,
}

impl<F> Generation<F> {
    const fn new() -> Self {
        Generation {
            words: Vec::new(),
            text: Vec::new(),
            shared: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.words.len() >= MAX_WORDS || self.text.len() + self.shared >= MAX_BYTES
    }
}

/// Both generations.
#[derive(Debug)]
pub(super) struct Recent<F> {
    younger: Generation<F>,
    older: Generation<F>,
    /// When the younger one is old; set while there is any word.
    due: Option<Time>,
}

impl<F> Recent<F> {
    pub(super) const fn new() -> Self {
        Recent {
            younger: Generation::new(),
            older: Generation::new(),
            due: None,
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn len(&self) -> usize {
        let count = self.younger.words.len() + self.older.words.len();
        assert_eq!(self.due.is_some(), count > 0);
        assert!(self.younger.words.len() <= MAX_WORDS);
        assert!(self.older.words.len() <= MAX_WORDS);
        count
    }

    /// The broker is there.
    pub(super) fn heard(&mut self, now: Time) {
        if self.due.is_some_and(|due| due <= now) {
            self.age(now);
        }
    }

    #[cold]
    fn age(&mut self, now: Time) {
        let last = self.younger.words.last().or(self.older.words.last());
        if last.is_none_or(|word| word.at + KEEP <= now) {
            *self = Recent::new();
        } else {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Time) {
        std::mem::swap(&mut self.younger, &mut self.older);
        let Recent { younger, older, .. } = self;
        younger.words.clear();
        younger.text.clear();
        younger.shared = 0;
        // As many are to be expected.
        younger.words.reserve(older.words.len());
        younger.text.reserve(older.text.len());
        self.due = Some(now + KEEP);
    }
}

impl<F: Frame> Recent<F> {
    pub(super) fn part(&mut self, now: Time, number: u64, body: &Body<F>) {
        self.room(now);
        self.put(now, number, None, body);
    }

    pub(super) fn end(&mut self, now: Time, number: u64, ended: Ended<'_>, body: &Body<F>) {
        self.room(now);
        let Ended {
            client,
            rid,
            user,
            sent,
            kind,
        } = ended;
        let text = &mut self.younger.text;
        text.extend_from_slice(client);
        text.extend_from_slice(rid);
        text.extend_from_slice(user.unwrap_or_default());
        let end = End {
            kind,
            sent,
            client: client.len() as u32,
            rid: rid.len() as u32,
            user: user.map(|user| user.len() as u32),
        };
        self.put(now, number, Some(end), body);
    }

    fn room(&mut self, now: Time) {
        if self.younger.is_full() {
            self.turn(now);
        }
        if self.due.is_none() {
            self.due = Some(now + KEEP);
        }
    }

    fn put(&mut self, at: Time, number: u64, end: Option<End>, body: &Body<F>) {
        let Generation {
            words,
            text,
            shared,
        } = &mut self.younger;
        let bytes = &body.bytes;
        let is_shared = bytes.len() > COPIED;
        if is_shared {
            *shared += bytes.len();
        } else {
            text.extend_from_slice(bytes);
        }
        words.push(Word {
            number,
            at,
            end,
            encoding: body.encoding,
            shared: is_shared.then(|| bytes.clone()),
            len: if is_shared { 0 } else { bytes.len() as u32 },
        });
    }

    /// All that a broker which was `heard` last may not have passed on: what has ended, and the parts of
    /// what has not.
    pub(super) fn take(&mut self, heard: Time) -> Said<F> {
        let mut finished = Vec::new();
        let mut parts: HashMap<u64, Vec<Body<F>>> = HashMap::new();
        let Recent { younger, older, .. } = std::mem::replace(self, Recent::new());
        for Generation { words, text, .. } in [older, younger] {
            let mut text = &text[..];
            let mut cut = |len: u32| {
                let (head, rest) = text.split_at(len as usize);
                text = rest;
                F::from(head)
            };
            for word in words {
                let ids = word.end.map(|end| {
                    let (client, rid) = (cut(end.client), cut(end.rid));
                    (end, client, rid, end.user.map(&mut cut))
                });
                let bytes = cut(word.len);
                let body = Body {
                    bytes: word.shared.unwrap_or(bytes),
                    encoding: word.encoding,
                };
                if word.at + KEEP < heard {
                    continue;
                }
                let Some((end, client, rid, user)) = ids else {
                    parts.entry(word.number).or_default().push(body);
                    continue;
                };
                let ended = Finished {
                    client,
                    rid,
                    user,
                    sent: end.sent,
                    tail: parts.remove(&word.number).unwrap_or_default(),
                    kind: end.kind,
                    body,
                };
                finished.push((word.number, ended));
            }
        }
        Said { finished, parts }
    }
}
