//! Majordomo over ZeroMQ for Node.js.
//!
//! The layers. Each imports only from those below it:
//!
//! - `node`: the `#[napi]` shells, which convert values of JavaScript into typed commands, and
//!   notices back.
//! - `io`: the reactor. It owns threads, libzmq sockets, the clock and wake-ups, feeds the machines
//!   and executes their requests.
//! - [`proto`]: the state machines of broker, worker and client. They are pure: time is an
//!   argument, and the owner drains messages and notices.
//! - [`wire`]: conversion between frames and typed messages, one module a dialect.
//!
//! The rule of the machines is *mutate, then drain*: after any `handle_*` call or command the owner
//! takes all messages and notices, then asks for the next deadline.

#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
#[cfg(feature = "io")]
pub mod io;
#[cfg(feature = "node")]
pub mod node;
pub mod proto;
pub mod wire;
