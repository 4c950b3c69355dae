//! The blobs of a batch for JavaScript, which are not in its text.

use super::buffers;
use super::long;
use crate::io::Message;
use napi::bindgen_prelude::*;
use napi::{Env, JsString, sys};
use std::ptr;

/// Data outside of the text of its batch.
pub(super) enum Blob {
    Bytes(Message),
    /// The JSON of a long string without escapes, quotes included; JavaScript gets it without the
    /// quotes.
    Verbatim(Message, long::Kind),
    /// Text, which JavaScript may have to parse.
    Text(Message),
}

/// The blobs of the last drained batch as Buffers and strings; `None` for a blob that JavaScript
/// cannot hold. If they may be `kept`, they may refer to the received bytes.
pub(super) fn values<'env>(
    env: &'env Env,
    blobs: &mut Vec<Blob>,
    kept: bool,
) -> Vec<Option<Value<'env>>> {
    let value = |blob| match blob {
        Blob::Bytes(bytes) => buffers::buffer(env, bytes, kept).map(Either::A),
        Blob::Verbatim(json, kind) => long::to_string(env, json, kind, kept).map(Either::B),
        Blob::Text(text) => long::text(env, &text).map(Either::B),
    };
    let made = |blob| value(blob).inspect_err(|_| forget_exception(env)).ok();
    blobs.drain(..).map(made).collect()
}

/// Clears an exception that would otherwise be thrown by the current call from JavaScript.
fn forget_exception(env: &Env) {
    let (mut pending, mut exception) = (false, ptr::null_mut());
    // SAFETY: `env` is the environment of this call, and both results are written to variables of
    // their types.
    unsafe {
        sys::napi_is_exception_pending(env.raw(), &mut pending);
        if pending {
            sys::napi_get_and_clear_last_exception(env.raw(), &mut exception);
        }
    }
}

/// A blob as a JavaScript value.
pub(super) type Value<'env> = Either<BufferSlice<'env>, JsString<'env>>;
