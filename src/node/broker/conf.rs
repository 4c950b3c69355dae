//! The options of a broker, and the configuration of its machine and of its connections.

use crate::io::spin::Spin;
use crate::io::{Address, ConnectionLimits, UnfinishedLimits, random};
use crate::node::security::{RulesConf, SecurityConf};
use crate::node::units::{ms, optional_ms, or_unlimited};
use crate::node::worker::RateConf;
use crate::proto::broker::{BrokerConfig, HeldLimits, Limits, Policies, Policy};
use crate::wire::{Balance, Dialect, Rate};
use napi_derive::napi;
use std::time::Duration;

/// The options of a broker, checked and completed by `lib/options.js`.
#[napi(object, object_to_js = false)]
pub struct BrokerConf {
    /// The endpoints to bind; at least one.
    #[napi(ts_type = "string[]")]
    pub endpoints: Vec<Address>,
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

impl BrokerConf {
    /// The configuration of the machine.
    pub(super) fn machine(&self) -> BrokerConfig {
        BrokerConfig {
            heartbeat: ms(self.heartbeat),
            liveness: self.liveness,
            dialects: self
                .dialects
                .iter()
                .filter_map(|name| Dialect::from_name(name))
                .collect(),
            expiry: optional_ms(self.expiry),
            busy_timeout: ms(self.busy_timeout),
            policies: Policies {
                ageing: ms(self.priority_ageing),
                spreads: self.versions == "all",
                services: self.services.iter().flatten().map(policy).collect(),
            },
            log_requests: self.log_requests,
            measured_services: self.max_measured_services as usize,
            session: format!("{:x}", random()),
            reconnect_grace: self.reconnect_grace(),
            search: SEARCH,
            limits: Limits {
                queue: or_unlimited(self.max_queue),
                queue_bytes: or_unlimited(self.max_queue_bytes),
                total: or_unlimited(self.max_total_queue),
                total_bytes: or_unlimited(self.max_total_queue_bytes),
            },
            held: HeldLimits {
                peer: or_unlimited(self.max_held_per_peer),
                user: or_unlimited(self.max_held_per_user),
                address: or_unlimited(self.max_held_per_address),
                total: or_unlimited(self.max_held),
            },
            peer_bytes: self.max_peer_bytes as usize,
            // The same bytes may wait at the transport, where more must not wait.
            // A client acknowledges 64 KiB.
            unacknowledged_bytes: (self.max_peer_bytes as usize / 2).max(256 * 1024),
            max_message: Some(self.max_message_size as u64),
            seed: random(),
            ..BrokerConfig::default()
        }
    }

    /// A local connection mostly ends with its process; otherwise the peer reconnects soon.
    fn reconnect_grace(&self) -> Duration {
        let grace = ms(self.reconnect_grace);
        match self.endpoints.iter().all(Address::is_local) {
            true => grace.min(LOCAL_GRACE),
            false => grace,
        }
    }

    pub(super) fn connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            all: or_unlimited(self.max_connections),
            of_address: or_unlimited(self.max_connections_per_address),
            of_user: or_unlimited(self.max_connections_per_user),
            silence: optional_ms(self.silence_interval),
            patience: ms(self.heartbeat).saturating_mul(self.liveness),
            message: ConnectionLimits::message_with(self.max_message_size as u64),
            unfinished: UnfinishedLimits {
                all: or_unlimited(self.max_held) as u64,
                of_user: or_unlimited(self.max_held_per_user) as u64,
                of_address: or_unlimited(self.max_held_per_address) as u64,
            },
            names_are_held: self.security.is_some(),
        }
    }

    pub(super) fn spin(&self) -> Spin {
        match self.spin {
            micros if micros < 0.0 => Spin::Auto,
            micros => Spin::For(Duration::from_micros(micros as u64)),
        }
    }
}
