//! Reads batches from JavaScript: records, and the text and blobs to which they refer.

use super::crossing::{FLAGS, Flag, SUBMIT_FIELDS};
use super::environment;
use super::given::{self, ArrayBuffer};
use super::long;
use crate::io::{Borrowed, Message};
use crate::wire::Body;
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use std::ptr::NonNull;

const FIELDS: usize = SUBMIT_FIELDS as usize;

/// Fewer bytes are copied at once, which costs little.
const WORTH_BORROWING: usize = 64 * 1024;

/// A batch from JavaScript, read in order.
pub(super) struct BatchReader<'a> {
    records: std::slice::ChunksExact<'a, f64>,
    text: Pieces,
    env: Env,
    blobs: std::vec::IntoIter<Blob<'a>>,
    /// Service and options of the last request, which the next one may share.
    last: [Option<Message>; 2],
    /// Whether large bytes may be borrowed, and those that are.
    may_borrow: bool,
    borrowed: Vec<Borrowed>,
    /// The number of data bytes read.
    pub(super) bytes: u64,
}

/// Data outside of the text of a batch: bytes, a string that becomes JSON, or bytes that were given away.
pub(super) type Blob<'a> = Either3<Uint8Array, JsString<'a>, ArrayBuffer>;

/// The parts that consecutive requests may share.
#[derive(Clone, Copy)]
pub(super) enum Common {
    Service,
    Options,
}

/// A record: its kind, its id, and the lengths of its texts.
pub(super) struct Record {
    pub(super) op: u32,
    blob: bool,
    same: bool,
    pub(super) id: f64,
    pub(super) fields: [f64; 4],
}

impl<'a> BatchReader<'a> {
    pub(super) fn new(
        env: &Env,
        records: &'a [f64],
        count: u32,
        text: &JsString<'_>,
        blobs: Option<Vec<Blob<'a>>>,
    ) -> Result<Self> {
        let records = records
            .get(..count as usize * FIELDS)
            .ok_or_else(broken)?
            .chunks_exact(FIELDS);
        Ok(BatchReader {
            records,
            text: Pieces::new(env, text)?,
            env: *env,
            blobs: blobs.unwrap_or_default().into_iter(),
            last: Default::default(),
            may_borrow: false,
            borrowed: Vec::new(),
            bytes: 0,
        })
    }

    /// Borrows large bytes until the end of the call if `may`, which is asked with their size, permits it.
    pub(super) fn borrow_if(&mut self, may: impl FnOnce(usize) -> bool) {
        let sizes = self.blobs.as_slice().iter().map(|blob| match blob {
            Either3::A(bytes) => bytes.len(),
            _ => 0,
        });
        let bytes = sizes.sum();
        self.may_borrow = bytes >= WORTH_BORROWING && may(bytes);
    }

    /// The bytes that frames of the batch refer to, to be dropped at the end of the call at the latest.
    pub(super) fn borrowed(self) -> Vec<Borrowed> {
        self.borrowed
    }

    pub(super) fn next(&mut self) -> Option<Record> {
        let record = self.records.next()?;
        let op = record[0] as u32;
        Some(Record {
            op: op & !FLAGS,
            blob: op & Flag::Blob as u32 != 0,
            same: op & Flag::Same as u32 != 0,
            id: record[1],
            fields: [record[2], record[3], record[4], record[5]],
        })
    }

    pub(super) fn text(&mut self, len: f64) -> Result<Message> {
        Ok(Message::from(self.text.next(len as usize)?))
    }

    /// Reads the service or the options of a request: the next piece of text, or those of the
    /// previous request.
    pub(super) fn common(&mut self, record: &Record, which: Common, len: f64) -> Result<Message> {
        if !record.same {
            self.last[which as usize] = Some(self.text(len)?);
        }
        self.last[which as usize].clone().ok_or_else(broken)
    }

    /// Reads a record's data: the next piece of text or the next blob.
    pub(super) fn body(&mut self, record: &Record, len: f64) -> Result<Body<Message>> {
        let body = self.read_body(record, len)?;
        self.bytes += body.bytes.len() as u64;
        Ok(body)
    }

    fn read_body(&mut self, record: &Record, len: f64) -> Result<Body<Message>> {
        if record.blob {
            return Ok(match self.blobs.next().ok_or_else(broken)? {
                Either3::A(bytes) => Body::binary(self.frame(&bytes)),
                Either3::B(text) => Body::json(long::to_json(&self.env, &text)?),
                Either3::C(given) => {
                    Body::binary(given::message(&self.env, &given, environment::loans)?)
                }
            });
        }
        Ok(Body::json(self.text(len)?))
    }

    /// A frame of these bytes.
    fn frame(&mut self, bytes: &[u8]) -> Message {
        if !self.may_borrow || bytes.len() < WORTH_BORROWING {
            return Message::from(bytes);
        }
        // SAFETY: no JavaScript runs before the end of the call, and its arguments keep the bytes until then.
        let borrowed = unsafe { Borrowed::new(NonNull::from(bytes)) };
        let frame = borrowed.frame();
        self.borrowed.push(borrowed);
        frame
    }
}

/// The error for an inconsistent batch, which is a defect of this package.
pub(super) fn broken() -> Error {
    Error::from_reason("zmq-omdp: a batch that contradicts itself")
}

/// A JavaScript string as UTF-8, split at lengths in UTF-16 code units.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    /// Whether every code unit is one byte, so that no length has to be converted.
    ascii: bool,
}

impl Pieces {
    fn new(env: &Env, text: &JsString<'_>) -> Result<Self> {
        let units = text.utf16_len()?;
        let mut bytes = Vec::new();
        // A code unit becomes at most three bytes.
        long::append_utf8(env, text, &mut bytes, units * 3)?;
        Ok(Pieces {
            ascii: bytes.len() == units,
            bytes,
            at: 0,
        })
    }

    fn next(&mut self, units: usize) -> Result<&[u8]> {
        let rest = self.bytes.get(self.at..).ok_or_else(broken)?;
        let len = if self.ascii {
            units
        } else {
            bytes_of(rest, units).ok_or_else(broken)?
        };
        let piece = rest.get(..len).ok_or_else(broken)?;
        self.at += len;
        Ok(piece)
    }
}

/// Converts a length in UTF-16 code units into one in bytes of well-formed UTF-8.
fn bytes_of(utf8: &[u8], mut units: usize) -> Option<usize> {
    let mut at = 0;
    while units > 0 {
        let (bytes, taken) = match *utf8.get(at)? {
            0x00..=0x7f => (1, 1),
            0x80..=0xdf => (2, 1),
            0xe0..=0xef => (3, 1),
            // Four bytes are a pair of surrogates.
            _ => (4, 2),
        };
        at += bytes;
        units = units.checked_sub(taken)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_lengths_cut_utf8_where_they_should() {
        let text = "aé€😀z";
        for (at, c) in text.char_indices() {
            let units: usize = text[..at].encode_utf16().count();
            assert_eq!(bytes_of(text.as_bytes(), units), Some(at), "before {c}");
        }
        assert_eq!(bytes_of(text.as_bytes(), 6), Some(text.len()));
        assert_eq!(bytes_of(text.as_bytes(), 7), None, "past the end");
        assert_eq!(bytes_of("😀".as_bytes(), 1), None, "inside a pair");
    }
}
