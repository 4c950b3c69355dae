//! The native half of `lib/client.js`.

mod report;
mod terms;

use super::batch_reader::{BatchReader, Common, broken};
use super::connection::{ConnectionConf, Expects};
use super::core::Core;
use super::crossing::ClientOp;
use super::given::ArrayBuffer;
use super::peer::{self, Destinations, Identity};
use super::shell::{common_methods, connecting_methods};
use super::wake::Call;
use crate::io::dealer::{self, DriverHandle, Endpoint, Notice};
use crate::io::{Message, now, random};
use crate::proto::client::{ClientCommand, ClientConfig, ClientNotice, ClientTerms};
use crate::proto::several::{ClientOfSeveral, OneOrSeveral};
use crate::proto::{Client, Terms};
use crate::wire::Dialect;
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use report::report;
use terms::{left, retry_policy, terms};

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

    /// Starts a run; a record reports the result. `call` calls `wake` when there is something to
    /// drain.
    #[napi(ts_args_type = "wake: () => void, call: (wake: () => void) => void")]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>, call: Call<'_>) -> Result<()> {
        self.destinations = Destinations::default();
        let came = self.destinations.set(self.conf.destinations()).came;
        let (brokers, configs) = peer::brokers(came, |number| self.broker(number))?;
        let of_all = self.config(String::new(), false);
        let machine =
            move || OneOrSeveral::new(now(), configs, Client::new, || ClientOfSeveral::new(of_all));
        let launch = |queue| dealer::start(machine, brokers, queue);
        self.core
            .start(env, (&wake, &call), launch, Notice::StartFailed)
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
