//! Bytes that belong to somebody else, who lends them.

use std::ops::Deref;
use std::ptr::NonNull;

/// Lent bytes. Dropping it ends the loan, on any thread.
pub struct Foreign {
    bytes: NonNull<[u8]>,
    /// Dropped when the bytes are not needed any more.
    _loan: Box<dyn Send + Sync>,
}

// SAFETY: the bytes do not change and are only read, and the loan may be dropped by any thread.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Foreign {
    /// # Safety
    /// The bytes neither move nor change before `loan` is dropped.
    pub unsafe fn new(bytes: NonNull<[u8]>, loan: impl Send + Sync + 'static) -> Self {
        Foreign {
            bytes,
            _loan: Box::new(loan),
        }
    }
}

impl Deref for Foreign {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: guaranteed by the caller of `new`.
        unsafe { self.bytes.as_ref() }
    }
}
