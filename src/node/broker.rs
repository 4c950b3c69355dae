//! The native half of `lib/broker.js`.

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
use crate::wire::{Balance, Dialect, Rate, json};
use napi::bindgen_prelude::*;
use napi::{Env, JsString};
use napi_derive::napi;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// The options of a broker, checked and completed by `lib/options.js`.
#[napi(object)]
pub struct BrokerConf {
    /// The endpoints to bind; at least one.
    pub endpoints: Vec<String>,
    /// The heartbeat interval in ms.
    pub heartbeat: f64,
    /// How many silent intervals end a peer.
    pub liveness: u32,
    /// How long a disconnected peer may take to come back, in ms.
    pub reconnect_grace: f64,
    /// The names of the accepted dialects.
    pub dialects: Vec<String>,
    /// How long a request of an MDP client may wait for a worker, in ms; -1 without limit.
    pub expiry: f64,
    /// How long an MDP worker with a request may be silent, in ms.
    pub busy_timeout: f64,
    /// Maximum number of queued requests of a service; -1 without limit, as for the limits below.
    pub max_queue: f64,
    /// Maximum bytes of the queued requests of a service.
    pub max_queue_bytes: f64,
    /// Maximum number of queued requests in total.
    pub max_total_queue: f64,
    /// Maximum bytes of the queued requests in total.
    pub max_total_queue_bytes: f64,
    /// Maximum bytes kept for all peers; -1 without limit, as for the limits below.
    pub max_held: f64,
    /// Maximum bytes kept for the peers of one user.
    pub max_held_per_user: f64,
    /// Maximum bytes kept for the peers of one address.
    pub max_held_per_address: f64,
    /// Maximum bytes kept for one peer.
    pub max_held_per_peer: f64,
    /// The time after which a waiting request is raised by one priority, in ms.
    pub priority_ageing: f64,
    /// Which versions serve requests for a range: the highest or all.
    pub versions: String,
    /// Policies of services, by name or pattern.
    pub services: Option<Vec<PolicyConf>>,
    /// Whether the end of each request is an event.
    pub log_requests: bool,
    /// Maximum number of services with separate metrics.
    pub max_measured_services: u32,
    /// How long to spin for the next message before sleeping, in µs; -1 depends on the traffic.
    pub spin: f64,
    /// Maximum duration of a handshake, in ms.
    pub handshake_interval: f64,
    /// The mode of the files of ipc endpoints.
    pub ipc_mode: Option<u32>,
    /// Maximum number of connections; -1 without limit, as for the limits below.
    pub max_connections: f64,
    /// Maximum number of connections of one address.
    pub max_connections_per_address: f64,
    /// Maximum number of connections of one user.
    pub max_connections_per_user: f64,
    /// How long a connection may be silent after its handshake, in ms; -1 without limit.
    pub silence_interval: f64,
    /// Maximum bytes of waiting messages for each peer.
    pub max_peer_bytes: f64,
    /// The largest accepted body, in bytes.
    pub max_message_size: f64,
    /// The security mechanism; none if missing.
    pub security: Option<SecurityConf>,
    /// The rules of admission and access; requires a mechanism.
    pub rules: Option<RulesConf>,
    /// The user of peers over inproc.
    pub inproc_user: Option<String>,
}

/// How long requests of a broker that died are looked for at least: workers may need a while to come back.
const SEARCH: Duration = Duration::from_secs(5);

/// How long a peer that closed a local connection may take to open another one.
const LOCAL_GRACE: Duration = Duration::from_millis(250);

/// The policy of a service.
#[napi(object)]
pub struct PolicyConf {
    /// The name of the service, or a pattern with `*`.
    pub service: String,
    /// The policy for choosing a worker.
    pub balance: Option<String>,
    /// How many requests may start in an interval.
    pub rate: Option<RateConf>,
}

fn policy(conf: &PolicyConf) -> (String, Policy) {
    let policy = Policy {
        balance: conf.balance.as_deref().and_then(Balance::of),
        rate: conf.rate.map(Rate::from),
    };
    (conf.service.clone(), policy)
}

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

    /// Starts a life; a record reports the result. `wake` is called when there is something to
    /// drain.
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
            search: SEARCH,
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

    /// A local connection mostly ends with its process; otherwise the peer reconnects soon.
    fn reconnect_grace(&self) -> Duration {
        let grace = Duration::from_millis(self.conf.reconnect_grace as u64);
        let is_local = |endpoint: &String| Address::new(endpoint).is_local();
        match self.conf.endpoints.iter().all(is_local) {
            true => grace.min(LOCAL_GRACE),
            false => grace,
        }
    }

    /// Requests a snapshot as a record; returns an empty one at once if the broker is not running.
    #[napi]
    pub fn stats(&self, id: f64) -> Option<String> {
        let asked = self.core.command(Command::Stats(id as u64));
        (!asked).then(|| {
            let stats = Broker::<Message>::new(self.config()).stats(Time::ZERO);
            json::text_of(&stats)
        })
    }

    /// Makes the next stop end every request.
    #[napi]
    pub fn discard_at_stop(&mut self) {
        self.discards = true;
    }

    /// Sends DISCONNECT to every peer, then ends the life. Running requests have this time in ms to
    /// end before; -1 without limit.
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
                    batch.json(Kind::Started, generation, &json::text_of(&bound));
                }
                Notice::StartFailed(error) => {
                    return core::start_failed(batch, generation, &error);
                }
                Notice::Stopped => return core::stopped(batch, generation),
                Notice::Event(event) => events::report(batch, &event),
                Notice::Stats(id, stats) => batch.json(Kind::Stats, id, &json::text_of(&stats)),
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
