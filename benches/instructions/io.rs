//! The parts of `io` that the crossing needs: its real queue, and frames that do not need libzmq.

use std::sync;

#[allow(dead_code)]
#[path = "../../src/io/notice_queue.rs"]
mod notice_queue;
#[allow(dead_code)]
#[path = "../../src/io/slots.rs"]
mod slots;

pub use crate::frame::Frame as Message;
pub use notice_queue::{NoticeQueue, Taken};
pub use slots::{AHEAD, SHOWN, TAKEN};
