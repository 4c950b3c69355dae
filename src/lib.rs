//! Majordomo over ZeroMQ for Node.js.
//!
//! The layers, each of which imports only from those below it:
//!
//! - `node`: the `#[napi]` shells. JavaScript values <-> typed commands and notices.
//! - `io`: the reactor. Owns threads, libzmq sockets, the clock and the wake-ups; feeds the
//!   machines and carries out what they ask.
//! - [`proto`]: the state machines of broker, worker and client. Pure: time comes in as an
//!   argument, messages and notices are drained by the owner.
//! - [`wire`]: frames <-> typed messages, one module a dialect.
//!
//! The one rule of the machines: *mutate, then drain*. After any `handle_*` call or command the
//! owner takes all that the machine wants sent and reported, then asks for its next deadline.

#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
#[cfg(feature = "io")]
pub mod io;
#[cfg(feature = "node")]
pub mod node;
pub mod proto;
pub mod wire;
