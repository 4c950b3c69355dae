//! The machines against each other, and against peers of 0.0.92, in virtual time.

mod ahead;
mod blocked;
mod bodies;
mod breaks;
mod cancel;
mod dispatch;
mod drain;
mod far;
mod flow;
mod garbage;
mod goodbye;
mod heartbeats;
mod hello;
mod identities;
mod limits;
mod liveness;
mod mdp;
mod mdp_peers;
mod mixes;
pub(crate) mod net;
mod registration;
mod restarts;
mod resume;
mod retry;
mod several;
mod sim;
mod timeouts;
