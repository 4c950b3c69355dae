//! Long strings. V8 stringifies and parses a string's JSON at one or two bytes per nanosecond,
//! concatenates strings by copying, and keeps a batch's whole text alive for one piece of it.
//! Strings of several kB therefore cross separately, and are converted from and to JSON here.

use super::external;
use crate::io::Message;
use napi::bindgen_prelude::*;
use napi::{Env, JsString, JsValue, check_status, sys};

/// Minimum length of JSON that is inspected. `lib/values.js` has its own limit for the other
/// direction.
const LONG: usize = 4096;

/// How many bytes are inspected at a time: enough for a vectorised loop, few enough to stop early.
const STRETCH: usize = 1024;

/// The content of a string's UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ASCII without characters that JSON escapes.
    Ascii,
    /// Some non-ASCII, and no characters that JSON escapes.
    Utf8,
    /// Some characters that JSON escapes.
    Escaped,
}

fn kind(utf8: &[u8]) -> Kind {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut all = 0;
    for stretch in utf8.chunks(STRETCH) {
        let look = |(any, all), &byte: &u8| (any | special(byte), all | byte);
        let (any, some) = stretch.iter().fold((false, 0), look);
        if any {
            return Kind::Escaped;
        }
        all |= some;
    }
    match all.is_ascii() {
        true => Kind::Ascii,
        false => Kind::Utf8,
    }
}

/// Whether this is the JSON of a long string without escapes: the string's text in quotes.
pub(super) fn verbatim(json: &[u8]) -> Option<Kind> {
    let text = match json {
        [b'"', text @ .., b'"'] if json.len() >= LONG => text,
        _ => return None,
    };
    Some(kind(text)).filter(|kind| *kind != Kind::Escaped)
}

/// Converts a string to its JSON.
pub(super) fn to_json(env: &Env, text: &JsString<'_>) -> Result<Message> {
    let units = text.utf16_len()?;
    let mut json = Vec::with_capacity(units + 3);
    json.push(b'"');
    // This limit, one byte for each code unit, suffices for ASCII and for nothing else.
    append_utf8(env, text, &mut json, units)?;
    if json.len() == units + 1 && kind(&json[1..]) == Kind::Ascii {
        json.push(b'"');
        return Ok(Message::from(json));
    }
    let mut utf8 = Vec::with_capacity(units * 3 + 1);
    append_utf8(env, text, &mut utf8, units * 3)?;
    json.clear();
    serde_json::to_writer(&mut json, &String::from_utf8_lossy(&utf8))
        .map_err(|error| Error::from_reason(error.to_string()))?;
    Ok(Message::from(json))
}

/// Appends the string as UTF-8, truncated before a character that exceeds `limit` bytes.
pub(super) fn append_utf8(
    env: &Env,
    text: &JsString<'_>,
    to: &mut Vec<u8>,
    limit: usize,
) -> Result<()> {
    // One more byte for the NUL after the text.
    to.reserve(limit + 1);
    let room = to.spare_capacity_mut();
    let mut written = 0;
    // SAFETY: the value is a string of this environment; there is room for `limit` bytes and a NUL,
    // and `written` is the number of bytes before the NUL.
    unsafe {
        check_status!(sys::napi_get_value_string_utf8(
            env.raw(),
            text.raw(),
            room.as_mut_ptr().cast(),
            limit + 1,
            &mut written,
        ))?;
        to.set_len(to.len() + written);
    }
    Ok(())
}

/// Makes the string of this JSON, for which [`verbatim`] has returned a kind. Invalid UTF-8 becomes
/// replacement characters. If it may be `kept`, the string may refer to the message.
pub(super) fn to_string<'env>(
    env: &'env Env,
    json: Message,
    kind: Kind,
    kept: bool,
) -> Result<JsString<'env>> {
    let text = 1..json.len().saturating_sub(1).max(1);
    if kind != Kind::Ascii {
        return wide(env, json.get(text).unwrap_or_default());
    }
    fits(text.len())?;
    let json = match kept && text.len() >= external::LARGE {
        true => match external::string(env, json, text.clone()) {
            Ok(string) => return Ok(string),
            Err(json) => json,
        },
        false => json,
    };
    env.create_string_latin1(json.get(text).unwrap_or_default())
}

/// Makes the string of this UTF-8. Invalid UTF-8 becomes replacement characters.
pub(super) fn text<'env>(env: &'env Env, utf8: &[u8]) -> Result<JsString<'env>> {
    if !utf8.is_ascii() {
        return wide(env, utf8);
    }
    fits(utf8.len())?;
    env.create_string_latin1(utf8)
}

fn wide<'env>(env: &'env Env, utf8: &[u8]) -> Result<JsString<'env>> {
    // Checked before any allocation. Each character has one byte that is not a continuation; some
    // have two units.
    fits(utf8.iter().filter(|&&byte| byte & 0xc0 != 0x80).count())?;
    let units: Vec<u16> = String::from_utf8_lossy(utf8).encode_utf16().collect();
    env.create_string_utf16(units)
}

/// The maximum length of any version of V8. Some have a lower one, which they report.
const MAX_UNITS: usize = (1 << 29) - 24;

fn fits(units: usize) -> Result<()> {
    match units <= MAX_UNITS {
        true => Ok(()),
        false => Err(Error::from_reason("longer than the longest string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_json_of_a_long_string_without_escapes_is_verbatim() {
        let long = "é€😀z".repeat(1000);
        assert_eq!(verbatim(format!("\"{long}\"").as_bytes()), Some(Kind::Utf8));
        let ascii = format!("\"{}\"", "x\x7f /".repeat(1024));
        assert_eq!(verbatim(ascii.as_bytes()), Some(Kind::Ascii));
        for json in [
            "\"short\"".to_owned(),
            long.clone(),
            format!("\"{long}"),
            format!("[\"{long}\"]"),
            format!("\"{long}\\n\""),
            format!("\"{long}\",\"{long}\""),
            format!("\"{long}\n\""),
        ] {
            assert_eq!(verbatim(json.as_bytes()), None, "{json}");
        }
    }
}
