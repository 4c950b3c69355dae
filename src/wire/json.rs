//! JSON that this package writes, made of typed values by serde.

use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

/// The JSON of a value.
pub fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    // Writing into memory cannot fail, and all keys of maps are strings.
    serde_json::to_vec(value).unwrap_or_default()
}

/// The JSON of a value, as text.
pub fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The JSON of a list. Its entries exist one at a time, because a list has hundreds of them.
pub fn list_of<T: Serialize>(entries: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut json = vec![b'['];
    for entry in entries {
        if json.len() > 1 {
            json.push(b',');
        }
        let _ = serde_json::to_writer(&mut json, &entry);
    }
    json.push(b']');
    json
}

/// The value of JSON that a peer has sent, or the text itself if it is no JSON.
pub fn value_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A name for people. Bytes that are not text become hexadecimal digits, so that different names stay different.
pub fn name_of(bytes: &[u8]) -> Cow<'_, str> {
    // A NUL begins the routing ids that libzmq chooses, some of which are UTF-8 by chance.
    match str::from_utf8(bytes) {
        Ok(text) if !text.starts_with('\0') => Cow::Borrowed(text),
        _ => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            Cow::Owned(format!("0x{}", digits.collect::<String>()))
        }
    }
}

/// Bytes that are serialized as `name_of` describes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<B>(pub B);

impl<'a> From<&'a [u8]> for Text<Box<[u8]>> {
    fn from(bytes: &'a [u8]) -> Self {
        Text(bytes.into())
    }
}

impl From<Box<[u8]>> for Text<Box<[u8]>> {
    fn from(bytes: Box<[u8]>) -> Self {
        Text(bytes)
    }
}

impl<B: std::ops::Deref<Target = [u8]>> std::ops::Deref for Text<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<B: AsRef<[u8]>> Serialize for Text<B> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&name_of(self.0.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_commas_between_its_entries() {
        assert_eq!(list_of::<u8>([]), b"[]");
        assert_eq!(list_of(["a", "b"]), br#"["a","b"]"#);
    }

    #[test]
    fn names_that_are_no_text_are_hexadecimal() {
        assert_eq!(bytes_of(&Text("é1")), "\"é1\"".as_bytes());
        assert_eq!(bytes_of(&Text(b"a\xff")), br#""0x61ff""#);
        assert_eq!(bytes_of(&Text(b"\0abcd")), br#""0x0061626364""#);
        assert_eq!(bytes_of(&Text("")), br#""""#);
    }

    #[test]
    fn text_that_is_no_json_stays_text() {
        assert_eq!(value_or_text(r#"{"a":1}"#)["a"], 1);
        assert_eq!(value_or_text("{"), "{");
    }
}
