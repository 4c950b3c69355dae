//! The broker as `lib/broker.js` sees it.

use super::core::{self, Core};
use super::crossing::Kind;
use super::events;
use super::security::{self, RulesConf, SecurityConf};
use super::shell::common_methods;
use super::worker::RateConf;
use super::{random, random_frame};
use crate::io::router::{self, Command, Listen, Notice};
use crate::io::spin::Spin;
use crate::io::zap::{Authenticator, Verdict};
use crate::io::{Address, ConnectionLimits, Message};
use crate::proto::broker::{BrokerConfig, HeldLimits, Limits, Policies, Policy, Refusals};
use crate::proto::{Broker, Time};
use crate::wire::{Balance, Dialect, Rate};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// How long a peer may take to come back, in ms.
    pub reconnect_grace: f64,
    /// Names of dialects.
    pub dialects: Vec<String>,
    /// In ms, -1 for none.
    pub expiry: f64,
    /// In ms.
    pub busy_timeout: f64,
    /// Requests that wait for one service, -1 without limit; and so on.
    pub max_queue: f64,
    /// Bytes for one service.
    pub max_queue_bytes: f64,
    /// Requests for all.
    pub max_total_queue: f64,
    /// Bytes for all.
    pub max_total_queue_bytes: f64,
    /// Bytes that are kept for all peers, -1 without limit.
    pub max_held: f64,
    /// For the peers of one user.
    pub max_held_per_user: f64,
    /// For the peers of one address.
    pub max_held_per_address: f64,
    /// For one peer.
    pub max_held_per_peer: f64,
    /// After how long a request counts as one of the next priority, in ms.
    pub priority_ageing: f64,
    /// To which versions requests for a range go: the highest, or all.
    pub versions: String,
    /// What is said of services, by name or pattern.
    pub services: Option<Vec<PolicyConf>>,
    /// Whether each request that ends is an event.
    pub log_requests: bool,
    /// How many services have numbers of their own.
    pub max_measured_services: u32,
    /// How long to look for the next message before going to sleep, in µs; -1 is by what the traffic is like.
    pub spin: f64,
    /// How long a handshake may take, in ms.
    pub handshake_interval: f64,
    /// The mode of the files of ipc endpoints.
    pub ipc_mode: Option<u32>,
    /// How many connections there may be, -1 without limit.
    pub max_connections: f64,
    /// From one address.
    pub max_connections_per_address: f64,
    /// Of one user.
    pub max_connections_per_user: f64,
    /// How long a connection may say nothing after its handshake, in ms; -1 without end.
    pub silence_interval: f64,
    /// How many bytes may lie ready for each peer.
    pub max_peer_bytes: f64,
    /// The largest body that is taken, in bytes.
    pub max_message_size: f64,
    /// The mechanism, none if there is none.
    pub security: Option<SecurityConf>,
    /// Who is let in; there is a mechanism.
    pub rules: Option<RulesConf>,
    /// The user as which peers over inproc act.
    pub inproc_user: Option<String>,
}

/// What a peer that closed a local connection needs to make another.
const LOCAL_GRACE: Duration = Duration::from_millis(100);

/// What is said of a service.
#[napi(object)]
pub struct PolicyConf {
    /// Its name, or with `*` in it those that fit.
    pub service: String,
    /// The policy by which it chooses among its workers.
    pub balance: Option<String>,
    /// How many requests may start.
    pub rate: Option<RateConf>,
}

fn policy(conf: &PolicyConf) -> (String, Policy) {
    let policy = Policy {
        balance: conf.balance.as_deref().and_then(Balance::of),
        rate: conf.rate.map(Rate::from),
    };
    (conf.service.clone(), policy)
}

/// How often somebody was refused.
#[napi(object)]
pub struct RefusalCounts {
    /// Peers that were not let in.
    pub peers: f64,
    /// Workers that wanted to serve what they may not.
    pub workers: f64,
    /// Requests to services that the client may not call.
    pub requests: f64,
    /// Messages about what is not the sender's.
    pub strays: f64,
}

/// A broker of the protocol.
#[napi]
pub struct BrokerCore {
    conf: BrokerConf,
    core: Core<Command, Notice>,
    authenticator: Option<Arc<Authenticator>>,
    refusals: Arc<Mutex<Refusals>>,
    /// The next stop ends every request.
    discards: bool,
}

common_methods!(BrokerCore);

#[napi]
impl BrokerCore {
    /// A broker that is not started.
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

    /// Other rules from now on, for a broker that has some.
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

    /// How often somebody was refused.
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

    /// Begins a life; its outcome is a record. `wake` is called when there is something to drain.
    #[napi]
    pub fn start(&mut self, env: &Env, wake: Function<'_, (), ()>) -> Result<()> {
        self.discards = false;
        let config = self.config();
        let mechanism = self
            .conf
            .security
            .as_ref()
            .map(security::server)
            .transpose()?;
        let listen = Listen {
            endpoints: self
                .conf
                .endpoints
                .iter()
                .map(|each| Address::new(each))
                .collect(),
            ipc_mode: self.conf.ipc_mode,
            security: mechanism.zip(self.authenticator.clone()),
            inproc_user: self.conf.inproc_user.clone(),
            handshake_ms: self.conf.handshake_interval as i32,
            max_peer_bytes: self.conf.max_peer_bytes as usize,
            max_message: self.conf.max_message_size as u64,
            connections: ConnectionLimits {
                all: limit(self.conf.max_connections),
                of_address: limit(self.conf.max_connections_per_address),
                of_user: limit(self.conf.max_connections_per_user),
                silence: (self.conf.silence_interval >= 0.0)
                    .then(|| Duration::from_millis(self.conf.silence_interval as u64)),
                message: (self.conf.max_message_size as u64)
                    .saturating_add(crate::wire::sizes::FRAME_RESERVE),
                names_are_held: mechanism.is_some(),
            },
            refusals: self.refusals.clone(),
        };
        let spin = match self.conf.spin {
            micros if micros < 0.0 => Spin::Auto,
            micros => Spin::For(Duration::from_micros(micros as u64)),
        };
        let launch = |queue| router::start(config, listen, spin, random_frame(), queue);
        self.core.start(env, &wake, launch, Notice::StartFailed)
    }

    fn config(&self) -> BrokerConfig {
        let conf = &self.conf;
        BrokerConfig {
            heartbeat: Duration::from_millis(conf.heartbeat as u64),
            liveness: conf.liveness,
            dialects: conf
                .dialects
                .iter()
                .filter_map(|name| Dialect::from_name(name))
                .collect(),
            expiry: (conf.expiry >= 0.0).then(|| Duration::from_millis(conf.expiry as u64)),
            busy_timeout: Duration::from_millis(conf.busy_timeout as u64),
            policies: Policies {
                ageing: Duration::from_millis(conf.priority_ageing as u64),
                spreads: conf.versions == "all",
                services: conf.services.iter().flatten().map(policy).collect(),
            },
            log_requests: conf.log_requests,
            measured_services: conf.max_measured_services as usize,
            session: format!("{:x}", random()),
            reconnect_grace: self.reconnect_grace(),
            limits: Limits {
                queue: limit(conf.max_queue),
                queue_bytes: limit(conf.max_queue_bytes),
                total: limit(conf.max_total_queue),
                total_bytes: limit(conf.max_total_queue_bytes),
            },
            held: HeldLimits {
                peer: limit(conf.max_held_per_peer),
                user: limit(conf.max_held_per_user),
                address: limit(conf.max_held_per_address),
                total: limit(conf.max_held),
            },
            peer_bytes: conf.max_peer_bytes as usize,
            max_message: Some(conf.max_message_size as u64),
            seed: random(),
        }
    }

    /// A local connection ends with the process at its other end, or was closed by it; then the process
    /// is back as soon as it runs.
    fn reconnect_grace(&self) -> Duration {
        let grace = Duration::from_millis(self.conf.reconnect_grace as u64);
        let is_local = |endpoint: &String| !endpoint.starts_with("tcp:");
        match self.conf.endpoints.iter().all(is_local) {
            true => grace.min(LOCAL_GRACE),
            false => grace,
        }
    }

    /// Asks for a snapshot, which will be a record; gives it at once while there is no life.
    #[napi]
    pub fn stats(&self, id: f64) -> Option<String> {
        let asked = self.core.command(Command::Stats(id as u64));
        (!asked).then(|| {
            Broker::<Message>::new(self.config())
                .stats(Time::ZERO)
                .to_string()
        })
    }

    /// The next stop ends every request.
    #[napi]
    pub fn discard_at_stop(&mut self) {
        self.discards = true;
    }

    /// Tells every peer, then ends the life; what runs has so many ms to end first, -1 without end.
    #[napi]
    pub fn stop(&mut self, timeout_ms: f64) {
        let patience = (timeout_ms >= 0.0).then(|| Duration::from_millis(timeout_ms as u64));
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
                    batch.json(Kind::Started, generation, &json!(bound).to_string());
                }
                Notice::StartFailed(error) => {
                    return core::start_failed(batch, generation, &error);
                }
                Notice::Stopped => return core::stopped(batch, generation),
                Notice::Event(event) => events::report(batch, &event),
                Notice::Stats(id, stats) => batch.json(Kind::Stats, id, &stats),
                Notice::Authenticator(notice) => events::report_gate(batch, notice),
                Notice::Connection(notice, missed) => {
                    events::report_connection(batch, notice, missed);
                }
            }
            ControlFlow::Continue(())
        })
    }
}

fn limit(most: f64) -> usize {
    if most < 0.0 {
        usize::MAX
    } else {
        most as usize
    }
}
