//! Layouts of the messages that tell which workers may have had a request when their broker died; see
//! `proto::broker::roster`.
//!
//! A broker numbers the workers that register with it. The sum of [`mix`] over their numbers
//! identifies a set of workers.

use super::resume::split_rid;
use crate::wire::sizes::{MAX_ID, MAX_LIST, MAX_ROSTER, MAX_SERVICE};
use crate::wire::{Frame, Malformed};

/// Spreads the numbers of workers, so that different sets have different sums. The finalizer of SplitMix64.
pub fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// The state of the broker to which a roster belongs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RosterHead {
    /// The time at the broker, in µs; never 0.
    pub stamp: u64,
    /// The number of the last worker in the roster.
    pub last: u64,
}

impl RosterHead {
    pub fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.stamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.last.to_be_bytes());
        F::from(&bytes[..])
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let head = number(bytes).and_then(|(stamp, rest)| {
            let (last, rest) = number(rest)?;
            rest.is_empty().then_some(RosterHead { stamp, last })
        });
        head.ok_or(Malformed::Extension)
    }
}

/// The services and the sums of their workers. All services that serve other names than their own share
/// one entry, which has an empty name.
pub fn roster_to_frame<'a, F: Frame>(entries: impl Iterator<Item = (&'a [u8], u64)>) -> F {
    let mut bytes = Vec::new();
    for (service, sum) in entries {
        // The broker admits no longer name.
        let length = u8::try_from(service.len()).unwrap_or(u8::MAX);
        bytes.push(length);
        bytes.extend_from_slice(&service[..usize::from(length)]);
        bytes.extend_from_slice(&sum.to_be_bytes());
    }
    F::from(bytes)
}

/// The entries of such a frame. Decoding has checked the frame, so the iterator omits none.
pub fn roster(mut frame: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    std::iter::from_fn(move || {
        let (service, sum, rest) = split_entry(frame)?;
        frame = rest;
        Some((service, sum))
    })
}

fn split_entry(frame: &[u8]) -> Option<(&[u8], u64, &[u8])> {
    let (&length, rest) = frame.split_first()?;
    let (service, rest) = rest.split_at_checked(usize::from(length))?;
    let (sum, rest) = number(rest)?;
    (service.len() <= MAX_SERVICE).then_some((service, sum, rest))
}

pub(super) fn check_roster<F: Frame>(frame: F) -> Result<F, Malformed> {
    if frame.len() > MAX_ROSTER {
        return Err(Malformed::Size);
    }
    check(frame, |rest| Some(split_entry(rest)?.2))
}

/// Checks that the frame consists of whole entries.
fn check<F: Frame>(frame: F, next: impl Fn(&[u8]) -> Option<&[u8]>) -> Result<F, Malformed> {
    let mut rest = &frame[..];
    while !rest.is_empty() {
        rest = next(rest).ok_or(Malformed::Extension)?;
    }
    Ok(frame)
}

/// A client's knowledge of the broker that died with its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// That broker's session.
    pub session: Box<str>,
    /// The latest stamp of that broker that the client had when it sent the request.
    pub stamp: u64,
    /// The sum of the workers that may have had the request.
    pub sum: u64,
    /// The number of the last worker in the sum.
    pub last: u64,
}

impl Recall {
    pub fn to_frame<F: Frame>(&self) -> F {
        let mut bytes = Vec::with_capacity(24 + self.session.len());
        for number in [self.stamp, self.last, self.sum] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(self.session.as_bytes());
        F::from(bytes)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let recall = number(bytes).and_then(|(stamp, rest)| {
            let (last, rest) = number(rest)?;
            let (sum, session) = number(rest)?;
            Some(Recall {
                session: session_of(session)?,
                stamp,
                sum,
                last,
            })
        });
        recall.ok_or(Malformed::Extension)
    }
}

fn session_of(bytes: &[u8]) -> Option<Box<str>> {
    let fits = (1..=MAX_ID).contains(&bytes.len());
    let session = std::str::from_utf8(bytes).ok().filter(|_| fits)?;
    Some(session.into())
}

/// The earlier brokers of a worker, by their sessions, and its number at each of them.
pub fn lives_to_frame<'a, F: Frame>(lives: impl Iterator<Item = (&'a str, u64)>) -> F {
    let mut bytes = Vec::new();
    for (session, number) in lives {
        let length = u8::try_from(session.len()).unwrap_or(u8::MAX);
        bytes.push(length);
        bytes.extend_from_slice(&session.as_bytes()[..usize::from(length)]);
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    F::from(bytes)
}

/// The entries of such a frame. Decoding has checked the frame, so the iterator omits none.
pub fn lives(mut frame: &[u8]) -> impl Iterator<Item = (Box<str>, u64)> {
    std::iter::from_fn(move || {
        let (session, number, rest) = split_entry(frame)?;
        frame = rest;
        Some((session_of(session)?, number))
    })
}

/// The maximum number of earlier brokers in a hello.
pub const MAX_LIVES: usize = 32;

pub(super) fn check_lives<F: Frame>(frame: F) -> Result<F, Malformed> {
    if lives(&frame).take(MAX_LIVES + 1).count() > MAX_LIVES {
        return Err(Malformed::Extension);
    }
    check(frame, |rest| {
        let (session, _, rest) = split_entry(rest)?;
        session_of(session).map(|_| rest)
    })
}

/// The question to a worker whether it ever had this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// The token of the request at the broker that asks.
    pub token: u64,
    /// The latest stamp of the earlier broker that the client had when it sent the request.
    pub stamp: u64,
    pub client: &'a [u8],
    pub rid: &'a [u8],
}

impl Question<'_> {
    /// The maximum size of an entry, in bytes.
    pub const MOST: usize = 20 + 2 * MAX_ID;

    pub fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.token.to_be_bytes());
        bytes.extend_from_slice(&self.stamp.to_be_bytes());
        for id in [self.client, self.rid] {
            let length = u16::try_from(id.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&id[..usize::from(length)]);
        }
    }
}

/// The questions of such a frame. Decoding has checked the frame, so the iterator omits none.
pub fn questions(mut frame: &[u8]) -> impl Iterator<Item = Question<'_>> {
    std::iter::from_fn(move || {
        let (question, rest) = split_question(frame)?;
        frame = rest;
        Some(question)
    })
}

fn split_question(frame: &[u8]) -> Option<(Question<'_>, &[u8])> {
    let (token, rest) = number(frame)?;
    let (stamp, rest) = number(rest)?;
    let (client, rest) = split_rid(rest)?;
    let (rid, rest) = split_rid(rest)?;
    let question = Question {
        token,
        stamp,
        client,
        rid,
    };
    Some((question, rest))
}

pub(super) fn check_questions<F: Frame>(frame: F) -> Result<F, Malformed> {
    match frame.len() {
        0 => Err(Malformed::Extension),
        length if length > MAX_LIST => Err(Malformed::Size),
        _ => check(frame, |rest| Some(split_question(rest)?.1)),
    }
}

#[cfg(test)]
mod tests;
