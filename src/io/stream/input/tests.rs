//! Reading from a source that gives the bytes in pieces.

use super::awake::{AWAKE, FAST};
use super::*;
use crate::wire::zmtp::{answer, append_header};
use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

/// Gives these pieces, one with each event of the system.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    current: VecDeque<u8>,
    /// How many bytes cause an event, each time it was said.
    wakes_at: Vec<usize>,
    /// After how long the next piece comes without an event.
    soon: Option<Duration>,
    /// The waits for such a piece.
    waits: usize,
}

impl Pieces {
    fn new<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Self {
        Pieces {
            pieces: pieces.map(Vec::from).collect(),
            current: VecDeque::new(),
            wakes_at: Vec::new(),
            soon: None,
            waits: 0,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.current.len() {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => self.current.read(buffer),
        }
    }
}

impl Source for &mut Pieces {
    fn wake_at(&mut self, bytes: usize) {
        self.wakes_at.push(bytes);
    }

    fn await_bytes(&mut self, _bytes: usize, most: Duration) -> Option<Duration> {
        self.waits += 1;
        let taken = self.soon.filter(|after| *after <= most)?;
        self.current = self.pieces.pop_front()?.into();
        Some(taken)
    }
}
impl Source for io::Empty {}

fn messages() -> Vec<Vec<Vec<u8>>> {
    let sizes: &[&[usize]] = &[
        &[0],
        &[3, 0, 300],
        &[LARGE - 1, LARGE, 5],
        &[BUFFER * 3 + 7],
        &[TURN * 2 + 3, 2],
        &[1, BUFFER, BUFFER + 1],
        &[40; 2000],
        &[255, 256],
    ];
    let bytes = |len: usize| (0..len).map(|at| (at % 251) as u8).collect();
    let message = |sizes: &&[usize]| sizes.iter().map(|len| bytes(*len)).collect();
    sizes.iter().map(message).collect()
}

fn encoded() -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages() {
        for (at, frame) in message.iter().enumerate() {
            append_header(&mut out, frame.len(), at + 1 < message.len());
            out.extend_from_slice(frame);
        }
        out.extend_from_slice(b"\x04\x07\x04PING\0\x01");
    }
    out
}

#[test]
fn messages_are_the_same_however_their_bytes_arrive() {
    let bytes = encoded();
    for size in [
        7,
        63,
        1000,
        LARGE,
        BUFFER - 1,
        BUFFER,
        BUFFER + 9,
        bytes.len(),
    ] {
        let mut source = Pieces::new(bytes[5.min(size)..].chunks(size));
        let mut input = Input::new(&bytes[..5.min(size)], TURN as u64 * 3);
        let (mut found, mut commands) = (Vec::new(), 0);
        loop {
            match input.next(&mut source).unwrap() {
                Next::Command(ping) => {
                    assert_eq!(answer(&ping), Some(b"\x04\x05\x04PONG".to_vec()));
                    commands += 1;
                }
                Next::Message => {
                    let (mut head, mut rest) = (Raw::new(), Vec::new());
                    assert!(input.take(&mut head, &mut rest));
                    let rest = rest.iter().map(|frame| frame.to_vec());
                    found.push([head.to_vec()].into_iter().chain(rest).collect::<Vec<_>>());
                }
                // The turn is over.
                Next::Nothing if input.may_have_more() => input.wake(),
                Next::Nothing => {
                    assert!(source.current.is_empty());
                    let Some(piece) = source.pieces.pop_front() else {
                        break;
                    };
                    source.current = piece.into();
                    input.wake();
                }
            }
        }
        assert_eq!(found, messages(), "pieces of {size}");
        assert_eq!(commands, found.len());
    }
}

#[test]
fn the_longest_command_is_one_in_pieces_too() {
    let len = MAX_COMMAND as usize;
    let mut bytes = vec![6];
    bytes.extend_from_slice(&MAX_COMMAND.to_be_bytes());
    bytes.resize(bytes.len() + len, b'x');
    let (first, rest) = bytes.split_at(len / 2);
    let mut source = Pieces::new([].into_iter());
    source.current = first.to_vec().into();
    let mut input = Input::new(&[], 1 << 20);
    assert_eq!(input.next(&mut source).unwrap(), Next::Nothing);
    source.current = rest.to_vec().into();
    input.wake();
    let command = Next::Command(vec![b'x'; len]);
    assert_eq!(input.next(&mut source).unwrap(), command);
}

#[test]
fn a_reader_sleeps_until_a_large_frame_is_there_and_not_beyond_it() {
    let len = TURN + AWAITED + 5;
    let mut bytes = Vec::new();
    append_header(&mut bytes, len, false);
    let mut source = Pieces::new([].into_iter());
    let mut input = Input::new(&bytes, len as u64);
    for piece in [0, 5, TURN, AWAITED - 1, 1] {
        source.current = vec![0; piece].into();
        input.wake();
        while input.next(&mut source).unwrap() == Next::Nothing && input.may_have_more() {
            input.wake();
        }
    }
    assert!(input.take(&mut Raw::new(), &mut Vec::new()));
    assert_eq!(source.wakes_at, [TURN, AWAITED, 1]);
}

/// A large frame whose pieces follow each other after this time, of which one is there.
fn large_in_pieces(piece: usize, after: Duration) -> (Pieces, Input) {
    let len = TURN - BUFFER;
    let mut bytes = Vec::new();
    append_header(&mut bytes, len, false);
    let body = vec![0; len];
    let mut source = Pieces::new(body.chunks(piece));
    source.soon = Some(after);
    source.current = source.pieces.pop_front().unwrap().into();
    (source, Input::new(&bytes, len as u64))
}

/// The bytes of such a frame that are left after a turn.
fn left_after_a_turn(piece: usize, after: Duration, may_wait: bool) -> usize {
    let (mut source, mut input) = large_in_pieces(piece, after);
    input.wake();
    if may_wait {
        input.may_wait();
    }
    input.next(&mut source).unwrap();
    source.pieces.iter().map(Vec::len).sum()
}

#[test]
fn a_reader_stays_awake_for_a_large_frame_that_comes_fast() {
    let piece = FAST * 2;
    let soon = AWAKE / 20;
    let first_only = TURN - BUFFER - piece;
    assert_eq!(left_after_a_turn(piece, soon, true), 0);
    // It does not wait for long, in all,
    assert_eq!(left_after_a_turn(piece, AWAKE + soon, true), first_only);
    let third = left_after_a_turn(piece, AWAKE / 3, true);
    assert_eq!(third, first_only - 3 * piece);
    // nor for what comes slowly, nor while others wait.
    assert_eq!(left_after_a_turn(1500, soon, true), TURN - BUFFER - 1500);
    assert_eq!(left_after_a_turn(piece, soon, false), first_only);
}

#[test]
fn a_sender_that_is_slow_is_awaited_once_in_a_frame_and_then_not_in_some() {
    let mut waits = Vec::new();
    let (mut source, mut input) = large_in_pieces(FAST * 2, AWAKE * 2);
    for _ in 0..8 {
        let before = source.waits;
        while !input.message.is_complete() {
            input.wake();
            input.may_wait();
            input.next(&mut source).unwrap();
            if let Some(piece) = source.pieces.pop_front() {
                source.current = piece.into();
            }
        }
        assert!(input.take(&mut Raw::new(), &mut Vec::new()));
        waits.push(source.waits - before);
        let (next, begun) = large_in_pieces(FAST * 2, AWAKE * 2);
        input.buffer = begun.buffer;
        source.pieces = next.pieces;
        source.current = next.current;
    }
    assert_eq!(waits, [1, 0, 1, 0, 0, 1, 0, 0]);
}

/// Small messages of the same turn wait for its end.
#[test]
fn a_reader_does_not_stay_awake_after_a_message_was_taken() {
    let (mut source, mut input) = large_in_pieces(FAST * 2, AWAKE / 20);
    let mut bytes = Vec::new();
    append_header(&mut bytes, 1, false);
    bytes.push(0);
    bytes.extend_from_slice(input.buffer.bytes());
    input.buffer = Buffer::with(&bytes);
    input.wake();
    input.may_wait();
    assert!(input.next(&mut source).unwrap() == Next::Message);
    assert!(input.take(&mut Raw::new(), &mut Vec::new()));
    assert!(input.next(&mut source).unwrap() == Next::Nothing);
    assert_eq!(source.waits, 0);
}

#[test]
fn the_other_side_cannot_announce_more_than_the_maximum() {
    let announce = |flags: u8, len: u64| {
        let bytes = [&[flags | 2][..], &len.to_be_bytes()].concat();
        Input::new(&bytes, 1 << 20)
            .next(io::empty())
            .err()
            .map(|error| error.kind())
    };
    assert_eq!(announce(0, (1 << 20) + 1), Some(ErrorKind::InvalidData));
    assert_eq!(announce(4, MAX_COMMAND + 1), Some(ErrorKind::InvalidData));
    assert_eq!(announce(0, 1 << 20), Some(ErrorKind::UnexpectedEof));
}
