//! The frames of a reply between its ids and its extension frame, from a worker and to a client: `0 data`, or an error value
//! and, with the extension, an empty frame.

use super::{ReplyKind, SUCCESS};
use crate::wire::ext::ResultExt;
use crate::wire::{Body, Encoding, Frame, Malformed};

/// Decodes the code and the data of a reply with these flags of the extension frame.
#[inline]
pub(super) fn decode<F: Frame>(
    kind: ReplyKind,
    code: F,
    data: Option<F>,
    flags: Option<ResultExt>,
) -> Result<(ReplyKind, Body<F>), Malformed> {
    let error = flags.is_some_and(|flags| flags.error);
    let (kind, bytes) = match data {
        // A code frame alone is an error value, also `0`, which 0.0.92 sends for `error(0)`.
        None if kind == ReplyKind::Final => (ReplyKind::Error, code),
        Some(empty) if error && kind == ReplyKind::Final && empty.is_empty() => {
            let own = flags.is_some_and(|flags| flags.own);
            (ReplyKind::error(own), code)
        }
        Some(data) if !error && &*code == SUCCESS => (kind, data),
        None => return Err(Malformed::Short),
        Some(_) if error => return Err(Malformed::Extension),
        Some(_) => return Err(Malformed::Trailing),
    };
    let encoding = match flags.is_some_and(|flags| flags.binary) {
        true => Encoding::Binary,
        false => Encoding::Json,
    };
    Ok((kind, Body { bytes, encoding }))
}

/// The flags of a reply.
pub(super) fn flags<F>(kind: ReplyKind, body: &Body<F>) -> ResultExt {
    ResultExt {
        binary: body.encoding == Encoding::Binary,
        error: kind.is_error(),
        own: kind == ReplyKind::OwnError,
    }
}

/// Appends the code and the data of a reply. Without the extension the body is encoded as JSON.
#[inline]
pub(super) fn encode<F: Frame>(kind: ReplyKind, body: Body<F>, extended: bool, out: &mut Vec<F>) {
    let bytes = match extended {
        true => body.bytes,
        false => body.into_json(),
    };
    if kind.is_error() {
        out.push(bytes);
        out.extend(extended.then(|| F::from(&[][..])));
    } else {
        out.extend([F::from(SUCCESS), bytes]);
    }
}
