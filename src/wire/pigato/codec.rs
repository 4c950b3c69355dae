//! The codec of PIGATO's messages: what both directions have in common.

mod from_peers;
mod to_peers;

use super::*;
use crate::wire::{Cursor, Malformed};

const EMPTY: &[u8] = b"";

/// Parses `client ∅ rid`.
fn address<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<(F, F), Malformed> {
    let client = cursor.echo()?;
    delimiter(cursor)?;
    Ok((client, cursor.echo()?))
}

fn delimiter<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<(), Malformed> {
    match cursor.next()?.is_empty() {
        true => Ok(()),
        false => Err(Malformed::Name),
    }
}

/// The kind of a reply with this command and code.
fn kind(last: bool, code: &[u8]) -> Result<ReplyKind, Malformed> {
    match (last, code) {
        (false, SUCCESS) => Ok(ReplyKind::Partial),
        (true, SUCCESS) => Ok(ReplyKind::Final),
        (true, FAILURE) => Ok(ReplyKind::Error),
        _ => Err(Malformed::Extension),
    }
}

fn code(kind: ReplyKind) -> &'static [u8] {
    match kind.is_error() {
        true => FAILURE,
        false => SUCCESS,
    }
}

fn command(kind: ReplyKind) -> &'static [u8] {
    match kind.is_last() {
        true => FINAL,
        false => PARTIAL,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
