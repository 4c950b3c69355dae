//! The parts of `io` that the crossing needs: its real queue, and frames that do not need libzmq.

use std::ptr::NonNull;
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

/// Bytes that are borrowed for a call. The measured records have no bytes that are large enough for it.
pub struct Borrowed(NonNull<[u8]>);

impl Borrowed {
    /// # Safety
    /// The bytes neither move nor change before this is dropped.
    pub unsafe fn new(bytes: NonNull<[u8]>) -> Self {
        Borrowed(bytes)
    }

    /// A copy of the bytes.
    pub fn frame(&self) -> Message {
        // SAFETY: guaranteed by the caller of `new`.
        Message::from(unsafe { self.0.as_ref() })
    }
}
