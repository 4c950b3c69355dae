//! The native half of `lib/worker.js`.

mod conf;
mod report;
mod request_ids;

use super::batch_reader::{BatchReader, broken};
use super::connection::Expects;
use super::core::Core;
use super::crossing::WorkerOp;
use super::given::ArrayBuffer;
use super::peer::{self, Destinations, Identity};
use super::shell::{common_methods, connecting_methods};
use super::slots;
use super::taken_offers::TakenOffers;
use super::units::{optional, optional_ms};
use super::wake::Call;
use crate::io::dealer::{self, DriverHandle, Endpoint, Notice, SharingGroup};
use crate::io::{Message, now};
use crate::proto::Worker;
use crate::proto::several::{OneOrSeveral, WorkerOfSeveral};
use crate::proto::worker::WorkerCommand;
use crate::proto::worker::{Worked, WorkerConfig, WorkerNotice};
use crate::wire::Dialect;
pub use conf::{RateConf, WorkerConf};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use report::report;
use request_ids::RequestIds;
use std::cell::RefCell;
use std::collections::HashMap;

type Machine = OneOrSeveral<Worker<Message>, WorkerOfSeveral<Message>>;

/// A worker of the protocol.
#[napi]
pub struct WorkerCore {
    conf: WorkerConf,
    core: Core<DriverHandle<Machine>, Notice<WorkerNotice<Message>>>,
    taken: TakenOffers,
    request_ids: RequestIds,
    /// Total bytes of the sent replies.
    sent: u64,
    destinations: Destinations,
    /// The services of each endpoint that may share a connection, in this run.
    groups: RefCell<HashMap<String, SharingGroup>>,
}

common_methods!(WorkerCore);
connecting_methods!(WorkerCore, WorkerCommand, conf.connection);

#[napi]
impl WorkerCore {
    /// Makes a worker that is not started.
    #[napi(constructor)]
    pub fn new(conf: WorkerConf) -> Self {
        WorkerCore {
            core: Core::receiving_from(&conf.connection.endpoints),
            conf,
            taken: TakenOffers::default(),
            request_ids: RequestIds::default(),
            sent: 0,
            destinations: Destinations::default(),
            groups: RefCell::default(),
        }
    }

    /// Starts a run; a record reports the result. `call` calls `wake` when there is something to
    /// drain.
    #[napi(ts_args_type = "wake: () => void, call: (wake: () => void) => void")]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>, call: Call<'_>) -> Result<()> {
        self.destinations = Destinations::default();
        self.groups.take();
        let came = self.destinations.set(self.conf.destinations()).came;
        let (brokers, configs) = peer::brokers(came, |number| self.broker(number))?;
        let concurrency = optional(self.conf.concurrency);
        let machine = move || {
            let none = || WorkerOfSeveral::new(concurrency);
            OneOrSeveral::new(now(), configs, Worker::new, none)
        };
        let launch = |queue| dealer::start(machine, brokers, queue);
        self.taken.reset();
        self.core
            .start(env, (&wake, &call), launch, Notice::StartFailed)
    }

    /// Drains, then ends the run. Running requests have this time in ms; -1 without limit.
    #[napi]
    pub fn stop(&mut self, timeout_ms: f64) {
        let patience = optional_ms(timeout_ms);
        self.core.command(WorkerCommand::Stop(patience));
    }

    /// Total data bytes of its requests and replies.
    #[napi]
    pub fn bytes(&self) -> peer::Bytes {
        peer::Bytes {
            bytes_in: self.taken.bytes as f64,
            bytes_out: self.sent as f64,
        }
    }

    /// Whether [`request_id`](Self::request_id) is called for the requests of the next drains.
    #[napi]
    pub fn keep_request_ids(&mut self, keep: bool) {
        self.request_ids.keep(keep);
    }

    /// The client's id of a request that was drained, once. Null if it is not known.
    #[napi]
    pub fn request_id(&mut self, delivery: f64) -> Option<String> {
        self.request_ids.take(delivery as u64)
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
                    WorkerCommand::Concurrency(optional(record.id))
                }
                WorkerOp::Pause => WorkerCommand::Pause(record.id != 0.0),
            });
        }
        self.sent += batch.bytes;
        let at = now();
        let taken = self.taken.tell(self.core.slots(), at);
        let worked = Worked { taken, at, ends };
        let batch_of_machine = WorkerCommand::Batch(worked, commands);
        self.core.submit(batch_of_machine, count, batch.borrowed());
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
        let destinations = &self.destinations;
        let mut pong = false;
        let at = now();
        let (taken, request_ids) = (&mut self.taken, &mut self.request_ids);
        taken.begin(self.core.slots(), at);
        let bounds = (room as usize, ahead as usize);
        let text = self
            .core
            .drain_and_show(env, into, bounds, |batch, generation, notice| {
                match &notice {
                    Notice::Ping => pong = true,
                    Notice::Machine(
                        _,
                        WorkerNotice::Request {
                            delivery,
                            id_end,
                            body,
                            ..
                        },
                    ) => {
                        request_ids.add(*delivery, id_end);
                        let size = body.bytes.len();
                        match batch.shows {
                            true => taken.show(*delivery, size),
                            false => taken.take(*delivery, size, at),
                        }
                    }
                    Notice::Machine(_, WorkerNotice::Chunk { body, .. }) => {
                        taken.bytes += body.bytes.len() as u64;
                    }
                    _ => {}
                }
                peer::report(
                    batch,
                    generation,
                    destinations,
                    notice,
                    |batch, notice, number| {
                        report(batch, notice, destinations, number);
                    },
                )
            })?;
        if pong {
            self.core.command(WorkerCommand::Pong);
        }
        Ok(text)
    }
}

impl WorkerCore {
    fn broker(&self, number: usize) -> Result<(Endpoint, WorkerConfig)> {
        let conf = &self.conf.connection;
        let identity = self.identity(number);
        let endpoint = Endpoint {
            group: self.group(number),
            ..conf.endpoint(self.destinations.address(number), identity.routing_id)?
        };
        let expects = Expects {
            hello: false,
            // A broker sends heartbeats to its workers. An inproc endpoint may be bound later; its
            // broker is a 1.x one, which sends a hello.
            beats: matches!(conf.dialect(), Dialect::Mdp(_)) || !endpoint.address.is_inproc(),
        };
        let link = conf.link(identity.name, expects);
        Ok((
            endpoint,
            self.conf.machine(self.destinations.service(number), link),
        ))
    }

    /// The services that may share a connection to this endpoint, if there are several.
    fn group(&self, number: usize) -> Option<SharingGroup> {
        let may_share = self.conf.connection.dialect() == Dialect::Omdp;
        if !may_share || self.conf.more_services.is_empty() {
            return None;
        }
        let address = self.destinations.endpoint(number).to_owned();
        let mut groups = self.groups.borrow_mut();
        Some(groups.entry(address).or_default().clone())
    }

    fn identity(&self, number: usize) -> Identity {
        let conf = &self.conf;
        let name = conf.name_for(conf.service(self.destinations.service(number)));
        let name = (&*name, conf.connection.generated);
        Identity::new(&self.core, conf.connection.dialect(), number, name)
    }
}
