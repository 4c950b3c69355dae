//! Locks for ThreadSanitizer, made of atomics. ThreadSanitizer observes only code that is compiled with it, and the
//! standard library is not: an access under one of its locks would look unsynchronized.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
pub use std::sync::{Arc, atomic};
use std::sync::{PoisonError, TryLockError};

use atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub struct Mutex<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: only the thread that holds the guard accesses the value, and one thread at a time holds it.
unsafe impl<T: Send> Sync for Mutex<T> {}

pub struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex {
            locked: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Never fails; the type of the result is that of the standard library's lock.
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, PoisonError<MutexGuard<'_, T>>> {
        while self.locked.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        Ok(MutexGuard(self))
    }
}

impl<T> Mutex<T> {
    /// Fails while another thread holds the lock.
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        match self.locked.swap(true, Ordering::Acquire) {
            true => Err(TryLockError::WouldBlock),
            false => Ok(MutexGuard(self)),
        }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::Release);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so no other thread accesses the value.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}
