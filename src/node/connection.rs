//! The options that workers and clients have in common, and the configuration of their connections.

use super::dialect;
use super::peer::{Destination, soon};
use super::security::{self, SecurityConf};
use super::units::ms;
use crate::io::dealer::{Endpoint, RoutingIds};
use crate::io::{Address, random};
use crate::proto::link::{Attempts, LinkConfig};
use crate::wire::Dialect;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use std::time::Duration;

/// The options that workers and clients have in common, checked and completed by `lib/options.js`.
#[napi(object, object_to_js = false)]
pub struct ConnectionConf {
    /// The endpoints of the brokers; usually one.
    #[napi(ts_type = "string[]")]
    pub endpoints: Vec<Address>,
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

/// The messages that the broker certainly sends, see [`LinkConfig`].
pub(super) struct Expects {
    pub(super) hello: bool,
    pub(super) beats: bool,
}

impl ConnectionConf {
    /// The destinations of a client: all brokers.
    pub(super) fn destinations(&self) -> impl Iterator<Item = Destination> {
        self.endpoints.iter().map(|address| (address.clone(), 0))
    }

    pub(super) fn dialect(&self) -> Dialect {
        dialect(&self.protocol)
    }

    fn reconnect(&self) -> Duration {
        ms(self.reconnect)
    }

    fn reconnect_max(&self) -> Duration {
        ms(self.reconnect_max)
    }

    /// How long the broker may be silent.
    pub(super) fn patience(&self) -> Duration {
        ms(self.heartbeat).saturating_mul(self.liveness)
    }

    /// The parameters of the connection to one broker, for a peer without a limit of silence that shares no connection.
    pub(super) fn endpoint(&self, address: Address, routing_id: RoutingIds) -> Result<Endpoint> {
        Ok(Endpoint {
            address,
            routing_id,
            max_message: self.max_message_size as u64,
            attempts: Attempts::new(soon(self.reconnect), self.reconnect(), self.reconnect_max()),
            patience: None,
            group: None,
            security: security::client(self.security.as_ref())?,
        })
    }

    /// The configuration of the link to one broker, with the name for the hello.
    pub(super) fn link(&self, name: String, expects: Expects) -> LinkConfig {
        LinkConfig {
            heartbeat: ms(self.heartbeat),
            liveness: self.liveness,
            soon: soon(self.reconnect),
            reconnect: self.reconnect(),
            reconnect_max: self.reconnect_max(),
            away: ms(self.broker_grace),
            seed: random(),
            expect_hello: expects.hello,
            expect_beats: expects.beats,
            name,
            max_message: Some(self.max_message_size as u64),
        }
    }
}
