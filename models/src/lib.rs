//! The lock-free parts of `io`, compiled with loom's atomics and locks instead of the standard library's. `tests/` runs
//! them in every order that the memory model allows.
//!
//! Without the feature `loom` they are compiled with the standard library's atomics and run on real threads under
//! ThreadSanitizer.

// The models use only a part of the sources.
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
