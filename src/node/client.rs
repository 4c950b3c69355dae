//! The native half of `lib/client.js`.

use super::batch_reader::{BatchReader, Common, broken};
use super::batch_writer::BatchWriter;
use super::connection::{ConnectionConf, Expects};
use super::core::Core;
use super::crossing::{ClientOp, Kind, LeftShift, RequestPlace, TermsShift};
use super::given::ArrayBuffer;
use super::peer::{self, Destinations, Identity};
use super::shell::{common_methods, connecting_methods};
use super::units::optional_ms;
use crate::io::dealer::{self, DriverHandle, Endpoint, Notice};
use crate::io::{Message, now, random};
use crate::proto::client::{
    Cause, ClientCommand, ClientConfig, ClientNotice, ClientTerms, RetryPolicy,
};
use crate::proto::several::{ClientOfSeveral, OneOrSeveral};
use crate::proto::{Client, Terms};
use crate::wire::Dialect;
use crate::wire::json::name_of;
use crate::wire::omdp::{Place, ReplyKind};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::{Value, json};
use std::time::Duration;

type Machine = OneOrSeveral<Client<Message>, ClientOfSeveral<Message>>;

/// A client of the protocol.
#[napi]
pub struct ClientCore {
    conf: ConnectionConf,
    core: Core<DriverHandle<Machine>, Notice<ClientNotice<Message>>>,
    destinations: Destinations,
    /// How many bytes of data its requests and replies had.
    sent: u64,
    received: u64,
}

common_methods!(ClientCore);
connecting_methods!(ClientCore, ClientCommand, conf);

#[napi]
impl ClientCore {
    /// Makes a client that is not started.
    #[napi(constructor)]
    pub fn new(conf: ConnectionConf) -> Self {
        ClientCore {
            core: Core::receiving_from(&conf.endpoints),
            conf,
            destinations: Destinations::default(),
            sent: 0,
            received: 0,
        }
    }

    /// Starts a run; a record reports the result. `wake` is called when there is something to
    /// drain.
    #[napi]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>) -> Result<()> {
        self.destinations = Destinations::default();
        let came = self.destinations.set(self.conf.destinations()).came;
        let (brokers, configs) = peer::brokers(came, |number| self.broker(number))?;
        let of_all = self.config(String::new(), false);
        let machine =
            move || OneOrSeveral::new(now(), configs, Client::new, || ClientOfSeveral::new(of_all));
        let launch = |queue| dealer::start(machine, brokers, queue);
        self.core.start(env, &wake, launch, Notice::StartFailed)
    }

    /// Ends the run; all requests are forgotten.
    #[napi]
    pub fn stop(&mut self) {
        self.core.command(ClientCommand::Stop);
    }

    /// Total data bytes of its requests and replies.
    #[napi]
    pub fn bytes(&self) -> peer::Bytes {
        peer::Bytes {
            bytes_in: self.received as f64,
            bytes_out: self.sent as f64,
        }
    }

    /// Takes a batch of records.
    #[napi]
    pub fn submit(
        &mut self,
        env: &Env,
        records: Float64ArraySlice<'_>,
        count: u32,
        text: JsString<'_>,
        blobs: Option<Vec<Either3<Uint8Array, JsString<'_>, ArrayBuffer>>>,
    ) -> Result<()> {
        let mut batch = BatchReader::new(env, &records, count, &text, blobs)?;
        batch.borrow_if(|bytes| self.core.may_borrow(count, bytes));
        let mut commands = Vec::with_capacity(count as usize);
        while let Some(record) = batch.next() {
            commands.push(match ClientOp::of(record.op).ok_or_else(broken)? {
                op @ (ClientOp::Request | ClientOp::Stream) => {
                    let [service, data, opts, timeout] = record.fields;
                    let (opts, deadline) = left(opts);
                    let service = batch.common(&record, Common::Service, service)?;
                    let data = batch.body(&record, data)?;
                    let opts = batch.common(&record, Common::Options, opts)?;
                    let terms = Terms {
                        stream: op == ClientOp::Stream,
                        deadline,
                        ..terms(timeout)
                    };
                    let may_have_policy = terms.routed && !terms.stream;
                    let policy = may_have_policy.then(|| retry_policy(&opts)).flatten();
                    ClientCommand::Request {
                        id: record.id as u64,
                        service,
                        data,
                        opts,
                        terms: ClientTerms {
                            terms,
                            policy: policy.map(Box::new),
                        },
                    }
                }
                ClientOp::Chunk => {
                    let [data, counted, ..] = record.fields;
                    let body = batch.body(&record, data)?;
                    ClientCommand::Chunk(record.id as u64, body, counted as u32)
                }
                ClientOp::ChunkEnd => ClientCommand::EndInput(record.id as u64),
                ClientOp::Cancel => ClientCommand::Cancel(record.id as u64),
                ClientOp::Heartbeat => {
                    ClientCommand::Heartbeat((record.id >= 0.0).then_some(record.id as u64))
                }
                ClientOp::Credit => {
                    let [bytes, ..] = record.fields;
                    ClientCommand::Credit(record.id as u64, bytes as u32)
                }
            });
        }
        self.sent += batch.bytes;
        self.core
            .submit(ClientCommand::Batch(commands), count, batch.borrowed());
        Ok(())
    }

    /// Fills `into` with records, and returns their text.
    #[napi]
    pub fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
    ) -> Result<JsString<'env>> {
        let destinations = &self.destinations;
        let received = &mut self.received;
        self.core.drain(env, into, |batch, generation, notice| {
            if let Notice::Machine(_, ClientNotice::Reply { body, .. }) = &notice {
                *received += body.bytes.len() as u64;
            }
            peer::report(
                batch,
                generation,
                destinations,
                notice,
                |batch, notice, number| {
                    report(batch, notice, destinations.endpoint(number));
                },
            )
        })
    }
}

impl ClientCore {
    fn broker(&self, number: usize) -> Result<(Endpoint, ClientConfig)> {
        let identity = self.identity(number);
        let conf = &self.conf;
        let endpoint = Endpoint {
            // A broker of 0.0.92 or of MDP sends a client nothing but replies.
            patience: Some(conf.patience()),
            ..conf.endpoint(self.destinations.address(number), identity.routing_id)?
        };
        let config = self.config(identity.name, endpoint.address.is_inproc());
        Ok((endpoint, config))
    }

    fn identity(&self, number: usize) -> Identity {
        let conf = &self.conf;
        let name = (&*conf.name, conf.generated);
        Identity::new(&self.core, conf.dialect(), number, name)
    }

    fn config(&self, name: String, is_inproc: bool) -> ClientConfig {
        let conf = &self.conf;
        let dialect = conf.dialect();
        let expects = Expects {
            hello: dialect == Dialect::Omdp && conf.security.is_some(),
            beats: false,
        };
        ClientConfig {
            dialect,
            link: conf.link(name, expects),
            session: format!("{:x}-", random()),
            await_hello: dialect == Dialect::Omdp && is_inproc,
        }
    }
}

/// The failures that a retry policy may name.
const CAUSES: [(Cause, &str); 4] = [
    (Cause::Lost, "lost"),
    (Cause::Rejected, "rejected"),
    (Cause::Error, "error"),
    (Cause::Timeout, "timeout"),
];

/// The retry policy in the options, which JavaScript has checked and completed.
fn retry_policy(options: &[u8]) -> Option<RetryPolicy> {
    let text = std::str::from_utf8(options).ok()?;
    // Most have none, and this thread is JavaScript's.
    if !text.contains(r#""retry":{"#) {
        return None;
    }
    let options: Value = serde_json::from_str(text).ok()?;
    let policy = options.get("retry")?.as_object()?;
    let number = |name: &str| policy.get(name).and_then(Value::as_f64);
    let on = policy.get("on")?.as_array()?;
    let named = |name: &str| on.iter().any(|each| each.as_str() == Some(name));
    let on = CAUSES.into_iter().filter(|(_, name)| named(name));
    Some(RetryPolicy {
        attempts: number("attempts")?.clamp(1.0, 255.0) as u8,
        on: on.map(|(cause, _)| cause).collect(),
        delay: number("delay")?,
        factor: number("factor")?,
        max_delay: number("maxDelay")?,
        jitter: number("jitter")?,
    })
}

/// Decodes the last field of a request's record: the timeout in ms, -1 for none, combined with
/// others by [`TermsShift`].
fn terms(field: f64) -> Terms {
    const ABOVE: f64 = (1u64 << TermsShift::Retry as u32) as f64;
    const FAIL_FAST: u64 = 1 << (TermsShift::FailFast as u32 - TermsShift::Retry as u32);
    const ROUTED: u64 = 1 << (TermsShift::Routed as u32 - TermsShift::Retry as u32);
    let how = ((field + 1.0) / ABOVE).floor();
    let timeout = field - how * ABOVE;
    let how = how as u64;
    Terms {
        timeout: optional_ms(timeout),
        retry: how as u8,
        fail_fast: how & FAIL_FAST != 0,
        routed: how & ROUTED != 0,
        ..Terms::default()
    }
}

/// Decodes the length of a request's options and the time left until its deadline, see
/// [`LeftShift`].
fn left(field: f64) -> (f64, Option<Duration>) {
    const ABOVE: f64 = (1u64 << LeftShift::Options as u32) as f64;
    if field < ABOVE {
        return (field, None);
    }
    let left = (field / ABOVE).floor();
    (
        field - left * ABOVE,
        Some(Duration::from_millis(left as u64 - 1)),
    )
}

fn report(batch: &mut BatchWriter<'_>, notice: ClientNotice<Message>, endpoint: &str) {
    match notice {
        ClientNotice::Reply { id, kind, body } => {
            let kind = match kind {
                ReplyKind::Partial => Kind::Partial,
                ReplyKind::Final => Kind::Final,
                ReplyKind::Error | ReplyKind::OwnError | ReplyKind::Rejected => Kind::Error,
            };
            batch.body(kind, id, body);
        }
        ClientNotice::Credit { id, bytes } => batch.number(Kind::Credit, id, bytes as f64),
        ClientNotice::Attempt { id, attempt } => {
            batch.number(Kind::Attempt, id, f64::from(attempt));
        }
        ClientNotice::Enough { id } => batch.number(Kind::Enough, id, 0.0),
        ClientNotice::Failed { id, code } => batch.words(Kind::Failed, id, &code, ""),
        ClientNotice::Place { id, place, earlier } => {
            let latest = u32::from(earlier);
            match place {
                Place::NoWorker => batch.place(id, RequestPlace::NoWorker, "", latest),
                Place::Queued => batch.place(id, RequestPlace::Queued, "", latest),
                Place::Worker(name) => {
                    batch.place(id, RequestPlace::Worker, &name_of(&name), latest + 1);
                }
            }
        }
        ClientNotice::Connected => batch.words(Kind::Connect, 0, endpoint, ""),
        ClientNotice::Disconnected(why) => {
            batch.words(Kind::Disconnect, 0, endpoint, why.as_str());
            peer::report_loss(batch, endpoint, why);
        }
        ClientNotice::Fault(why) => batch.event("badMessage", &json!({ "reason": why.as_str() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_policy_is_read_from_the_options() {
        let options = br#"{"retry":{"attempts":9,"on":["lost","error"],"delay":100,"factor":2,"maxDelay":500,"jitter":0.5}}"#;
        let expected = RetryPolicy {
            attempts: 9,
            on: vec![Cause::Lost, Cause::Error],
            delay: 100.0,
            factor: 2.0,
            max_delay: 500.0,
            jitter: 0.5,
        };
        assert_eq!(retry_policy(options), Some(expected));
        assert_eq!(retry_policy(br#"{"retry":3}"#), None);
        assert_eq!(retry_policy(b"{}"), None);
    }

    #[test]
    fn the_time_left_shares_a_number() {
        assert_eq!(left(65_536.0), (65_536.0, None));
        for ms in [0, 1, 2_147_483_647] {
            let field = 17.0 + (ms as f64 + 1.0) * 1_048_576.0;
            assert_eq!(left(field), (17.0, Some(Duration::from_millis(ms))));
        }
    }

    #[test]
    fn terms_share_a_number() {
        for timeout in [-1.0, 1.0, 60_000.0, 2_147_483_647.0] {
            for retry in [0, 1, 255] {
                for (fail_fast, routed) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let how = f64::from(retry)
                        + if fail_fast { 256.0 } else { 0.0 }
                        + if routed { 512.0 } else { 0.0 };
                    let expected = Terms {
                        timeout: (timeout >= 0.0).then(|| Duration::from_millis(timeout as u64)),
                        retry,
                        fail_fast,
                        routed,
                        ..Terms::default()
                    };
                    assert_eq!(terms(timeout + how * 4_294_967_296.0), expected);
                }
            }
        }
    }
}
