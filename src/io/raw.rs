//! One frame as a message of libzmq.

use super::bytes_in_flight::BytesInFlight;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ops::Deref;
use std::ptr;
use std::slice;
use std::sync::Arc;
use zmq_sys::zmq_msg_t;

/// A received frame, or one to be sent. A clone shares the bytes, except short ones inside of the
/// message.
pub(super) struct Raw {
    /// libzmq requires a mutable pointer even for reading and sharing; only libzmq accesses the
    /// content.
    raw: UnsafeCell<zmq_msg_t>,
}

// SAFETY: a message is bound to no thread, and shared bytes are counted atomically. It is not Sync:
// sharing changes the message itself.
unsafe impl Send for Raw {}

impl Raw {
    /// An empty frame.
    pub(super) fn new() -> Self {
        let mut raw = zmq_msg_t::default();
        // SAFETY: `raw` is memory for a message; this call, which cannot fail, initialises it.
        unsafe { zmq_sys::zmq_msg_init(&mut raw) };
        Raw {
            raw: UnsafeCell::new(raw),
        }
    }

    /// The pointer for libzmq's send and receive calls. A message may be moved between two calls:
    /// libzmq keeps no pointer to it.
    pub(super) fn as_raw(&mut self) -> *mut zmq_msg_t {
        self.raw.get()
    }

    /// A property of the connection over which the frame came; `None` if it does not exist or is
    /// not text. The text lives as long as the frame.
    pub(super) fn property(&self, name: &CStr) -> Option<&str> {
        // SAFETY: the message is initialised and the name ends in NUL. The result ends in NUL, too,
        // and belongs to metadata that all frames of the connection share.
        let text = unsafe { zmq_sys::zmq_msg_gets(self.raw.get(), name.as_ptr()) };
        if text.is_null() {
            return None;
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_str().ok()
    }

    /// A message with the same bytes, for which `in_flight` counts `cost` until the last reference
    /// is released.
    pub(super) fn counted(self, in_flight: &Arc<BytesInFlight>, cost: usize) -> Raw {
        in_flight.add(cost);
        let frame = Box::into_raw(Box::new(InFlight {
            raw: self,
            in_flight: in_flight.clone(),
            cost,
        }));
        let mut raw = zmq_msg_t::default();
        // SAFETY: the message that owns the bytes stays in its box, untouched, until libzmq passes
        // the box to `release`, when no message refers to the bytes any more.
        unsafe {
            let message = (*frame).raw.raw.get();
            let data = zmq_sys::zmq_msg_data(message);
            let len = zmq_sys::zmq_msg_size(message);
            let rc = zmq_sys::zmq_msg_init_data(&mut raw, data, len, Some(release), frame.cast());
            assert_eq!(rc, 0, "out of memory for a message");
        }
        let counted = Raw {
            raw: UnsafeCell::new(raw),
        };
        // The message in the box may share its bytes with others, which libzmq does not know. A clone makes it count
        // these as shared.
        drop(counted.clone());
        counted
    }

    /// Whether other messages may refer to the same bytes. Once they are shared, the answer stays true.
    pub(super) fn is_shared(&self) -> bool {
        // SAFETY: the message is initialised, and the property exists.
        unsafe { zmq_sys::zmq_msg_get(self.raw.get(), zmq_sys::ZMQ_SHARED as c_int) != 0 }
    }

    /// The bytes of a message that is not [shared](Self::is_shared). They stay at their place as long as the message,
    /// which must not be read while they are written.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        // SAFETY: the message is initialised.
        unsafe { zmq_sys::zmq_msg_data(self.raw.get()).cast() }
    }

    /// Whether another frame of the same received message follows.
    pub(super) fn more(&self) -> bool {
        // SAFETY: the message is initialised.
        unsafe { zmq_sys::zmq_msg_more(self.raw.get()) != 0 }
    }
}

impl Default for Raw {
    fn default() -> Self {
        Raw::new()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the message is initialised and not used afterwards.
        unsafe { zmq_sys::zmq_msg_close(self.raw.get()) };
    }
}

impl Clone for Raw {
    fn clone(&self) -> Self {
        let copy = Raw::new();
        // SAFETY: both are initialised; Raw is not Sync, so no other thread accesses `self`.
        unsafe { zmq_sys::zmq_msg_copy(copy.raw.get(), self.raw.get()) };
        copy
    }
}

impl Deref for Raw {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the message is initialised; its bytes are unchanged while it is borrowed, and the
        // pointer of an empty message is not null.
        unsafe {
            let size = zmq_sys::zmq_msg_size(self.raw.get());
            slice::from_raw_parts(zmq_sys::zmq_msg_data(self.raw.get()).cast(), size)
        }
    }
}

impl From<&[u8]> for Raw {
    fn from(bytes: &[u8]) -> Self {
        let mut raw = zmq_msg_t::default();
        // SAFETY: `raw` is memory for a message. This call initialises it with room for `bytes`,
        // which cannot overlap it, unless memory is exhausted.
        unsafe {
            let rc = zmq_sys::zmq_msg_init_size(&mut raw, bytes.len());
            assert_eq!(
                rc,
                0,
                "out of memory for a message of {} bytes",
                bytes.len()
            );
            let data = zmq_sys::zmq_msg_data(&mut raw).cast::<u8>();
            data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Raw {
            raw: UnsafeCell::new(raw),
        }
    }
}

/// Minimum size for lending: below it, a copy is cheaper than a second allocation that owns the
/// bytes.
const WORTH_LENDING: usize = 4096;

impl From<Vec<u8>> for Raw {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() < WORTH_LENDING {
            return Raw::from(&bytes[..]);
        }
        let bytes = Box::into_raw(bytes.into_boxed_slice());
        let mut raw = zmq_msg_t::default();
        // SAFETY: libzmq takes the bytes, and passes them to `free_box` with their length when no
        // message refers to them any more. After an error they still belong to this function.
        unsafe {
            let len = bytes.len();
            let hint = len as *mut c_void;
            let rc = zmq_sys::zmq_msg_init_data(&mut raw, bytes.cast(), len, Some(free_box), hint);
            assert_eq!(rc, 0, "out of memory for a message of {len} bytes");
        }
        Raw {
            raw: UnsafeCell::new(raw),
        }
    }
}

unsafe extern "C" fn free_box(data: *mut c_void, len: *mut c_void) {
    // SAFETY: `data` and `len` belong to the boxed slice that `From<Vec<u8>>` has released.
    drop(unsafe {
        Box::from_raw(ptr::slice_from_raw_parts_mut(
            data.cast::<u8>(),
            len as usize,
        ))
    });
}

/// Bytes that libzmq has.
struct InFlight {
    raw: Raw,
    in_flight: Arc<BytesInFlight>,
    cost: usize,
}

unsafe extern "C" fn release(_data: *mut c_void, frame: *mut c_void) {
    // SAFETY: `frame` is the box that `counted` has released.
    let frame = unsafe { Box::from_raw(frame.cast::<InFlight>()) };
    drop(frame.raw);
    frame.in_flight.subtract(frame.cost);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_of_every_size() {
        for len in [
            0,
            1,
            29,
            33,
            34,
            100,
            WORTH_LENDING - 1,
            WORTH_LENDING,
            1 << 20,
        ] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let copied = Raw::from(&bytes[..]);
            let counted = Raw::from(bytes.clone());
            let moved = copied;
            assert_eq!(&moved[..], &bytes[..]);
            let clone = counted.clone();
            drop(counted);
            assert_eq!(&clone[..], &bytes[..]);
        }
    }
}
