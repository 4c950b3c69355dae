//! A client's request on its way into the queue of its service.

use super::clients::ClientKey;
use super::requests::{Content, RequestKey};
use super::services::ServiceKey;
use super::{Broker, Timer};
use crate::proto::{Terms, Time};
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::{Body, Frame, Malformed};
use serde_json::Value;
use std::time::Duration;

impl<F: Frame> Broker<F> {
    pub(super) fn on_request(
        &mut self,
        now: Time,
        client: ClientKey,
        service: &[u8],
        rid: F,
        content: Content<F>,
        terms: Terms,
    ) {
        let service = self.services.require(service);
        self.counters.requests += 1;
        if let Some(code) = self.obstacle(now, service, &content, terms) {
            return self.turn_away(client, service, rid, code);
        }
        let request = self.insert_request(now, client, service, rid, content, terms);
        self.enqueue(now, request, service);
    }

    /// Has it wait for a worker.
    pub(super) fn enqueue(&mut self, now: Time, request: RequestKey, service: ServiceKey) {
        let entry = self.services.get_mut(service);
        entry.queue.push_back(request, &mut self.requests);
        self.dispatch(now, service);
        self.watch(now, request);
    }

    /// A new request of a client, in no place yet.
    pub(super) fn insert_request(
        &mut self,
        now: Time,
        client: ClientKey,
        service: ServiceKey,
        rid: F,
        content: Content<F>,
        terms: Terms,
    ) -> RequestKey {
        let timeout = terms.timeout;
        let deadline = timeout.map_or(now, |timeout| now + timeout);
        let request = self
            .requests
            .insert(client, rid, service, content, terms, deadline);
        if timeout.is_some() {
            let timer = self.deadlines.set(deadline, Timer::Request(request));
            if let Some(entry) = self.requests.get_mut(request) {
                entry.timer = Some(timer);
            }
        }
        self.clients.add(client, request, &self.requests);
        request
    }
}

/// The body, and the terms: out of the extension frame, or else out of the options.
pub(super) fn read_request<F: Frame>(
    data: F,
    opts: Option<&[u8]>,
    ext: Option<RequestExt>,
) -> Result<(Body<F>, Terms), Malformed> {
    let Some(ext) = ext else {
        return Ok((Body::json(data), timeout_of(opts).into()));
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
        retry: ext.retry,
        fail_fast: ext.fail_fast,
    };
    Ok((body, terms))
}

/// As 0.0.92 read it: what is missing, zero or no number is 60 s, what is negative is none.
fn timeout_of(opts: Option<&[u8]>) -> Option<Duration> {
    const DEFAULT: f64 = 60_000.0;
    let timeout = opts
        .and_then(|opts| serde_json::from_slice::<Value>(opts).ok())
        .and_then(|opts| opts.get("timeout")?.as_f64())
        .filter(|ms| *ms != 0.0)
        .unwrap_or(DEFAULT);
    (timeout > 0.0).then(|| Duration::from_millis(timeout.min(f64::from(i32::MAX)).ceil() as u64))
}
