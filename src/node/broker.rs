//! The broker as `lib/broker.js` sees it.

use super::core::{self, Core};
use super::outward::{Outward, kind};
use super::{random, random_frame};
use crate::io::router::{self, Command, Notice};
use crate::proto::broker::{BrokerConfig, BrokerEvent};
use crate::wire::Dialect;
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Duration;

/// Checked and defaulted by `lib/options.js`.
#[napi(object)]
pub struct BrokerConf {
    /// Where to bind; at least one.
    pub endpoints: Vec<String>,
    /// In ms.
    pub heartbeat: f64,
    /// Silent intervals.
    pub liveness: u32,
    /// Names of dialects.
    pub dialects: Vec<String>,
    /// In ms, -1 for none.
    pub expiry: f64,
    /// In ms.
    pub busy_timeout: f64,
    /// How long to look for the next message before going to sleep, in µs.
    pub spin: f64,
}

/// A broker of the protocol.
#[napi]
pub struct BrokerCore {
    conf: BrokerConf,
    core: Core<Command, Notice>,
}

#[napi]
impl BrokerCore {
    /// A broker that is not started.
    #[napi(constructor)]
    pub fn new(conf: BrokerConf) -> Self {
        BrokerCore {
            conf,
            core: Core::new(),
        }
    }

    /// Begins a life; its outcome is a record. `wake` is called when there is something to drain.
    #[napi]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>) -> Result<()> {
        let config = BrokerConfig {
            heartbeat: Duration::from_millis(self.conf.heartbeat as u64),
            liveness: self.conf.liveness,
            dialects: self
                .conf
                .dialects
                .iter()
                .filter_map(|name| Dialect::from_name(name))
                .collect(),
            expiry: (self.conf.expiry >= 0.0)
                .then(|| Duration::from_millis(self.conf.expiry as u64)),
            busy_timeout: Duration::from_millis(self.conf.busy_timeout as u64),
            seed: random(),
        };
        let endpoints = self.conf.endpoints.clone();
        let spin = Duration::from_micros(self.conf.spin as u64);
        let launch = |outlet| router::start(config, endpoints, spin, random_frame(), outlet);
        self.core.start(env, &wake, launch, Notice::StartFailed)
    }

    /// Tells every peer, then ends the life.
    #[napi]
    pub fn stop(&mut self) {
        self.core.command(Command::Stop);
    }

    /// Fills `into` with records, and returns their text.
    #[napi]
    pub fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
    ) -> Result<JsString<'env>> {
        self.core.drain(env, into, 0, |batch, generation, notice| {
            match notice {
                Notice::Started(bound) => {
                    batch.words(kind::STARTED, generation, &json!(bound).to_string(), "");
                }
                Notice::StartFailed(error) => {
                    return core::start_failed(batch, generation, &error);
                }
                Notice::Stopped => return core::stopped(batch, generation),
                Notice::Event(event) => report(batch, &event),
            }
            ControlFlow::Continue(())
        })
    }

    /// None: a broker's batches have no binary bodies.
    #[napi]
    pub fn take_blobs<'env>(&mut self, env: &'env Env) -> Result<Vec<BufferSlice<'env>>> {
        self.core.take_blobs(env)
    }

    /// Keeps the event loop alive.
    #[napi(js_name = "ref")]
    pub fn hold(&mut self, env: &Env) -> Result<()> {
        self.core.keep_alive(env, true)
    }

    /// Lets the event loop end.
    #[napi(js_name = "unref")]
    pub fn release(&mut self, env: &Env) -> Result<()> {
        self.core.keep_alive(env, false)
    }
}

fn report(batch: &mut Outward<'_>, event: &BrokerEvent) {
    // Identities and names are bytes; where they are text they are shown as such.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match event {
        BrokerEvent::WorkerReady { worker, service } => batch.event(
            "workerReady",
            &json!({ "worker": text(worker), "service": text(service) }),
        ),
        BrokerEvent::WorkerGone {
            worker,
            service,
            why,
            lost,
        } => batch.event(
            "workerGone",
            &json!({
                "worker": text(worker),
                "service": text(service),
                "reason": why.as_str(),
                "lost": lost,
            }),
        ),
        BrokerEvent::RequestExpired { service, running } => batch.event(
            "requestExpired",
            &json!({ "service": text(service), "running": running }),
        ),
        BrokerEvent::BadMessage { peer, why } => {
            batch.event("badMessage", &json!({ "peer": text(peer), "reason": why }));
        }
    }
}
