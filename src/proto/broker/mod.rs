//! The broker: registers services and their workers, queues requests, gives each to one worker, passes its replies to
//! the client, and detects peers that have died.
//!
//! Peers are identified by the routing id of the transport, never by what a message says about its sender. A worker
//! may reply only to requests that it was given, and a client may cancel only its own requests.
//!
//! | from   | message            | what the broker does                                           |
//! |--------|--------------------|----------------------------------------------------------------|
//! | client | HELLO              | registers the client, answers; ends requests of an earlier life |
//! | client | REQUEST            | queues it under its service, dispatches                        |
//! | client | REQUEST beyond a limit, or with `failFast` | `B_QUEUE_FULL`, `W_NONE` (see [`limits`]) |
//! | client | HEARTBEAT rid      | passes it to the worker of the request                         |
//! | client | HEARTBEAT          | a sign of life, as is every message                            |
//! | client | CANCEL             | ends the request, tells its worker                             |
//! | client | RESUME             | searches the claims for it, see [`recovery`]                   |
//! | client | ALL                | ends the requests that it has not resumed                      |
//! | client | HEARD              | notes how much of the roster it knows, see [`roster`]          |
//! | client | ACK                | drops the replies from its reply log                           |
//! | client | GO                 | releases parked requests, see [`parking`]                      |
//! | client | CREDIT rid         | passes it to the worker of the request                         |
//! | client | CHUNK, NEED rid    | passes them to the worker of the request, see `data_stream`    |
//! | client | WHERE rid          | answers with the place of the request, see `request_place`            |
//! | client | DISCONNECT         | removes the client, ends its requests                          |
//! | worker | READY              | registers the worker, answers a hello, dispatches              |
//! | worker | READY, registered  | same session: updates; new session: starts over; 0.0.92: DISCONNECT |
//! | worker | PARTIAL            | passes it on, restarts the idle timeout                        |
//! | worker | FINAL, error       | passes it on, ends the request, dispatches                     |
//! | worker | error `W_LOST` of a request with `retry` | see [`attempts`]                         |
//! | worker | RETURN             | puts its requests back to the front of the queue               |
//! | worker | REJECT             | gives the request to another worker, see [`attempts`]          |
//! | worker | HEARTBEAT          | a sign of life, as is every message                            |
//! | worker | NEED               | passes it to the client of the request                         |
//! | worker | CLAIM              | searches the resumed requests for it, see [`recovery`]         |
//! | worker | ALL                | takes back what it has not claimed; asks it about its earlier brokers |
//! | worker | DENIED             | counts for the requests that no worker has had, see [`recall`] |
//! | worker | DISCONNECT         | removes the worker; requests of an extended worker had not started |
//! | worker | other, not registered | DISCONNECT, and the worker starts over                      |
//! | any    | MDP                | see `mdp`                                                      |
//! | any    | PIGATO             | see `pigato`                                                   |
//! | timer  | end of a timeout   | `C_TIMEOUT` to the client, CANCEL to the worker                |
//! | any    | READY, REQUEST that the rules deny | DISCONNECT; `B_DENIED` (see [`access`])        |
//! | timer  | silent peer        | DISCONNECT, then as after the end of its connection            |
//! | transport | too much waits for a peer | DISCONNECT, or `C_SLOW` for its requests (see `flow`)   |
//! | transport | end of a connection | retries or ends a worker's requests; ends a client's          |

mod absence;
mod access;
mod accounts;
mod acknowledgement;
mod action;
mod addresses;
mod admission;
mod answers;
mod assignment;
mod attempts;
#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod bans;
#[cfg(test)]
mod bench;
mod claims;
mod clients;
mod collected;
mod config;
mod context;
mod copies;
mod data_stream;
mod departures;
mod detached;
mod directory;
mod dispatch;
mod displaced;
mod ends;
mod event;
mod exemption;
mod expelled;
mod fanout;
mod flow;
mod given_up_clients;
mod grace;
mod handover;
mod heard;
mod heartbeats;
mod hold;
mod homes;
mod incoming;
mod kept_back;
mod keys;
mod limits;
mod liveness;
mod lookahead;
mod machine;
mod mdp;
mod metrics;
mod mmi;
mod mmi_entries;
mod names;
mod omdp;
mod on_hold;
mod outbox;
mod outcome;
mod pace;
mod parking;
mod payload;
mod piece;
mod pieces;
mod pigato;
mod principal;
mod query;
mod ready;
mod recall;
mod reclaim;
mod recovery;
mod registration;
mod relocation;
mod replies;
mod reply_log;
mod request_place;
mod requests;
mod resume_answers;
mod rids;
mod roster;
mod routing;
mod running;
mod screen;
mod services;
mod session;
mod snapshot;
mod stats;
mod survey;
mod tally;
mod tasks;
mod timers;
mod transmit;
mod transport;
mod transport_charges;
pub mod turns;
mod unparking;
mod worker_replies;
mod workers;

pub use access::{Access, Credentials, Grant};
pub use accounts::HeldLimits;
pub use action::Action;
pub use config::{BrokerConfig, Limits};
pub use directory::{SERVICES_PER_PAGE, WORKERS_PER_PAGE};
pub use event::{BrokerEvent, Departure, EndedRequest, Told};
pub use fanout::{ALL_PREFIX, ANSWER_BINARY, ANSWER_ERROR, ANSWER_OWN};
pub use machine::Broker;
pub use names::{NameDecision, Role};
pub use payload::Payload;
pub use principal::Principal;
pub use services::{Pattern, Policies, Policy};
pub use snapshot::Taking;
pub use stats::{BrokerStats, Refusals, TableStats};
pub use transmit::{Outgoing, Transmit};

use incoming::Incoming;
use keys::Timer;
use std::sync::Arc;

/// The transport's id of a peer: 1 to 255 bytes, unique among the connections of a socket.
pub type RoutingId = Arc<[u8]>;
