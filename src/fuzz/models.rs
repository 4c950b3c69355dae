//! Valid and slightly invalid messages: random bytes would hardly ever be a message that a machine
//! acts on.
//!
//! A model is a message with gaps, filled with what the machine itself has sent before, so that
//! replies name existing requests. Some filled models are then damaged.

mod lists;

use super::input::{Frames, Input};
pub(super) use lists::{BROKER, CLIENT, HELD, WORKER};

/// The values for the gaps.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Requests that the current sender was given: client, request id, token.
    pub(super) requests: Vec<(Vec<u8>, Vec<u8>, u64)>,
}

/// The number of remembered requests.
const REMEMBERED: usize = 8;

impl Known {
    pub(super) fn remember(&mut self, client: &[u8], rid: &[u8], token: u64) {
        if self.requests.len() == REMEMBERED {
            self.requests.remove(0);
        }
        self.requests.push((client.to_vec(), rid.to_vec(), token));
    }
}

const SERVICES: [&str; 5] = ["echo", "echo2", "mmi.service", "mmi.x", "echo*"];

/// `S`: a service; `A`, `R` and `T`: client, id and token of a request; `n`: one of a few request
/// ids; `E`, `G`, `X` and `Q`: the extension frames of a reply, of a REQUEST to a worker, of a
/// result and of a client's REQUEST; `H`: a hello; `J` and `N`: frames of CHUNK and NEED. For
/// recovery: `C`: a client; `L`: ids of requests; `P`, `K` and `M`: the frames of a client's
/// RESUME, of CLAIM, and of RESUME to a worker.
fn gap(name: u8, input: &mut Input, known: &Known) -> Option<Vec<u8>> {
    let which = |input: &mut Input| {
        let back = input.below(4);
        let at = known.requests.len().checked_sub(1 + back);
        at.or(known.requests.len().checked_sub(1))
            .map(|at| &known.requests[at])
    };
    Some(match name {
        b'S' => input.pick(&SERVICES).as_bytes().to_vec(),
        b'A' => which(input).map_or(b"c1".to_vec(), |known| known.0.clone()),
        b'R' => which(input).map_or(b"1".to_vec(), |known| known.1.clone()),
        b'T' => which(input).map_or(0, |known| known.2).to_be_bytes().into(),
        b'n' => vec![b'0' + input.byte() % 6],
        b'E' => {
            let flags = *input.pick(&[0, 1, 4, 12, 5, 8]);
            let token = which(input).map_or(0, |known| known.2);
            let pace: &[u8] = match input.below(3) {
                0 => &[0, 9, 0, 0, 1, 0],
                _ => &[],
            };
            let paced = if pace.is_empty() { 0 } else { 0x10 };
            [&[flags | paced][..], &token.to_be_bytes(), pace].concat()
        }
        b'G' => {
            let (flags, again): (u8, &[u8]) =
                *input.pick(&[(0, &[][..]), (1, &[]), (0x20, &[2]), (4, &[])]);
            let token = which(input).map_or(0, |known| known.2);
            [&[flags][..], &token.to_be_bytes(), again].concat()
        }
        b'X' => vec![*input.pick(&[0, 1, 4, 12, 5, 8])],
        b'Q' => {
            let flags = *input.pick(&[0, 1, 2, 3, 4]);
            let timeout = *input.pick(&[-1, 0, 1, 60, 5000, i32::MAX, -2]);
            let (how, again): (u8, &[u8]) =
                *input.pick(&[(0, &[][..]), (0x20, &[2]), (0x10, &[]), (0x30, &[1])]);
            [&[flags | how][..], &timeout.to_be_bytes(), again].concat()
        }
        b'J' => {
            let flags: u8 = *input.pick(&[0, 1, 2, 0, 3]);
            let at: u64 = *input.pick(&[0, 0, 65, 130, u64::MAX]);
            [&[flags][..], &at.to_be_bytes()].concat()
        }
        b'N' => {
            let flags: u8 = *input.pick(&[1, 0, 1, 3, 2]);
            let have: u64 = *input.pick(&[0, 0, 65, 66, u64::MAX]);
            let limit: u64 = *input.pick(&[1024, 0, 1, u64::MAX]);
            [&[flags][..], &have.to_be_bytes(), &limit.to_be_bytes()].concat()
        }
        b'H' => hello(input),
        b'C' => input.pick(&[b"c0", b"c1"]).to_vec(),
        b'L' => {
            let mut rids = Vec::new();
            for _ in 0..=input.below(3) {
                let mut rid = match which(input) {
                    Some(known) => known.1.clone(),
                    None => vec![b'0' + input.byte() % 6],
                };
                if input.below(4) == 3 {
                    rid.extend(b".1");
                }
                rids.extend((rid.len() as u16).to_be_bytes());
                rids.extend(rid);
            }
            rids
        }
        b'P' => {
            let received = u32::from(input.byte() % 3);
            let wait = *input.pick(&[0_u32, 100, 7500, u32::MAX]);
            let read = *input.pick(&[0_u64, 100, u64::MAX]);
            let bytes = [received.to_be_bytes(), wait.to_be_bytes()].concat();
            let here = [input.byte() % 3];
            [&bytes[..], &read.to_be_bytes(), &here].concat()
        }
        b'K' => {
            let state = input.byte() % 4;
            let number = u64::from(input.byte() % 6).to_be_bytes();
            let token = match input.byte() % 2 {
                0 => Vec::new(),
                _ => which(input)
                    .map_or(0, |known| known.2)
                    .to_be_bytes()
                    .to_vec(),
            };
            [&[state][..], &number, &token].concat()
        }
        b'M' => {
            let number = which(input).map_or(0, |known| known.2);
            let token = u64::from(input.byte());
            let received = u32::from(input.byte() % 3);
            let read = *input.pick(&[0_u64, 100, u64::MAX]);
            let bytes = [number.to_be_bytes(), token.to_be_bytes()].concat();
            [&bytes[..], &received.to_be_bytes(), &read.to_be_bytes()].concat()
        }
        _ => return None,
    })
}

fn hello(input: &mut Input) -> Vec<u8> {
    let heartbeat = *input.pick(&[2500, 1, 60_000, i32::MAX as i64, 0]);
    let liveness = *input.pick(&[3, 1, 1000, 1001]);
    let more: String = match input.below(8) {
        0 => "".into(),
        1 => r#","packed":true"#.into(),
        n => {
            let concurrency = *input.pick(&[1, 0, -1, 2, i64::MAX, -2]);
            let prefetch = *input.pick(&[0, 1, 9, i64::from(u32::MAX), -1]);
            let packed = n % 2 == 0;
            format!(r#","concurrency":{concurrency},"prefetch":{prefetch},"packed":{packed}"#)
        }
    };
    let who = input.byte();
    let session = who % 3;
    let more = match who & 0xc0 {
        0 => more,
        0x40 => more + r#","flow":1,"holds":true,"streams":true"#,
        0x80 => more + r#","parks":true"#,
        _ => more + r#","flow":1,"parks":true,"streams":true,"deadlines":true"#,
    };
    format!(
        r#"{{"heartbeat":{heartbeat},"liveness":{liveness},"omdp":1,"session":"s{session}"{more}}}"#
    )
    .into_bytes()
}

/// Fills the gaps of a model, and damages one in four.
pub(super) fn message(models: &[&str], input: &mut Input, known: &Known) -> Frames {
    let text = *input.pick(models);
    let mut frames: Frames = text
        .split('|')
        .map(|part| match part.as_bytes() {
            [b'$', name] => gap(*name, input, known).expect("a gap of the list"),
            [] => Vec::new(),
            part => part.to_vec(),
        })
        .collect();
    if input.byte() % 4 == 3 {
        spoil(&mut frames, input);
    }
    frames
}

fn spoil(frames: &mut Frames, input: &mut Input) {
    let at = input.below(frames.len());
    match input.below(8) {
        0 => drop(frames.remove(at)),
        1 => frames.insert(at, input.frame()),
        2 => frames.truncate(at),
        3 => frames.push(input.frame()),
        4 => frames.swap(0, at),
        5 => frames[at] = input.frame(),
        6 => crate::wire::packed::pack(frames, 0),
        _ => {
            let bit = input.byte();
            if let Some(byte) = frames[at].get_mut(usize::from(bit >> 3) % 16) {
                *byte ^= 1 << (bit & 7);
            }
        }
    }
}
