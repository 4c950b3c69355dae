//! Bodies: opaque bytes and their encoding.
//!
//! 0.0.92 has only JSON text, and writes a Buffer as `{"type":"Buffer","data":[1,2]}`, the result
//! of Node's `Buffer.prototype.toJSON`. 1.x peers send the bytes unchanged and mark them in the
//! extension frame. This module converts between the two forms when a message passes from a 1.x
//! peer to a peer of 0.0.92.

use super::{Frame, Malformed};

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 JSON text, the only encoding of 0.0.92.
    Json,
    /// Bytes that the sender's JavaScript passed as a Buffer or typed array.
    Binary,
    /// The only frame of an MDP body, with any content; see `bridge`.
    Opaque,
    /// Several frames of an MDP body, packed; see `bridge`.
    Frames,
}

/// The data of a request, or the content of a partial or final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body<F> {
    pub bytes: F,
    pub encoding: Encoding,
}

impl<F: Frame> Body<F> {
    pub fn json(bytes: F) -> Self {
        Body {
            bytes,
            encoding: Encoding::Json,
        }
    }

    pub fn binary(bytes: F) -> Self {
        Body {
            bytes,
            encoding: Encoding::Binary,
        }
    }

    /// JSON's `null`, which stands for `undefined` and for a missing body.
    pub fn null() -> Self {
        Body::json(F::from(&b"null"[..]))
    }

    pub fn is_null(&self) -> bool {
        self.encoding == Encoding::Json && &*self.bytes == b"null"
    }

    /// The JSON text that 0.0.92 would have sent for this body.
    pub fn into_json(self) -> F {
        match self.encoding {
            Encoding::Json => self.bytes,
            Encoding::Binary => F::from(buffer_to_json(&self.bytes)),
            Encoding::Opaque | Encoding::Frames => self.into_value().into_json(),
        }
    }

    /// Decodes the JSON form of a Buffer, the inverse of [`into_json`](Self::into_json) for binary
    /// bodies.
    pub fn from_buffer_json(text: &[u8]) -> Result<Self, Malformed> {
        buffer_from_json(text)
            .map(|bytes| Body::binary(F::from(bytes)))
            .ok_or(Malformed::Body)
    }
}

const PREFIX: &[u8] = br#"{"type":"Buffer","data":["#;
const SUFFIX: &[u8] = b"]}";

/// The decimal digits of each byte with a comma after them, and their number. A table is ten times as fast as
/// formatting, and a body may have many bytes.
const DECIMALS: [([u8; 4], u8); 256] = {
    let mut table = [([b','; 4], 0); 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut digits = [byte / 100, byte / 10 % 10, byte % 10];
        let mut len = 3;
        while len > 1 && digits[0] == 0 {
            digits = [digits[1], digits[2], 0];
            len -= 1;
        }
        let mut at = 0;
        while at < len {
            table[byte].0[at] = b'0' + digits[at] as u8;
            at += 1;
        }
        table[byte].1 = len as u8 + 1;
        byte += 1;
    }
    table
};

/// `JSON.stringify(Buffer.from(bytes))`.
pub fn buffer_to_json(bytes: &[u8]) -> Vec<u8> {
    let list: usize = bytes
        .iter()
        .map(|&b| usize::from(DECIMALS[usize::from(b)].1))
        .sum();
    let mut out = Vec::with_capacity(PREFIX.len() + list + SUFFIX.len());
    out.extend_from_slice(PREFIX);
    for &byte in bytes {
        let (digits, len) = &DECIMALS[usize::from(byte)];
        out.extend_from_slice(&digits[..usize::from(*len)]);
    }
    if !bytes.is_empty() {
        out.pop();
    }
    out.extend_from_slice(SUFFIX);
    out
}

/// The inverse of [`buffer_to_json`]; `None` for any other text.
fn buffer_from_json(text: &[u8]) -> Option<Vec<u8>> {
    let list = text.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    if list.is_empty() {
        return Some(Vec::new());
    }
    let mut bytes = Vec::with_capacity(list.len() / 3);
    let mut rest = list;
    loop {
        let (byte, digits) = byte_from_digits(rest)?;
        bytes.push(byte);
        rest = match rest[digits..].split_first() {
            None => return Some(bytes),
            Some((b',', rest)) => rest,
            Some(_) => return None,
        };
    }
}

/// Parses a number at the front in the form that JSON writes: neither `+1` nor `01`. Also returns the number of digits. A
/// body may have many bytes, and this is ten times as fast as the parser of the standard library.
fn byte_from_digits(text: &[u8]) -> Option<(u8, usize)> {
    let digit = |at: usize| {
        let digit = text.get(at)?.wrapping_sub(b'0');
        (digit < 10).then_some(u16::from(digit))
    };
    let first = digit(0)?;
    let Some(second) = digit(1).filter(|_| first > 0) else {
        return Some((first as u8, 1));
    };
    let two = 10 * first + second;
    let Some(third) = digit(2) else {
        return Some((two as u8, 2));
    };
    Some((u8::try_from(10 * two + third).ok()?, 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::corpus::seed;

    #[test]
    fn buffers_take_the_form_that_node_gives_them() {
        assert_eq!(buffer_to_json(&[]), br#"{"type":"Buffer","data":[]}"#);
        assert_eq!(
            buffer_to_json(&[0, 7, 255]),
            br#"{"type":"Buffer","data":[0,7,255]}"#
        );
    }

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        let body = Body::<Vec<u8>>::from_buffer_json(&buffer_to_json(&all)).unwrap();
        assert_eq!(body, Body::binary(all.clone()));
        seed(
            "bodies",
            &[b"\x02", &buffer_to_json(&all[..9])[..]].concat(),
        );
    }

    #[test]
    fn anything_but_the_form_is_refused() {
        for text in [
            "",
            "null",
            r#"{"type":"Buffer","data":[256]}"#,
            r#"{"type":"Buffer","data":[1,]}"#,
            r#"{"type":"Buffer","data":[01]}"#,
            r#"{"type":"Buffer","data":[+1]}"#,
            r#"{"type":"Buffer","data":[1,2]} "#,
            r#"{"type":"buffer","data":[1,2]}"#,
        ] {
            seed("bodies", &[b"\x02", text.as_bytes()].concat());
            assert!(
                Body::<Vec<u8>>::from_buffer_json(text.as_bytes()).is_err(),
                "{text}"
            );
        }
    }
}
