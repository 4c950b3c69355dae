//! Bytes in memory of another owner.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// Bytes in memory of another owner, which is told when they are dropped, on any thread.
pub struct Foreign {
    bytes: NonNull<[u8]>,
    /// A copy, which takes the place of the bytes.
    own: OnceLock<Box<[u8]>>,
    /// Dropped when the bytes are not needed any more.
    _use: Box<dyn Send + Sync>,
}

// SAFETY: the bytes do not change and are only read, and `_use` may be dropped by any thread.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Foreign {
    /// # Safety
    /// The bytes neither move nor change before `in_use` is dropped.
    pub unsafe fn new(bytes: NonNull<[u8]>, in_use: impl Send + Sync + 'static) -> Self {
        Foreign {
            bytes,
            own: OnceLock::new(),
            _use: Box::new(in_use),
        }
    }
}

impl Deref for Foreign {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.own.get() {
            Some(own) => own,
            // SAFETY: guaranteed by the caller of `new`, or of `Borrowed::new`.
            None => unsafe { self.bytes.as_ref() },
        }
    }
}

/// Bytes that are lent for a call. A frame of them can be sent in it before they are copied. At the end of the call,
/// frames that are left get a copy.
pub struct Borrowed(pub(super) Arc<Foreign>);

impl Borrowed {
    /// # Safety
    /// The bytes neither move nor change before this is dropped. When it is dropped, no other thread has one of its
    /// frames, and this thread has no reference to the bytes of one.
    pub unsafe fn new(bytes: NonNull<[u8]>) -> Self {
        // SAFETY: as above; dropping this ends the use of the bytes.
        Borrowed(Arc::new(unsafe { Foreign::new(bytes, ()) }))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) > 1 {
            self.0.own.get_or_init(|| Box::from(&self.0[..]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_borrowed_bytes_is_a_copy() {
        let mut bytes = vec![1; 100_000];
        // SAFETY: the bytes live, and stay as they are, until it is dropped.
        let borrowed = unsafe { Borrowed::new(NonNull::from(&bytes[..])) };
        let sent = borrowed.frame();
        let left = sent.clone();
        assert_eq!(sent[..].as_ptr(), bytes.as_ptr(), "no copy yet");
        drop(sent);
        drop(borrowed);
        bytes.fill(2);
        assert_eq!(left[..], vec![1; 100_000]);
        assert_eq!(left.clone()[..].as_ptr(), left[..].as_ptr());
    }
}
