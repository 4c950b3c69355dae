//! The machines against each other, and against peers of 0.0.92, in virtual time.

mod cancel;
mod dispatch;
mod heartbeats;
mod liveness;
mod net;
mod registration;
mod restarts;
mod timeouts;
