//! The options of a worker, and the configuration of its machines.

use crate::io::random;
use crate::node::connection::ConnectionConf;
use crate::node::peer::Destination;
use crate::node::units::{optional, optional_ms};
use crate::proto::link::LinkConfig;
use crate::proto::worker::WorkerConfig;
use crate::wire::{About, Balance, Rate, Serving};
use napi_derive::napi;

/// The options of a worker, checked and completed by `lib/options.js`.
#[napi(object, object_to_js = false)]
pub struct WorkerConf {
    /// The options that clients have, too.
    pub connection: ConnectionConf,
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

impl WorkerConf {
    /// The configuration of the machine of one broker, for a service by its index.
    pub(super) fn machine(&self, service: usize, link: LinkConfig) -> WorkerConfig {
        let most = self.limits.get(service).and_then(|&most| optional(most));
        WorkerConfig {
            dialect: self.connection.dialect(),
            link,
            service: self.service(service).into(),
            about: about(self),
            serving: Serving {
                pattern: self.pattern,
                balance: self.balance.as_deref().and_then(Balance::of),
                weight: self.weight,
                rate: self.rate.map(Rate::from),
            },
            concurrency: optional(self.concurrency),
            most,
            // The application takes requests in their order, so one ahead of need could wait behind this limit.
            prefetch: if most.is_some() { 0 } else { self.prefetch },
            max_blocked: optional_ms(self.max_blocked),
            session: format!("{:x}", random()),
        }
    }

    /// The destinations: all brokers for the first service, then for the next.
    pub(super) fn destinations(&self) -> impl Iterator<Item = Destination> {
        (0..=self.more_services.len()).flat_map(|service| {
            let brokers = self.connection.endpoints.iter();
            brokers.map(move |address| (address.clone(), service))
        })
    }

    /// The name of a service by its index.
    pub(super) fn service(&self, at: usize) -> &str {
        let others = || self.more_services.get(at.wrapping_sub(1));
        others().unwrap_or(&self.service)
    }

    /// The name at a broker, for which each service is a separate worker.
    pub(super) fn name_for(&self, service: &str) -> String {
        match self.connection.generated || self.more_services.is_empty() {
            true => self.connection.name.clone(),
            false => format!("{}/{service}", self.connection.name),
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
