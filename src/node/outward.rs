//! Batches to JavaScript: notices become records, one string and some blobs.

use super::{BINARY, long};
use crate::io::{Message, Taken};
use crate::proto::flow;
use crate::wire::{Body, Encoding};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};

/// How many numbers a record has.
const STRIDE: usize = 5;
/// Where the records begin; before them stand the number of records, the number of blobs, whether
/// more notices are waiting, how many of the records were offers, and how many offers are shown.
const HEADER: usize = 5;

/// The kinds of records. `lib/inbox.js` has the same table.
pub(super) mod kind {
    pub(in crate::node) const PARTIAL: u32 = 1;
    pub(in crate::node) const FINAL: u32 = 2;
    pub(in crate::node) const ERROR: u32 = 3;
    pub(in crate::node) const FAILED: u32 = 4;
    pub(in crate::node) const REQUEST: u32 = 5;
    pub(in crate::node) const CANCELLED: u32 = 6;
    pub(in crate::node) const AUTHENTICATE: u32 = 7;
    pub(in crate::node) const AUTHORIZE: u32 = 8;
    pub(in crate::node) const STATS: u32 = 9;
    pub(in crate::node) const STARTED: u32 = 10;
    pub(in crate::node) const START_FAILED: u32 = 11;
    pub(in crate::node) const STOPPED: u32 = 12;
    pub(in crate::node) const CONNECT: u32 = 13;
    pub(in crate::node) const DISCONNECT: u32 = 14;
    pub(in crate::node) const EVENT: u32 = 15;
    pub(in crate::node) const CREDIT: u32 = 16;
}

/// One batch on its way to JavaScript.
pub(super) struct Outward<'a> {
    into: &'a mut [f64],
    records: usize,
    text: Text,
    blobs: Vec<Blob>,
    /// What is reported now is shown, and not given yet.
    pub(super) shows: bool,
}

/// Data that is not in the text of its batch.
pub(super) enum Blob {
    Bytes(Message),
    /// The JSON of a long string without escapes, quotes included: it crosses without them.
    Text(Message, long::Kind),
}

impl<'a> Outward<'a> {
    pub(super) fn new(into: &'a mut [f64]) -> Self {
        Outward {
            into,
            records: 0,
            text: Text::Ascii(Vec::new()),
            blobs: Vec::new(),
            shows: false,
        }
    }

    /// How many records fit into the array that JavaScript lends.
    pub(super) fn capacity(&self) -> usize {
        self.into.len().saturating_sub(HEADER) / STRIDE
    }

    /// Appends a record; `a` and `b` are lengths of texts that were appended by [`text`](Self::text).
    pub(super) fn record(&mut self, kind: u32, id: u64, a: usize, b: usize) {
        self.counted(kind, id, a, b, 0.0);
    }

    /// The same with a number.
    pub(super) fn counted(&mut self, kind: u32, id: u64, a: usize, b: usize, n: f64) {
        let at = HEADER + self.records * STRIDE;
        if let Some(record) = self.into.get_mut(at..at + STRIDE) {
            record.copy_from_slice(&[f64::from(kind), id as f64, a as f64, b as f64, n]);
            self.records += 1;
        }
    }

    /// Appends text, and gives its length in UTF-16 code units.
    pub(super) fn text(&mut self, utf8: &[u8]) -> usize {
        self.text.push(utf8)
    }

    /// A record with a body: text, or a blob. Its number is what a part of this body costs.
    pub(super) fn body(&mut self, kind: u32, id: u64, body: Body<Message>, extra: &[u8]) {
        let cost = f64::from(flow::cost(&body));
        // What the machines of ours report has crossed the bridge already.
        let blob = match body.encoding {
            Encoding::Binary => Ok(Blob::Bytes(body.bytes)),
            _ => match long::verbatim(&body.bytes) {
                Some(kind) => Ok(Blob::Text(body.bytes, kind)),
                None => Err(body.bytes),
            },
        };
        let (kind, len) = match blob {
            Ok(blob) => {
                self.blobs.push(blob);
                (kind | BINARY, 0)
            }
            Err(text) => (kind, self.text(&text)),
        };
        let extra = self.text(extra);
        self.counted(kind, id, len, extra, cost);
    }

    /// A record with two texts.
    pub(super) fn words(&mut self, kind: u32, id: u64, a: &str, b: &str) {
        let (a, b) = (self.text(a.as_bytes()), self.text(b.as_bytes()));
        self.record(kind, id, a, b);
    }

    /// Something that is emitted under its name, with one object.
    pub(super) fn event(&mut self, name: &str, payload: &serde_json::Value) {
        self.words(kind::EVENT, 0, name, &payload.to_string());
    }

    /// Writes the header, and gives the text and the blobs.
    pub(super) fn finish<'env>(
        self,
        env: &'env Env,
        taken: Taken,
    ) -> Result<(JsString<'env>, Vec<Blob>)> {
        if let Some(header) = self.into.get_mut(..HEADER) {
            header[0] = self.records as f64;
            header[1] = self.blobs.len() as f64;
            header[2] = f64::from(u8::from(taken.more));
            header[3] = taken.offers as f64;
            header[4] = taken.shown as f64;
        }
        let text = match self.text {
            Text::Ascii(bytes) => env.create_string_latin1(bytes)?,
            Text::Wide(units) => env.create_string_utf16(units)?,
        };
        Ok((text, self.blobs))
    }
}

/// Text on its way into one string. V8 makes a string of bytes or of code units at the cost of a
/// copy; decoding UTF-8 itself it is several times slower. So what is ASCII stays bytes, and what
/// is not makes the batch wide.
enum Text {
    Ascii(Vec<u8>),
    Wide(Vec<u16>),
}

impl Text {
    fn push(&mut self, utf8: &[u8]) -> usize {
        if let Text::Ascii(bytes) = self {
            if utf8.is_ascii() {
                bytes.extend_from_slice(utf8);
                return utf8.len();
            }
            *self = Text::Wide(bytes.iter().copied().map(u16::from).collect());
        }
        let Text::Wide(units) = self else {
            return 0;
        };
        let before = units.len();
        // A peer may send what is no UTF-8: it becomes replacement characters, and then most likely
        // no JSON, which is found out where it is parsed.
        units.extend(String::from_utf8_lossy(utf8).encode_utf16());
        units.len() - before
    }
}

/// The blobs of the batch that was drained last, as Buffers and strings. If they may be `kept`, the strings may stay
/// where they are, as long as anybody has them.
pub(super) fn values<'env>(
    env: &'env Env,
    blobs: &mut Vec<Blob>,
    kept: bool,
) -> Result<Vec<Value<'env>>> {
    let value = |blob| match blob {
        Blob::Bytes(bytes) => BufferSlice::copy_from(env, &bytes[..]).map(Either::A),
        Blob::Text(json, kind) => long::to_string(env, json, kind, kept).map(Either::B),
    };
    blobs.drain(..).map(value).collect()
}

/// What a blob is to JavaScript.
pub(super) type Value<'env> = Either<BufferSlice<'env>, JsString<'env>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_turns_wide_when_it_must() {
        let mut text = Text::Ascii(Vec::new());
        assert_eq!(text.push(b"ab"), 2);
        assert_eq!(text.push("é😀".as_bytes()), 3);
        assert_eq!(text.push(b"c"), 1);
        assert_eq!(text.push(b"\xff"), 1);
        let Text::Wide(units) = text else {
            panic!("still ASCII");
        };
        assert_eq!(String::from_utf16(&units).unwrap(), "abé😀c\u{fffd}");
    }
}
