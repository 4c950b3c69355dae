//! Conversion between PIGATO's messages and those of the machines, and the JSON in PIGATO's
//! messages.

use super::*;
use crate::wire::members::{Scalar, members};
use crate::wire::omdp;

/// Whether data stand for `undefined`: an empty frame, or the text that Node.js makes of it.
pub fn is_nothing(data: &[u8]) -> bool {
    data.is_empty() || data == b"undefined"
}

/// Whether options have the member `retry`, with any value.
pub(super) fn has_retry(opts: &[u8]) -> bool {
    let mut found = false;
    members(opts, |name, _| found |= name == "retry") && found
}

/// The concurrency in a worker's status; -1 means no limit.
pub fn status(json: &[u8]) -> Option<i64> {
    let mut concurrency = None;
    let is_object = members(json, |name, value| {
        if name == "concurrency" {
            concurrency = match value {
                Scalar::Float(n) if n.is_finite() => Some(n as i64),
                value => value.as_i64(),
            };
        }
    });
    concurrency.filter(|n| is_object && *n >= -1)
}

/// The JSON text of an error value. PIGATO's clients take a falsy value for a success.
pub fn error_text<F: Frame>(data: F) -> F {
    let text = std::str::from_utf8(&data).unwrap_or_default().trim();
    let is_zero = || text.parse::<f64>().is_ok_and(|number| number == 0.0);
    match text {
        "" | "\"\"" => F::from(&b"\"error\""[..]),
        "null" | "false" | "undefined" => F::from(format!("\"{text}\"").into_bytes()),
        _ if is_zero() => F::from(&b"\"0\""[..]),
        _ => data,
    }
}

fn reply_text<F: Frame>(kind: ReplyKind, body: Body<F>) -> F {
    let data = body.into_json();
    match kind.is_error() {
        true => error_text(data),
        false => data,
    }
}

impl<F: Frame> ToClient<F> {
    /// Makes the broker's reply; `None` for a partial that would end the client's stream too early.
    pub fn reply(kind: ReplyKind, rid: F, body: Body<F>, opts: Option<F>) -> Option<Self> {
        let body = body.into_value();
        if kind == ReplyKind::Partial && body.is_null() {
            return None;
        }
        let data = reply_text(kind, body);
        let opts = Some(opts.unwrap_or_else(|| F::from(&b"{}"[..])));
        Some(ToClient::Reply {
            kind,
            rid,
            data,
            opts,
        })
    }
}

impl<F: Frame> ToWorker<F> {
    /// Converts a message of the broker other than a request; `None` if PIGATO lacks it.
    pub fn from_neutral(message: omdp::ToWorker<F>) -> Option<Self> {
        match message {
            omdp::ToWorker::Heartbeat => Some(ToWorker::Heartbeat),
            omdp::ToWorker::Disconnect => Some(ToWorker::Disconnect),
            omdp::ToWorker::RequestHeartbeat { client, rid } => {
                Some(ToWorker::RequestHeartbeat { client, rid })
            }
            _ => None,
        }
    }
}

impl<F: Frame> WorkerMessage<F> {
    /// Converts a message of a local worker with this concurrency; `None` if PIGATO lacks it.
    pub fn from_neutral(message: omdp::WorkerMessage<F>, concurrency: i64) -> Option<Self> {
        match message {
            omdp::WorkerMessage::Ready { service, .. } => Some(WorkerMessage::Ready { service }),
            omdp::WorkerMessage::Reply {
                kind,
                client,
                rid,
                body,
                ..
            } => Some(WorkerMessage::Reply {
                kind,
                client,
                rid,
                data: reply_text(kind, body),
                opts: Some(F::from(&b"{}"[..])),
            }),
            omdp::WorkerMessage::Heartbeat => {
                let status = format!("{{\"concurrency\":{concurrency}}}");
                Some(WorkerMessage::Heartbeat {
                    status: Some(F::from(status.into_bytes())),
                })
            }
            omdp::WorkerMessage::Disconnect => Some(WorkerMessage::Disconnect),
            _ => None,
        }
    }
}

impl<F: Frame> ClientMessage<F> {
    /// Converts a message of a local client; `None` if PIGATO lacks it.
    pub fn from_neutral(message: omdp::ClientMessage<F>) -> Option<Self> {
        use crate::wire::ext::RequestData;
        match message {
            omdp::ClientMessage::Request {
                service,
                rid,
                data,
                opts,
                ext,
            } => {
                let data = match ext.map(|ext| ext.data) {
                    Some(RequestData::Binary) => Body::binary(data).into_json(),
                    _ => data,
                };
                Some(ClientMessage::Request {
                    service,
                    rid,
                    data,
                    opts,
                })
            }
            omdp::ClientMessage::Heartbeat => Some(ClientMessage::Heartbeat),
            omdp::ClientMessage::RequestHeartbeat { rid } => {
                Some(ClientMessage::RequestHeartbeat { rid })
            }
            _ => None,
        }
    }
}

impl<F: Frame> ToWorker<F> {
    /// Converts a message for a local worker. Also returns the client's options, if it is a request
    /// with options.
    pub fn into_neutral(self) -> (omdp::ToWorker<F>, Option<F>) {
        let request = |client, rid, data| omdp::ToWorker::Request {
            client,
            rid,
            body: body(data),
            extra: None,
        };
        let is_object = |opts: &F| members(opts, |_, _| {});
        let message = match self {
            ToWorker::Request {
                client,
                rid,
                data,
                opts,
                ..
            } => return (request(client, rid, data), opts.filter(is_object)),
            ToWorker::EitherRequest {
                client,
                rid,
                data,
                opts,
            } => return (request(client, rid, data), Some(opts).filter(is_object)),
            ToWorker::Welcome | ToWorker::Heartbeat => omdp::ToWorker::Heartbeat,
            ToWorker::RequestHeartbeat { client, rid } => {
                omdp::ToWorker::RequestHeartbeat { client, rid }
            }
            ToWorker::Disconnect => omdp::ToWorker::Disconnect,
        };
        (message, None)
    }
}
