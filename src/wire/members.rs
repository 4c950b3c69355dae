//! Reads the scalar members of a JSON object without building a tree.
//!
//! `serde_json::Value` takes up to thirty times the memory of its text. A peer chooses the text, so
//! input from peers is never parsed into one.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The value of one member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Unsigned(u64),
    /// Negative integers.
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Null, an array or an object.
    Other,
}

impl Scalar {
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match *self {
            Scalar::Unsigned(n) => Some(n),
            _ => None,
        }
    }

    pub(crate) fn as_i64(&self) -> Option<i64> {
        match *self {
            Scalar::Unsigned(n) => i64::try_from(n).ok(),
            Scalar::Signed(n) => Some(n),
            _ => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match *self {
            Scalar::Unsigned(n) => Some(n as f64),
            Scalar::Signed(n) => Some(n as f64),
            Scalar::Float(n) => Some(n),
            _ => None,
        }
    }

    /// A text of at most `max` bytes.
    pub(crate) fn into_text(self, max: usize) -> Option<String> {
        match self {
            Scalar::Text(text) if text.len() <= max => Some(text),
            _ => None,
        }
    }
}

/// Calls `each` with each member of the object `json`; of several members with one name the last
/// counts. Returns false if `json` is not one object.
pub(crate) fn members(json: &[u8], each: impl FnMut(&str, Scalar)) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(json);
    reader.deserialize_map(Members(each)).is_ok() && reader.end().is_ok()
}

struct Members<E>(E);

impl<'de, E: FnMut(&str, Scalar)> Visitor<'de> for Members<E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, Scalar>()? {
            (self.0)(&name, value);
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E>(self, n: u64) -> Result<Scalar, E> {
        Ok(Scalar::Unsigned(n))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Scalar, E> {
        Ok(Scalar::Signed(n))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(n))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(is))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Vec<(String, Scalar)>> {
        let mut found = Vec::new();
        members(json.as_bytes(), |name, value| {
            found.push((name.into(), value))
        })
        .then_some(found)
    }

    #[test]
    fn scalars_are_read_and_the_rest_is_passed_over() {
        let found =
            read(r#"{"a":1,"b":-2,"c":1.5,"d":true,"e":"x","f":null,"g":[[1]],"h":{"a":2}}"#);
        let values = found
            .unwrap_or_default()
            .into_iter()
            .map(|(_, value)| value);
        assert!(values.eq([
            Scalar::Unsigned(1),
            Scalar::Signed(-2),
            Scalar::Float(1.5),
            Scalar::Bool(true),
            Scalar::Text("x".into()),
            Scalar::Other,
            Scalar::Other,
            Scalar::Other,
        ]));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in [
            "",
            "[]",
            "1",
            "null",
            "{",
            "{}x",
            r#"{"a":}"#,
            r#"{"a":1e999}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
