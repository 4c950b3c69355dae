//! What the crossing takes from `io`: its queue as it is, and frames that need no libzmq.

#[allow(dead_code)]
#[path = "../../src/io/claims.rs"]
mod claims;
#[allow(dead_code)]
#[path = "../../src/io/outlet.rs"]
mod outlet;

pub use crate::frame::Frame as Message;
pub use claims::{AHEAD, CLAIMED, SHOWN};
pub use outlet::{Outlet, Taken};
