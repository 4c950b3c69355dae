//! The parts of `io` that the crossing needs: its real queue, and frames that do not need libzmq.

use std::sync;

#[allow(dead_code)]
#[path = "../../src/io/claims.rs"]
mod claims;
#[allow(dead_code)]
#[path = "../../src/io/notice_queue.rs"]
mod notice_queue;

pub use crate::frame::Frame as Message;
pub use claims::{AHEAD, CLAIMED, SHOWN};
pub use notice_queue::{NoticeQueue, Taken};
