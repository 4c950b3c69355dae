//! Writes batches for JavaScript: notices become records, one string and some blobs.

use super::blobs::Blob;
use super::crossing::{DRAIN_FIELDS, DRAIN_HEADER, Flag, Kind, LeftShift, RequestPlace};
use super::long;
use crate::io::{Message, Taken};
use crate::proto::flow;
use crate::wire::{Body, Encoding, json};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use serde::Serialize;

const FIELDS: usize = DRAIN_FIELDS as usize;
const HEADER: usize = DRAIN_HEADER as usize;

/// The maximum number of texts of a record.
const TEXTS: usize = FIELDS - 3;

/// Minimum size of a text that crosses as a blob. The string of a batch, whose records have up to
/// five texts, thus stays far below V8's maximum length, and a text that V8 cannot hold affects
/// only its own record.
const LARGE: usize = 32 * 1024;

/// A batch for JavaScript under construction.
pub(super) struct BatchWriter<'a> {
    into: &'a mut [f64],
    records: usize,
    text: Text,
    blobs: Vec<Blob>,
    /// Whether the current notices are shown offers.
    pub(super) shows: bool,
}

/// The parts of a worker's request other than its data.
#[derive(Default)]
pub(super) struct RequestFields<'a> {
    /// The client's options, as JSON.
    pub(super) options: &'a [u8],
    /// The requested name, if it differs from the worker's service.
    pub(super) service: Option<&'a [u8]>,
    /// The frame about the client's user: the name and, behind a NUL, the metadata as JSON.
    pub(super) user: &'a [u8],
    /// The number of the attempt, from 1.
    pub(super) attempt: u32,
    /// The index of the worker's service.
    pub(super) of_service: usize,
    /// Whether the data are a stream.
    pub(super) stream: bool,
    /// Milliseconds left until the deadline.
    pub(super) left_ms: Option<u32>,
}

/// The largest number of an attempt in a record.
const MAX_ATTEMPT: u32 = (1 << LeftShift::Stream as u32) - 1;

impl<'a> BatchWriter<'a> {
    pub(super) fn new(into: &'a mut [f64]) -> Self {
        BatchWriter {
            into,
            records: 0,
            text: Text::Ascii(Vec::new()),
            blobs: Vec::new(),
            shows: false,
        }
    }

    /// The number of records that fit into JavaScript's array.
    pub(super) fn capacity(&self) -> usize {
        self.into.len().saturating_sub(HEADER) / FIELDS
    }

    /// Appends a record without text.
    pub(super) fn number(&mut self, kind: Kind, id: u64, n: f64) {
        self.put(kind as u32, id, [0; TEXTS], n);
    }

    /// Appends a record with two short texts; longer ones are truncated.
    pub(super) fn words(&mut self, kind: Kind, id: u64, a: &str, b: &str) {
        let (a, b) = (self.word(a), self.word(b));
        self.put(kind as u32, id, [a, b, 0, 0, 0], 0.0);
    }

    /// Appends the place of a request, the name of its worker, and the number of its latest attempt.
    pub(super) fn place(&mut self, id: u64, place: RequestPlace, worker: &str, attempt: u32) {
        let worker = self.word(worker);
        let number = attempt << LeftShift::Place as u32 | place as u32;
        self.put(Kind::Place as u32, id, [worker, 0, 0, 0, 0], number.into());
    }

    /// Appends a record with JSON of any length.
    pub(super) fn json(&mut self, kind: Kind, id: u64, json: &str) {
        let (len, flags) = match json.len() < LARGE {
            true => (self.text.push(json.as_bytes()), 0),
            false => self.blob(
                Blob::Text(Message::from(json.as_bytes())),
                Flag::Json as u32,
            ),
        };
        self.put(kind as u32 | flags, id, [len, 0, 0, 0, 0], 0.0);
    }

    /// Appends an event: its name and an object.
    pub(super) fn event(&mut self, name: &str, payload: &impl Serialize) {
        let name = self.word(name);
        let (payload, flag) = self.extra(&json::bytes_of(payload));
        self.put(Kind::Event as u32 | flag, 0, [name, payload, 0, 0, 0], 0.0);
    }

    /// Appends a record with a worker's data. Its number is the cost of this part.
    pub(super) fn body(&mut self, kind: Kind, id: u64, body: Body<Message>) {
        let cost = f64::from(flow::cost(&body));
        let (len, flags) = self.data(body);
        self.put(kind as u32 | flags, id, [len, 0, 0, 0, 0], cost);
    }

    /// Appends a request for a worker. Its number is that of the attempt, combined with others by
    /// [`LeftShift`].
    pub(super) fn request(&mut self, id: u64, body: Body<Message>, fields: &RequestFields<'_>) {
        let (len, flags) = self.data(body);
        let (options, flag) = self.extra(fields.options);
        let service = self.short(fields.service.unwrap_or_default());
        let (user, metadata) = user_and_metadata(fields.user);
        let texts = [
            len,
            options,
            service,
            self.short(user),
            self.short(metadata),
        ];
        let kind = Kind::Request as u32 | flags | flag;
        let mut number = u64::from(fields.attempt.min(MAX_ATTEMPT));
        number |= (fields.of_service as u64) << LeftShift::Service as u32;
        if fields.stream {
            number |= 1 << LeftShift::Stream as u32;
        }
        if let Some(left) = fields.left_ms {
            number |= (u64::from(left) + 1) << LeftShift::Attempt as u32;
        }
        self.put(kind, id, texts, number as f64);
    }

    /// Adds a text that is far below the limit, unless a broker is broken.
    fn short(&mut self, utf8: &[u8]) -> usize {
        match utf8.len() < LARGE {
            true => self.text.push(utf8),
            false => 0,
        }
    }

    /// Appends a record whose texts have these lengths in UTF-16 code units.
    fn put(&mut self, kind: u32, id: u64, texts: [usize; TEXTS], n: f64) {
        let at = HEADER + self.records * FIELDS;
        if let Some(record) = self.into.get_mut(at..at + FIELDS) {
            let [a, b, c, d, e] = texts.map(|len| len as f64);
            record.copy_from_slice(&[f64::from(kind), id as f64, a, b, c, d, e, n]);
            self.records += 1;
        }
    }

    /// Adds a body to the text or the blobs. Returns its length in the text, and the record's
    /// flags.
    fn data(&mut self, body: Body<Message>) -> (usize, u32) {
        let bytes = body.bytes;
        // The machines' bodies are converted from MDP already.
        if body.encoding == Encoding::Binary {
            return self.blob(Blob::Bytes(bytes), 0);
        }
        match long::verbatim(&bytes) {
            Some(kind) => self.blob(Blob::Verbatim(bytes, kind), 0),
            None if bytes.len() < LARGE => (self.text.push(&bytes), 0),
            None => self.blob(Blob::Text(bytes), Flag::Json as u32),
        }
    }

    fn blob(&mut self, blob: Blob, flag: u32) -> (usize, u32) {
        self.blobs.push(blob);
        (0, Flag::Blob as u32 | flag)
    }

    /// Adds the second text of a record. Returns its length, and the flag if it is a blob.
    fn extra(&mut self, utf8: &[u8]) -> (usize, u32) {
        if utf8.len() < LARGE {
            return (self.text.push(utf8), 0);
        }
        self.blobs.push(Blob::Text(Message::from(utf8)));
        (0, Flag::Extra as u32)
    }

    fn word(&mut self, word: &str) -> usize {
        // A truncated character becomes a replacement character.
        self.text.push(&word.as_bytes()[..word.len().min(LARGE)])
    }

    /// Writes the header, and returns the text and the blobs.
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

/// Splits the frame about a user.
fn user_and_metadata(frame: &[u8]) -> (&[u8], &[u8]) {
    match frame.iter().position(|&byte| byte == 0) {
        Some(end) => (&frame[..end], &frame[end + 1..]),
        None => (frame, &[]),
    }
}

/// The text under construction. V8 makes a string from Latin-1 bytes or UTF-16 code units by a
/// copy, whereas decoding UTF-8 is several times slower. ASCII is therefore kept as bytes; other
/// text makes the batch wide.
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
        // A peer may send invalid UTF-8. It becomes replacement characters; if the result is not
        // JSON, parsing reports it.
        units.extend(String::from_utf8_lossy(utf8).encode_utf16());
        units.len() - before
    }
}

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
