//! The terms of a request and its constraints on workers, as its message states them: in the extension frame or in the
//! client's options.

use crate::proto::Terms;
use crate::proto::broker::requests::Routing;
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::members::{Scalar, members};
use crate::wire::{Body, Frame, Malformed};
use std::time::Duration;

/// The constraints on workers, if any.
pub(super) type Route = Option<Box<Routing>>;

/// Reads the body, the terms and the constraints, from the extension frame or else from the options.
pub(super) fn read_request<F: Frame>(
    data: F,
    opts: Option<&[u8]>,
    ext: Option<RequestExt>,
) -> Result<(Body<F>, Terms, Route), Malformed> {
    let Some(ext) = ext else {
        let (timeout, routing) = read_options(opts, "worker");
        return Ok((Body::json(data), timeout.into(), routing));
    };
    let body = match ext.data {
        RequestData::Json => Body::json(data),
        RequestData::Binary => Body::binary(data),
        RequestData::BufferAsJson => Body::from_buffer_json(&data)?,
    };
    let timeout = u64::try_from(ext.timeout_ms)
        .ok()
        .map(Duration::from_millis);
    let terms = Terms {
        timeout,
        // The part of a stream that was read cannot be given to another worker.
        retry: if ext.stream { 0 } else { ext.retry },
        fail_fast: ext.fail_fast,
        routed: ext.routed,
        stream: ext.stream,
        deadline: ext.left_ms.map(|ms| Duration::from_millis(ms.into())),
    };
    let routing = match ext.routed {
        true => Routing::read(opts.unwrap_or_default()),
        false => None,
    };
    Ok((body, terms, routing))
}

/// Reads the timeout as 0.0.92 does: 60 s if it is missing, zero or not a number; none if it is negative. Clients of
/// 0.0.92 send all options of the user, so that routing options may be present too. `worker` is the name of the
/// option for one worker.
pub(super) fn read_options(opts: Option<&[u8]>, worker: &str) -> (Option<Duration>, Route) {
    const DEFAULT: f64 = 60_000.0;
    let mut timeout = None;
    let mut routing: Route = None;
    let is_object = members(opts.unwrap_or_default(), |name, value| match name {
        "timeout" => timeout = value.as_f64(),
        "key" | "priority" => routing.get_or_insert_default().set(name, value),
        name if name == worker => routing.get_or_insert_default().set("worker", value),
        _ => {}
    });
    let timeout = timeout
        .filter(|ms| is_object && *ms != 0.0)
        .unwrap_or(DEFAULT);
    let timeout = (timeout > 0.0)
        .then(|| Duration::from_millis(timeout.min(f64::from(i32::MAX)).ceil() as u64));
    let routing = routing.filter(|routing| is_object && !routing.is_empty());
    (timeout, routing)
}

/// A client of PIGATO checks its timeouts with each heartbeat, and crashes on a reply to a request that it has given
/// up. The broker's timeout has to come first.
pub(super) fn ahead_of_client(timeout: Duration) -> Duration {
    timeout - (timeout / 10).min(Duration::from_millis(50))
}

/// Reads `retry` as PIGATO does: any truthy value permits any number of attempts.
pub(super) fn retry_of(opts: Option<&[u8]>) -> u8 {
    let mut may_retry = false;
    let is_object = members(opts.unwrap_or_default(), |name, value| {
        if name == "retry" {
            may_retry = match value {
                Scalar::Bool(is) => is,
                Scalar::Text(text) => !text.is_empty(),
                value => value.as_f64().is_some_and(|n| n != 0.0),
            };
        }
    });
    match is_object && may_retry {
        true => u8::MAX,
        false => 0,
    }
}
