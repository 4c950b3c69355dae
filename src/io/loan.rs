//! A value that its owner lends to another thread while it waits.

use super::sync::{Mutex, MutexGuard};
use std::sync::{PoisonError, TryLockError};

/// The place of a value while it is lent. The owner leaves it here and takes it back; meanwhile
/// another thread can use it. The lock is a full fence, so the value may be bound to one thread at
/// a time.
#[derive(Debug)]
pub struct Loan<T> {
    value: Mutex<Option<Box<T>>>,
}

impl<T> Default for Loan<T> {
    fn default() -> Self {
        Loan {
            value: Mutex::new(None),
        }
    }
}

impl<T> Loan<T> {
    /// Lends the value.
    pub fn lend(&self, value: Box<T>) {
        *self.lock() = Some(value);
    }

    /// Takes the value back, as soon as it is not in use. Returns `None` if it is not lent.
    pub fn take_back(&self) -> Option<Box<T>> {
        self.lock().take()
    }

    /// Calls `change` with the value. Returns `None` if the owner has the value, and never waits
    /// for the owner.
    pub fn use_if_lent<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = match self.value.try_lock() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(value)) => value.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        value.as_deref_mut().map(change)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<T>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_used_only_while_it_is_lent() {
        let loan = Loan::default();
        assert_eq!(loan.use_if_lent(|value: &mut u32| *value), None);
        loan.lend(Box::new(1));
        assert_eq!(
            loan.use_if_lent(|value| std::mem::replace(value, 2)),
            Some(1)
        );
        assert_eq!(loan.take_back(), Some(Box::new(2)));
        assert_eq!(loan.use_if_lent(|value| *value), None);
        assert_eq!(loan.take_back(), None);
    }
}
