//! The parts of `io` that threads share without waiting for each other, compiled with loom's atomics and locks in place
//! of the standard library's. `tests/` runs them in every order that the memory model allows.
//!
//! Without the feature `loom` they have the standard library's atomics, for ThreadSanitizer and real threads.

// The sources hold more than the models use.
#![allow(dead_code)]

#[cfg(feature = "loom")]
use loom::sync;
#[cfg(not(feature = "loom"))]
pub mod sync;
use zmq_omdp::proto;

#[path = "../../src/io/loan.rs"]
pub mod loan;
#[path = "../../src/io/notice_queue.rs"]
pub mod notice_queue;
#[path = "../../src/io/slots.rs"]
pub mod slots;
