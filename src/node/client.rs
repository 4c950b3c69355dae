//! The native half of `lib/client.js`.

use super::batch_reader::{BatchReader, Common, broken};
use super::batch_writer::BatchWriter;
use super::core::Core;
use super::crossing::{ClientOp, Kind, LeftShift, TermsShift};
use super::peer::{self, Identity, Line, Lines};
use super::security::{self, SecurityConf};
use super::shell::common_methods;
use super::{dialect, random, random_frame};
use crate::io::dealer::{self, Endpoint, Inbox, Notice, Stats};
use crate::io::{Address, Message, now};
use crate::proto::client::ClientCommand;
use crate::proto::client::{ClientConfig, ClientNotice};
use crate::proto::link::LinkConfig;
use crate::proto::several::{ClientOfSeveral, OneOrSeveral};
use crate::proto::{Client, Terms};
use crate::wire::Dialect;
use crate::wire::omdp::{Place, ReplyKind};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::json;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The options of a client, checked and completed by `lib/options.js`.
#[napi(object)]
pub struct ClientConf {
    /// The endpoints of the brokers; usually one.
    pub endpoints: Vec<String>,
    /// The name, used as identity.
    pub name: String,
    /// Whether the name was generated.
    pub generated: bool,
    /// The name of the dialect.
    pub protocol: String,
    /// The security mechanism; none if missing.
    pub security: Option<SecurityConf>,
    /// The largest accepted body, in bytes.
    pub max_message_size: f64,
    /// The heartbeat interval in ms.
    pub heartbeat: f64,
    /// How many silent intervals end the connection.
    pub liveness: u32,
    /// The first pause before a reconnect, in ms.
    pub reconnect: f64,
    /// The longest pause before a reconnect, in ms.
    pub reconnect_max: f64,
    /// In ms.
    pub broker_grace: f64,
}

/// Interval between two checks in [`ClientCore::flush`].
const LOOK: Duration = Duration::from_millis(2);

type Machine = OneOrSeveral<Client<Message>, ClientOfSeveral<Message>>;

/// A client of the protocol.
#[napi]
pub struct ClientCore {
    conf: ClientConf,
    core: Core<Inbox<Machine>, Notice<ClientNotice<Message>>>,
    lines: Lines,
    /// How many bytes of data its requests and replies had.
    sent: u64,
    received: u64,
}

common_methods!(ClientCore);

#[napi]
impl ClientCore {
    /// Makes a client that is not started.
    #[napi(constructor)]
    pub fn new(conf: ClientConf) -> Self {
        ClientCore {
            core: Core::receiving_from(&conf.endpoints),
            conf,
            lines: Lines::default(),
            sent: 0,
            received: 0,
        }
    }

    /// Starts a life; a record reports the result. `wake` is called when there is something to
    /// drain.
    #[napi]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>) -> Result<()> {
        self.lines = Lines::default();
        let lines = self.lines.set(self.conf.lines()).came;
        let brokers = lines.iter().map(|&line| Ok((line, self.endpoint(line)?)));
        let brokers = brokers.collect::<Result<Vec<_>>>()?;
        let configs: Vec<_> = lines.iter().map(|&line| self.config(line)).collect();
        let of_all = self.config(usize::MAX);
        let machine =
            move || OneOrSeveral::new(now(), configs, Client::new, || ClientOfSeveral::new(of_all));
        let launch = |queue| dealer::start(machine, brokers, queue);
        self.core.start(env, &wake, launch, Notice::StartFailed)
    }

    /// Replaces the brokers.
    #[napi]
    pub fn set_endpoints(&mut self, endpoints: Vec<String>) -> Result<()> {
        self.core.receive_from(&endpoints);
        self.conf.endpoints = endpoints;
        if !self.core.is_alive() {
            return Ok(());
        }
        let change = self.lines.set(self.conf.lines());
        let broker = |line| Ok((self.endpoint(line)?, self.config(line)));
        self.core.change_brokers(change, broker)
    }

    /// Ends the life; all requests are forgotten.
    #[napi]
    pub fn stop(&mut self) {
        self.core.command(ClientCommand::Stop);
    }

    /// Blocks until the requests have been sent to a broker, at most for this time: the process is
    /// about to end.
    #[napi]
    pub fn flush(&self, timeout_ms: f64) {
        let until = now() + Duration::from_millis(timeout_ms as u64);
        loop {
            let (answer, waiting) = mpsc::channel();
            let left = until.since(now());
            if !self.core.command(ClientCommand::Waiting(answer))
                || left.is_zero()
                || waiting.recv_timeout(left).is_ok_and(|waiting| waiting == 0)
            {
                return;
            }
            thread::sleep(LOOK.min(left));
        }
    }

    /// Requests a snapshot as a record; returns an empty one at once if the client is not running.
    #[napi]
    pub fn stats(&self, id: f64) -> Option<String> {
        let asked = self.core.command(ClientCommand::Stats(id as u64));
        (!asked).then(|| peer::stats(Stats::default()))
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
        blobs: Option<Vec<Either<Uint8Array, JsString<'_>>>>,
    ) -> Result<()> {
        let mut batch = BatchReader::new(env, &records, count, &text, blobs)?;
        let mut commands = Vec::with_capacity(count as usize);
        while let Some(record) = batch.next() {
            commands.push(match ClientOp::of(record.op).ok_or_else(broken)? {
                op @ (ClientOp::Request | ClientOp::Stream) => {
                    let [service, data, opts, timeout] = record.fields;
                    let (opts, deadline) = left(opts);
                    ClientCommand::Request {
                        id: record.id as u64,
                        service: batch.common(&record, Common::Service, service)?,
                        data: batch.body(&record, data)?,
                        opts: batch.common(&record, Common::Options, opts)?,
                        terms: Terms {
                            stream: op == ClientOp::Stream,
                            deadline,
                            ..terms(timeout)
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
        self.core.submit(ClientCommand::Batch(commands), count);
        Ok(())
    }

    /// Fills `into` with records, and returns their text.
    #[napi]
    pub fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
    ) -> Result<JsString<'env>> {
        let lines = &self.lines;
        let received = &mut self.received;
        self.core.drain(env, into, |batch, generation, notice| {
            if let Notice::Machine(_, ClientNotice::Reply { body, .. }) = &notice {
                *received += body.bytes.len() as u64;
            }
            peer::report(batch, generation, lines, notice, |batch, notice, line| {
                report(batch, notice, lines.address(line));
            })
        })
    }
}

impl ClientCore {
    fn endpoint(&self, line: usize) -> Result<Endpoint> {
        let conf = &self.conf;
        Ok(Endpoint {
            address: Address::new(self.lines.address(line)),
            routing_id: self.identity(line).routing_id,
            max_message: conf.max_message_size as u64,
            reconnect_ms: self.conf.reconnect.min(f64::from(i32::MAX)) as i32,
            // A broker of 0.0.92 or of MDP sends a client nothing but replies.
            patience: Some(self.patience()),
            gone: random_frame(),
            group: None,
            security: security::client(conf.security.as_ref())?,
        })
    }

    fn identity(&self, line: usize) -> Identity {
        let conf = &self.conf;
        let (dialect, name) = (dialect(&conf.protocol), (&*conf.name, conf.generated));
        Identity::new(&self.core, dialect, line, name)
    }

    fn patience(&self) -> Duration {
        let heartbeat = Duration::from_millis(self.conf.heartbeat as u64);
        heartbeat.saturating_mul(self.conf.liveness)
    }

    fn config(&self, line: usize) -> ClientConfig {
        let conf = &self.conf;
        let dialect = dialect(&conf.protocol);
        ClientConfig {
            dialect,
            link: LinkConfig {
                heartbeat: Duration::from_millis(conf.heartbeat as u64),
                liveness: conf.liveness,
                soon: peer::soon(conf.reconnect),
                reconnect: Duration::from_millis(conf.reconnect as u64),
                reconnect_max: Duration::from_millis(conf.reconnect_max as u64),
                away: Duration::from_millis(conf.broker_grace as u64),
                seed: random(),
                expect_beats: false,
                expect_hello: dialect == Dialect::Omdp && conf.security.is_some(),
                name: self.identity(line).name,
                max_message: Some(conf.max_message_size as u64),
            },
            session: format!("{:x}-", random()),
            await_hello: dialect == Dialect::Omdp
                && Address::new(self.lines.address(line)).is_inproc(),
        }
    }
}

impl ClientConf {
    fn lines(&self) -> impl Iterator<Item = Line> {
        self.endpoints.iter().map(|address| (address.clone(), 0))
    }
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
        timeout: (timeout >= 0.0).then(|| Duration::from_millis(timeout as u64)),
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
        ClientNotice::Enough { id } => batch.number(Kind::Enough, id, 0.0),
        ClientNotice::Failed { id, code } => batch.words(Kind::Failed, id, &code, ""),
        ClientNotice::Place { id, place } => match place {
            Place::NoWorker => batch.words(Kind::Place, id, "none", ""),
            Place::Queued => batch.words(Kind::Place, id, "queued", ""),
            Place::Worker(name) => {
                batch.words(Kind::Place, id, "worker", &String::from_utf8_lossy(&name));
            }
        },
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
    fn what_is_left_shares_a_number() {
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
