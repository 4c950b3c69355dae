//! Long strings. V8 makes and reads the JSON of a string at a byte or two per nanosecond, joins
//! strings by copying them, and keeps the whole of a batch's text as long as one piece of it. So
//! strings from some kB on cross by themselves, and become JSON, or cease to be it, here.

use super::external;
use crate::io::Message;
use napi::bindgen_prelude::*;
use napi::{Env, JsString, JsValue, check_status, sys};

/// From here on JSON is looked at. `lib/values.js` has a limit of its own for the other direction.
const LONG: usize = 4096;

/// How many bytes are looked at before the answer counts: enough for the loop to be vectorised,
/// few enough to end soon.
const STRETCH: usize = 1024;

/// What the bytes of a string's UTF-8 are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ASCII that JSON writes as it is.
    Ascii,
    /// The same, and some that is not ASCII.
    Utf8,
    /// JSON writes some of them otherwise than they are.
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

/// Whether this is the JSON of a string that is long and has nothing escaped: then it is the string's text in quotes,
/// ASCII or not.
pub(super) fn verbatim(json: &[u8]) -> Option<Kind> {
    let text = match json {
        [b'"', text @ .., b'"'] if json.len() >= LONG => text,
        _ => return None,
    };
    Some(kind(text)).filter(|kind| *kind != Kind::Escaped)
}

/// The JSON of a string.
pub(super) fn to_json(env: &Env, text: &JsString<'_>) -> Result<Message> {
    let units = text.utf16_len()?;
    let mut json = Vec::with_capacity(units + 3);
    json.push(b'"');
    // As many bytes as code units are enough for ASCII, and for ASCII alone.
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

/// Appends the string as UTF-8, cut at a character that would not fit into `limit` bytes.
fn append_utf8(env: &Env, text: &JsString<'_>, to: &mut Vec<u8>, limit: usize) -> Result<()> {
    // One more for the NUL that is written behind the text.
    to.reserve(limit + 1);
    let room = to.spare_capacity_mut();
    let mut written = 0;
    // SAFETY: the value is a string of this environment; there is room for `limit` bytes and a NUL,
    // and `written` says how many bytes there are before the NUL.
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

/// The string whose JSON this is, which is [`verbatim`]; of what is no UTF-8 replacement characters. If it may be `kept`,
/// the string may keep it as it is.
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

/// The string of this UTF-8; of what is no UTF-8 replacement characters.
pub(super) fn text<'env>(env: &'env Env, utf8: &[u8]) -> Result<JsString<'env>> {
    if !utf8.is_ascii() {
        return wide(env, utf8);
    }
    fits(utf8.len())?;
    env.create_string_latin1(utf8)
}

fn wide<'env>(env: &'env Env, utf8: &[u8]) -> Result<JsString<'env>> {
    // Before anything is made of it. Each character has one byte that continues no other; some are two units long.
    fits(utf8.iter().filter(|&&byte| byte & 0xc0 != 0x80).count())?;
    let units: Vec<u16> = String::from_utf8_lossy(utf8).encode_utf16().collect();
    env.create_string_utf16(units)
}

/// The longest string that any V8 holds. Some hold less, which they say themselves.
const MAX_UNITS: usize = (1 << 29) - 24;

fn fits(units: usize) -> Result<()> {
    match units <= MAX_UNITS {
        true => Ok(()),
        false => Err(Error::from_reason("longer than a string can be")),
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
