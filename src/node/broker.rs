//! The native half of `lib/broker.js`.

mod conf;

use super::core::{self, Core};
use super::crossing::Kind;
use super::events;
use super::security::{self, RulesConf};
use super::shell::common_methods;
use super::units::optional_ms;
use super::wake::Call;
use crate::io::router::{self, Command, Notice};
use crate::io::zap::{Authenticator, Verdict};
use crate::io::{Listen, Message, random};
use crate::proto::broker::Refusals;
use crate::proto::{Broker, Time};
use crate::wire::json;
use conf::BrokerConf;
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// Counters of refusals.
#[napi(object)]
pub struct RefusalCounts {
    /// Peers that were not admitted.
    pub peers: f64,
    /// Workers that requested a service that they may not serve.
    pub workers: f64,
    /// Requests for services that the client may not call.
    pub requests: f64,
    /// Messages about objects of other peers.
    pub strays: f64,
}

/// A broker of the protocol.
#[napi]
pub struct BrokerCore {
    conf: BrokerConf,
    core: Core<UnboundedSender<Command>, Notice>,
    authenticator: Option<Arc<Authenticator>>,
    refusals: Arc<Mutex<Refusals>>,
    /// Whether the next stop ends every request.
    discards: bool,
}

common_methods!(BrokerCore);

#[napi]
impl BrokerCore {
    /// Makes a broker that is not started.
    #[napi(constructor)]
    pub fn new(mut conf: BrokerConf) -> Result<Self> {
        let domain = || format!("omdp-{:x}{:x}", random(), random());
        let rules = conf.rules.take().map(security::rules).transpose()?;
        Ok(BrokerCore {
            discards: false,
            conf,
            core: Core::new(),
            authenticator: rules.map(|rules| Arc::new(Authenticator::new(domain(), rules))),
            refusals: Arc::default(),
        })
    }

    /// Replaces the rules of a broker with security.
    #[napi]
    pub fn allow(&mut self, rules: RulesConf) -> Result<()> {
        let rules = security::rules(rules)?;
        if let Some(authenticator) = &self.authenticator {
            authenticator.set_rules(rules);
            self.core.command(Command::Rules);
        }
        Ok(())
    }

    /// Answers a record of the kind AUTHENTICATE.
    #[napi]
    pub fn authenticated(&mut self, ticket: f64, admit: bool, user: String, metadata: String) {
        let verdict = Verdict {
            admit,
            user,
            metadata,
        };
        let ticket = ticket as u64;
        self.core
            .command(Command::Authenticated { ticket, verdict });
    }

    /// Answers a record of the kind AUTHORIZE.
    #[napi]
    pub fn authorized(&mut self, id: f64, allowed: bool) {
        let id = id as u64;
        self.core.command(Command::Authorized { id, allowed });
    }

    /// The counters of refusals.
    #[napi]
    pub fn refusals(&self) -> RefusalCounts {
        let Refusals {
            workers,
            requests,
            strays,
        } = *self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        RefusalCounts {
            peers: self
                .authenticator
                .as_ref()
                .map_or(0, |authenticator| authenticator.refused()) as f64,
            workers: workers as f64,
            requests: requests as f64,
            strays: strays as f64,
        }
    }

    /// Starts a run; a record reports the result. `call` calls `wake` when there is something to
    /// drain.
    #[napi(ts_args_type = "wake: () => void, call: (wake: () => void) => void")]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>, call: Call<'_>) -> Result<()> {
        self.discards = false;
        let config = self.conf.machine();
        let mechanism = self
            .conf
            .security
            .as_ref()
            .map(security::server)
            .transpose()?;
        let listen = Listen {
            endpoints: self.conf.endpoints.clone(),
            ipc_mode: self.conf.ipc_mode,
            security: mechanism.zip(self.authenticator.clone()),
            inproc_user: self.conf.inproc_user.clone(),
            handshake_ms: self.conf.handshake_interval as i32,
            max_peer_bytes: self.conf.max_peer_bytes as usize,
            max_message: self.conf.max_message_size as u64,
            spin: self.conf.spin(),
            connections: self.conf.connections(),
            refusals: self.refusals.clone(),
        };
        let launch = |queue| router::start(config, listen, queue);
        self.core
            .start(env, (&wake, &call), launch, Notice::StartFailed)
    }

    /// Requests a snapshot as a record; returns an empty one at once if the broker is not running.
    #[napi]
    pub fn stats(&self, id: f64) -> Option<String> {
        let asked = self.core.command(Command::Stats(id as u64));
        (!asked).then(|| {
            let stats = Broker::<Message>::new(self.conf.machine()).stats(Time::ZERO);
            json::text_of(&stats)
        })
    }

    /// Makes the next stop end every request.
    #[napi]
    pub fn discard_at_stop(&mut self) {
        self.discards = true;
    }

    /// Sends DISCONNECT to every peer, then ends the run. Running requests have this time in ms to
    /// end before; -1 without limit.
    #[napi]
    pub fn stop(&mut self, timeout_ms: f64) {
        let patience = optional_ms(timeout_ms);
        self.core.command(match self.discards {
            true => Command::Discard,
            false => Command::Stop(patience),
        });
    }

    /// Fills `into` with records, and returns their text.
    #[napi]
    pub fn drain<'env>(
        &mut self,
        env: &'env Env,
        into: Float64ArraySlice<'env>,
    ) -> Result<JsString<'env>> {
        self.core.drain(env, into, |batch, generation, notice| {
            match notice {
                Notice::Started(bound) => {
                    batch.json(Kind::Started, generation, &json::text_of(&bound));
                }
                Notice::StartFailed(error) => {
                    return core::start_failed(batch, generation, &error);
                }
                Notice::Stopped => return core::stopped(batch, generation),
                Notice::Event(event) => events::report(batch, &event),
                Notice::Stats(id, stats) => batch.json(Kind::Stats, id, &json::text_of(&stats)),
                Notice::Authenticator(notice) => events::report_authentication(batch, notice),
                Notice::Connection(notice, missed) => {
                    events::report_connection(batch, notice, missed);
                }
            }
            ControlFlow::Continue(())
        })
    }
}
