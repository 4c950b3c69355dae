//! The body of a reply, whose form is the same from the worker to the broker and from there to the client.

use super::{ReplyKind, SUCCESS};
use crate::wire::ext::ResultExt;
use crate::wire::{Body, Encoding, Frame, Malformed};

/// The flags of a reply.
pub(super) fn flags_of<F: Frame>(kind: ReplyKind, body: &Body<F>) -> ResultExt {
    ResultExt {
        binary: body.encoding == Encoding::Binary,
        error: kind.is_error(),
        own: kind == ReplyKind::OwnError,
    }
}

/// Decodes the frames after the request's id. A FINAL may be an error, which the kind then states.
#[inline(always)]
pub(super) fn decode<F: Frame>(
    kind: ReplyKind,
    code: F,
    data: Option<F>,
    ext: Option<ResultExt>,
) -> Result<(ReplyKind, Body<F>), Malformed> {
    let error = ext.is_some_and(|ext| ext.error);
    let (kind, bytes) = match data {
        // A code frame alone is an error value, also `0`, which 0.0.92 sends for `error(0)`.
        None if kind == ReplyKind::Final => (ReplyKind::Error, code),
        Some(empty) if error && kind == ReplyKind::Final && empty.is_empty() => {
            let own = ext.is_some_and(|ext| ext.own);
            (ReplyKind::error(own), code)
        }
        Some(data) if !error && &*code == SUCCESS => (kind, data),
        None => return Err(Malformed::Short),
        Some(_) if error => return Err(Malformed::Extension),
        Some(_) => return Err(Malformed::Trailing),
    };
    let encoding = match ext.is_some_and(|ext| ext.binary) {
        true => Encoding::Binary,
        false => Encoding::Json,
    };
    Ok((kind, Body { bytes, encoding }))
}

/// Appends the frames after the request's id. Without an extension the body is encoded as JSON.
#[inline(always)]
pub(super) fn encode<F: Frame>(kind: ReplyKind, body: Body<F>, ext: Option<F>, out: &mut Vec<F>) {
    let bytes = match ext {
        Some(_) => body.bytes,
        None => body.into_json(),
    };
    if kind.is_error() {
        out.push(bytes);
        out.extend(ext.is_some().then(|| F::from(&[][..])));
    } else {
        out.extend([F::from(SUCCESS), bytes]);
    }
    out.extend(ext);
}
