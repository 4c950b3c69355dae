//! The ways in which a request ends.

use crate::proto::code::Code;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};

/// The way in which a request ends.
#[derive(Debug)]
pub(super) enum End<F> {
    /// A final or an error of its worker.
    Answered(ReplyKind, Body<F>),
    /// A code of the broker.
    Failed(Code),
    /// A cancellation, or the loss of its client.
    Cancelled,
    /// A timeout at the client, which has already ended the request there.
    ExpiredAtClient,
}

impl<F: Frame> End<F> {
    /// The final, if the request ends with one.
    pub(super) fn reply(&self) -> Option<&Body<F>> {
        match self {
            End::Answered(kind, body) if !kind.is_error() => Some(body),
            _ => None,
        }
    }

    /// The outcome in the log of requests.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            End::Answered(kind, _) if kind.is_error() => {
                self.own_code().map_or("error", Code::as_str)
            }
            End::Answered(..) => "ok",
            End::Failed(code) => code.as_str(),
            End::Cancelled => Code::Aborted.as_str(),
            End::ExpiredAtClient => Code::ClientTimeout.as_str(),
        }
    }

    /// The code of an answer that is one. A worker may send any text in place of a code; a text that is no code counts
    /// as an error value, so that workers cannot invent codes.
    pub(super) fn own_code(&self) -> Option<Code> {
        match self {
            End::Answered(ReplyKind::OwnError, body) => Code::from_json(&body.bytes),
            _ => None,
        }
    }
}

/// The body of a reply that is a code.
pub(super) fn text_of<F: Frame>(code: Code) -> Body<F> {
    Body::json(F::from(code.to_json()))
}
