//! The library that Node.js loads. All of it is in the crate `zmq_omdp`, whose classes and functions register themselves.

pub use zmq_omdp::node;

use napi_derive as _;
