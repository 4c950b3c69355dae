//! Conversion between values and opaque frames: the bodies of OMDP and those of MDP.
//!
//! OMDP carries one JSON value or the bytes of one Buffer; MDP carries one or more opaque frames.
//! From MDP to MDP the frames pass unchanged. Between the two dialects they are converted:
//!
//! | frames                  | value                                                         |
//! |-------------------------|---------------------------------------------------------------|
//! | one, JSON text          | that value                                                    |
//! | one, other UTF-8 text   | a string                                                      |
//! | one, other bytes        | a Buffer                                                      |
//! | several                 | an array of what each of them is                              |
//!
//! | value                                        | frames                                   |
//! |----------------------------------------------|------------------------------------------|
//! | a Buffer                                     | one, its bytes                           |
//! | a string                                     | one, its text; as JSON, in quotes, if the text by itself is JSON |
//! | an array of 2 to 1024 strings and Buffers    | one for each                             |
//! | any other                                    | one, its JSON text                       |
//!
//! A value that goes to MDP and back is unchanged, except a Buffer whose bytes are text.
//!
//! MDP has no error command. An error is a final whose first frame is [`ERROR`] or, for a code of
//! zmq-omdp, [`CODE`]; the value follows by the same rule.

use super::body::buffer_to_json;
use super::omdp::ReplyKind;
use super::sizes::MAX_BODY_FRAMES;
use super::{Body, Encoding, Frame};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The first frame of a final that is an error value; the value follows.
pub const ERROR: &[u8] = b"OMDP-ERROR";
/// The first frame of a final that is an error of the broker; its code follows.
pub const CODE: &[u8] = b"OMDP-CODE";

impl<F: Frame> Body<F> {
    /// Makes a body of the frames of an MDP body, at least one.
    pub fn from_frames(mut frames: Vec<F>) -> Self {
        if frames.len() == 1
            && let Some(bytes) = frames.pop()
        {
            return Body {
                bytes,
                encoding: Encoding::Opaque,
            };
        }
        let mut packed = Vec::with_capacity(frames.iter().map(|frame| frame.len() + 4).sum());
        for frame in &frames {
            // The length fits: libzmq refuses a frame of 4 GiB long before, for lack of memory.
            packed.extend_from_slice(&(frame.len() as u32).to_be_bytes());
            packed.extend_from_slice(frame);
        }
        Body {
            bytes: F::from(packed),
            encoding: Encoding::Frames,
        }
    }

    /// Whether it has more frames than fit into any message.
    pub fn has_too_many_frames(&self) -> bool {
        // Each has a length of 4 bytes.
        self.encoding == Encoding::Frames
            && self.bytes.len() > 4 * MAX_BODY_FRAMES
            && unpack(&self.bytes).nth(MAX_BODY_FRAMES).is_some()
    }

    /// The frames for an MDP peer: at least one.
    pub fn into_frames(self) -> Vec<F> {
        match self.encoding {
            Encoding::Binary | Encoding::Opaque => vec![self.bytes],
            Encoding::Frames => unpack(&self.bytes).map(F::from).collect(),
            Encoding::Json => json_to_frames(&self.bytes).unwrap_or_else(|| vec![self.bytes]),
        }
    }

    /// The JSON text or bytes for an OMDP peer.
    pub fn into_value(self) -> Self {
        match self.encoding {
            Encoding::Json | Encoding::Binary => self,
            Encoding::Opaque if is_json(&self.bytes) => Body::json(self.bytes),
            Encoding::Opaque => match std::str::from_utf8(&self.bytes) {
                Ok(text) => Body::json(F::from(quote(text))),
                Err(_) => Body::binary(self.bytes),
            },
            Encoding::Frames => {
                let items: Vec<Vec<u8>> = unpack(&self.bytes).map(frame_to_json).collect();
                Body::json(F::from([b"[", &items.join(&b","[..])[..], b"]"].concat()))
            }
        }
    }

    /// The frames of an error for an MDP peer.
    pub fn into_error_frames(self, kind: ReplyKind) -> Vec<F> {
        let mark = match kind {
            ReplyKind::OwnError => CODE,
            _ => ERROR,
        };
        let mut frames = vec![F::from(mark)];
        frames.extend(self.into_frames());
        frames
    }

    /// Decodes a final of MDP: data or an error.
    pub fn from_final(mut frames: Vec<F>) -> (ReplyKind, Self) {
        let kind = match frames.first().map(|first| &**first) {
            Some(ERROR) if frames.len() > 1 => ReplyKind::Error,
            Some(CODE) if frames.len() == 2 => ReplyKind::OwnError,
            _ => return (ReplyKind::Final, Body::from_frames(frames)),
        };
        frames.remove(0);
        (kind, Body::from_frames(frames))
    }
}

fn unpack(mut packed: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = packed.split_first_chunk()?;
        let (frame, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        packed = rest;
        Some(frame)
    })
}

/// Whether the bytes are one JSON text. The depth of nesting is unlimited: ignored values are
/// skipped without recursion.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

fn quote(text: &str) -> Vec<u8> {
    Value::from(text).to_string().into_bytes()
}

fn frame_to_json(frame: &[u8]) -> Vec<u8> {
    if is_json(frame) {
        return frame.to_vec();
    }
    match std::str::from_utf8(frame) {
        Ok(text) => quote(text),
        Err(_) => buffer_to_json(frame),
    }
}

/// The frames of a value; `None` if it is sent as its JSON text.
fn json_to_frames<F: Frame>(json: &[u8]) -> Option<Vec<F>> {
    match json.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'"' => {
            // A string with a lone surrogate is no valid text and is sent as JSON.
            let text: String = serde_json::from_slice(json).ok()?;
            (!is_json(text.as_bytes())).then(|| vec![F::from(text.into_bytes())])
        }
        b'{' => Some(vec![F::from(serde_json::from_slice::<Bytes>(json).ok()?.0)]),
        b'[' => {
            let Items(items) = serde_json::from_slice(json).ok()?;
            (items.len() >= 2).then(|| items.into_iter().map(F::from).collect())
        }
        _ => None,
    }
}

/// The longest array whose items become frames. A longer one is sent as its JSON text: each frame
/// costs libzmq and the receiver far more than the two bytes that the sender spends on it.
const MAX_ITEMS: usize = 1024;

/// The frames of an array, one for each item.
struct Items(Vec<Vec<u8>>);

/// The frame of one item.
struct Item(Vec<u8>);

/// The bytes of a value in the JSON form of a Buffer.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfItems;
        impl<'de> Visitor<'de> for OfItems {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("strings and Buffers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while let Some(Item(item)) = seq.next_element()? {
                    if items.len() == MAX_ITEMS {
                        return Err(A::Error::custom("too many items"));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(OfItems)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfItem;
        impl<'de> Visitor<'de> for OfItem {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a Buffer")
            }

            fn visit_str<E>(self, text: &str) -> Result<Item, E> {
                Ok(Item(match is_json(text.as_bytes()) {
                    true => quote(text),
                    false => text.into(),
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
                OfBytes.visit_map(map).map(|Bytes(bytes)| Item(bytes))
            }
        }
        deserializer.deserialize_any(OfItem)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfBytes)
    }
}

struct OfBytes;

impl<'de> Visitor<'de> for OfBytes {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the JSON form of a Buffer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
        let (mut is_buffer, mut bytes) = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "type" if !is_buffer => is_buffer = map.next_value::<String>()? == "Buffer",
                "data" if bytes.is_none() => bytes = Some(map.next_value::<Vec<u8>>()?),
                _ => return Err(A::Error::custom("another member")),
            }
        }
        bytes
            .filter(|_| is_buffer)
            .map(Bytes)
            .ok_or_else(|| A::Error::custom("no Buffer"))
    }
}

#[cfg(test)]
mod tests;
