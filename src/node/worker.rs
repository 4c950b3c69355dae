//! The native half of `lib/worker.js`.

use super::batch_reader::{BatchReader, broken};
use super::batch_writer::{BatchWriter, Terms};
use super::core::Core;
use super::crossing::{Kind, WorkerOp};
use super::peer::{self, Identity, Line, Lines};
use super::security::{self, SecurityConf};
use super::shell::common_methods;
use super::taken::TakenOffers;
use super::{dialect, random, random_frame, slots};
use crate::io::dealer::{self, Endpoint, Group, Inbox, Notice, Stats};
use crate::io::{Address, Message, now};
use crate::proto::Worker;
use crate::proto::link::LinkConfig;
use crate::proto::several::{OneOrSeveral, WorkerOfSeveral};
use crate::proto::worker::WorkerCommand;
use crate::proto::worker::{Worked, WorkerConfig, WorkerNotice};
use crate::wire::{About, Balance, Dialect, Rate, Serving};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::json;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// The options of a worker, checked and completed by `lib/options.js`.
#[napi(object)]
pub struct WorkerConf {
    /// The endpoints of the brokers; usually one.
    pub endpoints: Vec<String>,
    /// The name of the service, with its version.
    pub service: String,
    /// The names of further services.
    pub more_services: Vec<String>,
    /// Whether the names are patterns.
    pub pattern: bool,
    /// The policy of the service, if set.
    pub balance: Option<String>,
    /// The weight of the worker, if set.
    pub weight: Option<u32>,
    /// How many requests of the service may start in an interval.
    pub rate: Option<RateConf>,
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
    /// How many requests run at the same time; -1 without limit.
    pub concurrency: f64,
    /// The same for each service; empty if none has a limit of its own.
    pub limits: Vec<f64>,
    /// How many requests are accepted ahead of need; 0 for none.
    pub prefetch: u32,
    /// How long JavaScript may be blocked, in ms; -1 without limit.
    pub max_blocked: f64,
    /// A description in words.
    pub description: Option<String>,
    /// Metadata as JSON.
    pub metadata: Option<String>,
}

/// A maximum number of starts in any interval.
#[napi(object)]
#[derive(Clone, Copy)]
pub struct RateConf {
    /// The maximum number of starts.
    pub max: u32,
    /// The interval in ms.
    pub interval: f64,
}

impl From<RateConf> for Rate {
    fn from(conf: RateConf) -> Self {
        Rate {
            max: conf.max,
            interval_ms: conf.interval as u32,
        }
    }
}

type Machine = OneOrSeveral<Worker<Message>, WorkerOfSeveral<Message>>;

/// A worker of the protocol.
#[napi]
pub struct WorkerCore {
    conf: WorkerConf,
    core: Core<Inbox<Machine>, Notice<WorkerNotice<Message>>>,
    taken: TakenOffers,
    /// Total bytes of the sent replies.
    sent: u64,
    lines: Lines,
    /// The services of each endpoint that may share a connection, in this life.
    groups: RefCell<HashMap<String, Group>>,
}

common_methods!(WorkerCore);

#[napi]
impl WorkerCore {
    /// Makes a worker that is not started.
    #[napi(constructor)]
    pub fn new(conf: WorkerConf) -> Self {
        WorkerCore {
            core: Core::receiving_from(&conf.endpoints),
            conf,
            taken: TakenOffers::default(),
            sent: 0,
            lines: Lines::default(),
            groups: RefCell::default(),
        }
    }

    /// Starts a life; a record reports the result. `wake` is called when there is something to
    /// drain.
    #[napi]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>) -> Result<()> {
        self.lines = Lines::default();
        self.groups.take();
        let lines = self.lines.set(self.conf.lines()).came;
        let brokers = lines.iter().map(|&line| Ok((line, self.endpoint(line)?)));
        let brokers = brokers.collect::<Result<Vec<_>>>()?;
        let configs: Vec<_> = lines.iter().map(|&line| self.config(line)).collect();
        let concurrency = limit(self.conf.concurrency);
        let machine = move || {
            let none = || WorkerOfSeveral::new(concurrency);
            OneOrSeveral::new(now(), configs, Worker::new, none)
        };
        let launch = |queue| dealer::start(machine, brokers, queue);
        self.taken.reset();
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

    /// Drains, then ends the life. Running requests have this time in ms; -1 without limit.
    #[napi]
    pub fn stop(&mut self, timeout_ms: f64) {
        let patience = (timeout_ms >= 0.0).then(|| Duration::from_millis(timeout_ms as u64));
        self.core.command(WorkerCommand::Stop(patience));
    }

    /// Requests a snapshot as a record; returns an empty one at once if the worker is not running.
    #[napi]
    pub fn stats(&self, id: f64) -> Option<String> {
        let asked = self.core.command(WorkerCommand::Stats(id as u64));
        (!asked).then(|| peer::stats(Stats::default()))
    }

    /// Total data bytes of its requests and replies.
    #[napi]
    pub fn bytes(&self) -> peer::Bytes {
        peer::Bytes {
            bytes_in: self.taken.bytes as f64,
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
        let mut ends = 0;
        while let Some(record) = batch.next() {
            let delivery = record.id as u64;
            let [data, counted, ..] = record.fields;
            let op = WorkerOp::of(record.op).ok_or_else(broken)?;
            ends += usize::from(matches!(
                op,
                WorkerOp::Final | WorkerOp::Error | WorkerOp::Expired | WorkerOp::Reject
            ));
            commands.push(match op {
                WorkerOp::Partial => {
                    let body = batch.body(&record, data)?;
                    WorkerCommand::Partial(delivery, body, counted as u32)
                }
                WorkerOp::Final => WorkerCommand::Final(delivery, batch.body(&record, data)?),
                WorkerOp::Error => WorkerCommand::Error(delivery, batch.body(&record, data)?),
                WorkerOp::Reject => WorkerCommand::Reject(delivery, batch.body(&record, data)?),
                WorkerOp::Expired => WorkerCommand::Expired(delivery),
                WorkerOp::Read => WorkerCommand::Read(delivery, data as u32),
                WorkerOp::Enough => WorkerCommand::Enough(delivery),
                WorkerOp::Heartbeat => WorkerCommand::Heartbeat,
                WorkerOp::Concurrency => {
                    self.conf.concurrency = record.id;
                    WorkerCommand::Concurrency(limit(record.id))
                }
                WorkerOp::Pause => WorkerCommand::Pause(record.id != 0.0),
            });
        }
        self.sent += batch.bytes;
        let at = now();
        let taken = self.taken.tell(self.core.slots(), at);
        let worked = Worked { taken, at, ends };
        self.core
            .submit(WorkerCommand::Batch(worked, commands), count);
        Ok(())
    }

    /// The slots in which shown requests are taken; null if the runtime does not share memory.
    #[napi(ts_return_type = "Int32Array | null")]
    pub fn slots<'env>(&self, env: &'env Env) -> Result<Option<Unknown<'env>>> {
        self.core.slots().begin_check();
        slots::array(env, self.core.slots())
    }

    /// Whether an exchange in the first slot, made after [`slots`](Self::slots), is visible here.
    /// Call it before the first drain.
    #[napi]
    pub fn sees_take(&self) -> bool {
        self.core.slots().end_check()
    }

    /// Fills `into` with records, at most `room` of them requests, and returns their text. A
    /// request in the batch has started; before, it may be taken back. If the requests fill `room`,
    /// up to `ahead` more are shown, which start when they are taken.
    #[napi]
    pub fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
        room: f64,
        ahead: u32,
    ) -> Result<JsString<'env>> {
        let lines = &self.lines;
        let mut pong = false;
        let at = now();
        let taken = &mut self.taken;
        taken.begin(self.core.slots(), at);
        let bounds = (room as usize, ahead as usize);
        let text = self
            .core
            .drain_and_show(env, into, bounds, |batch, generation, notice| {
                match &notice {
                    Notice::Ping => pong = true,
                    Notice::Machine(_, WorkerNotice::Request { delivery, body, .. }) => {
                        let size = body.bytes.len();
                        match batch.shows {
                            true => taken.show(*delivery, size),
                            false => taken.take(*delivery, size, at),
                        }
                    }
                    _ => {}
                }
                peer::report(batch, generation, lines, notice, |batch, notice, line| {
                    report(batch, notice, lines, line);
                })
            })?;
        if pong {
            self.core.command(WorkerCommand::Pong);
        }
        Ok(text)
    }
}

impl WorkerCore {
    fn endpoint(&self, line: usize) -> Result<Endpoint> {
        let conf = &self.conf;
        Ok(Endpoint {
            address: Address::new(self.lines.address(line)),
            routing_id: self.identity(line).routing_id,
            max_message: conf.max_message_size as u64,
            reconnect_ms: conf.reconnect.min(f64::from(i32::MAX)) as i32,
            // A broker sends heartbeats to its workers, so their absence is detected.
            patience: None,
            gone: random_frame(),
            group: self.group(line),
            security: security::client(conf.security.as_ref())?,
        })
    }

    /// The services that may share a connection to this endpoint, if there are several.
    fn group(&self, line: usize) -> Option<Group> {
        let may_share = dialect(&self.conf.protocol) == Dialect::Omdp;
        if !may_share || self.conf.more_services.is_empty() {
            return None;
        }
        let address = self.lines.address(line).to_owned();
        let mut groups = self.groups.borrow_mut();
        Some(groups.entry(address).or_default().clone())
    }

    fn identity(&self, line: usize) -> Identity {
        let conf = &self.conf;
        let dialect = dialect(&conf.protocol);
        let name = conf.name_for(conf.service(self.lines.service(line)));
        let name = (&*name, conf.generated);
        Identity::new(&self.core, dialect, line, name)
    }

    fn serving(&self) -> Serving {
        let conf = &self.conf;
        Serving {
            pattern: conf.pattern,
            balance: conf.balance.as_deref().and_then(Balance::of),
            weight: conf.weight,
            rate: conf.rate.map(Rate::from),
        }
    }

    fn config(&self, line: usize) -> WorkerConfig {
        let conf = &self.conf;
        let dialect = dialect(&conf.protocol);
        let service = self.lines.service(line);
        let most = conf.limits.get(service).and_then(|&most| limit(most));
        WorkerConfig {
            dialect,
            link: LinkConfig {
                heartbeat: Duration::from_millis(conf.heartbeat as u64),
                liveness: conf.liveness,
                soon: peer::soon(conf.reconnect),
                reconnect: Duration::from_millis(conf.reconnect as u64),
                reconnect_max: Duration::from_millis(conf.reconnect_max as u64),
                away: Duration::from_millis(conf.broker_grace as u64),
                seed: random(),
                expect_hello: false,
                // An inproc endpoint may be bound later; its broker is a 1.x one, which sends a
                // hello.
                expect_beats: matches!(dialect, Dialect::Mdp(_))
                    || !Address::new(self.lines.address(line)).is_inproc(),
                name: self.identity(line).name,
                max_message: Some(conf.max_message_size as u64),
            },
            service: conf.service(service).into(),
            about: about(conf),
            serving: self.serving(),
            concurrency: limit(conf.concurrency),
            most,
            // The application takes requests in their order, so one ahead of need could wait behind this limit.
            prefetch: if most.is_some() { 0 } else { conf.prefetch },
            max_blocked: (conf.max_blocked >= 0.0)
                .then(|| Duration::from_millis(conf.max_blocked as u64)),
            session: format!("{:x}", random()),
        }
    }
}

impl WorkerConf {
    /// The lines: all brokers for the first service, then for the next.
    fn lines(&self) -> impl Iterator<Item = Line> {
        (0..=self.more_services.len()).flat_map(|service| {
            let brokers = self.endpoints.iter();
            brokers.map(move |address| (address.clone(), service))
        })
    }

    /// The name of a service by its index.
    fn service(&self, at: usize) -> &str {
        let others = || self.more_services.get(at.wrapping_sub(1));
        others().unwrap_or(&self.service)
    }

    /// The name at a broker, for which each service is a separate worker.
    fn name_for(&self, service: &str) -> String {
        match self.generated || self.more_services.is_empty() {
            true => self.name.clone(),
            false => format!("{}/{service}", self.name),
        }
    }
}

fn about(conf: &WorkerConf) -> Option<Box<About>> {
    let (description, metadata) = (conf.description.clone(), conf.metadata.clone());
    let says = description.is_some() || metadata.is_some();
    says.then(|| {
        Box::new(About {
            description: description.unwrap_or_default(),
            metadata: metadata.unwrap_or_default(),
        })
    })
}

fn limit(concurrency: f64) -> Option<usize> {
    (concurrency >= 0.0).then_some(concurrency as usize)
}

fn report(batch: &mut BatchWriter<'_>, notice: WorkerNotice<Message>, lines: &Lines, line: usize) {
    match notice {
        WorkerNotice::Request {
            delivery,
            body,
            opts,
            retried,
            deadline,
            stream,
            service,
            user,
            ..
        } => {
            let terms = Terms {
                options: opts.as_deref().unwrap_or_default(),
                service: service.as_deref().map(|name| &**name),
                user: user.as_deref().map(|user| &**user).unwrap_or_default(),
                attempt: u32::from(retried) + 1,
                of_service: lines.service(line),
                stream,
                left_ms: deadline.map(|at| at.ms_since(now())),
            };
            batch.request(delivery, body, &terms);
        }
        WorkerNotice::Cancelled { delivery, code } => {
            batch.words(Kind::Cancelled, delivery, code.as_str(), "");
        }
        WorkerNotice::Credit { delivery, bytes } => {
            batch.number(Kind::Credit, delivery, bytes as f64);
        }
        WorkerNotice::Chunk { delivery, body, .. } => batch.body(Kind::Chunk, delivery, body),
        WorkerNotice::ChunkEnd { delivery } => batch.number(Kind::ChunkEnd, delivery, 0.0),
        WorkerNotice::Connected => batch.words(Kind::Connect, 0, lines.address(line), ""),
        WorkerNotice::Disconnected(why) => {
            let endpoint = lines.address(line);
            batch.words(Kind::Disconnect, 0, endpoint, why.as_str());
            peer::report_loss(batch, endpoint, why);
        }
        WorkerNotice::Fault(why) => batch.event("badMessage", &json!({ "reason": why.as_str() })),
        // The end of the life follows.
        WorkerNotice::Drained => {}
    }
}
