//! Bytes that JavaScript gives away: they are sent out of the memory of its ArrayBuffer.
//!
//! `lib/transferred.js` moves the memory into an ArrayBuffer that no other code can reach. A reference keeps it until the
//! bytes are not needed any more. That may be found by any thread, but only the thread of JavaScript can delete the
//! reference, and the memory ends with the environment.

use crate::io::{Foreign, Message};
use napi::bindgen_prelude::{FromNapiValue, Result, TypeName, ValidateNapiValue};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Status, ValueType, check_status, sys};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Smaller ones are copied, which costs less than a reference.
const WORTH_KEEPING: usize = 16 * 1024;

/// An ArrayBuffer that no other code can reach, in the present call from JavaScript.
pub struct ArrayBuffer(sys::napi_value);

impl TypeName for ArrayBuffer {
    fn type_name() -> &'static str {
        "ArrayBuffer"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ValidateNapiValue for ArrayBuffer {
    unsafe fn validate(env: sys::napi_env, value: sys::napi_value) -> Result<sys::napi_value> {
        let mut is_one = false;
        // SAFETY: the result is written to a variable of its type; the caller guarantees the others.
        check_status!(unsafe { sys::napi_is_arraybuffer(env, value, &mut is_one) })?;
        match is_one {
            true => Ok(ptr::null_mut()),
            false => Err(Error::new(Status::InvalidArg, "no ArrayBuffer")),
        }
    }
}

impl FromNapiValue for ArrayBuffer {
    unsafe fn from_napi_value(_env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        Ok(ArrayBuffer(value))
    }
}

/// The ArrayBuffers of an environment whose bytes are in use.
pub(super) struct Loans {
    state: Mutex<State>,
    none: Condvar,
    delete: ThreadsafeFunction<(), (), (), Status, false, true>,
}

#[derive(Default)]
struct State {
    /// How many have not ended.
    count: usize,
    /// The references of those that have ended.
    ended: Vec<Reference>,
}

/// A reference to an ArrayBuffer.
struct Reference(sys::napi_ref);

// SAFETY: it is only used by the thread of its environment.
unsafe impl Send for Reference {}
// SAFETY: as above.
unsafe impl Sync for Reference {}

/// The use of an ArrayBuffer.
struct Loan {
    loans: Arc<Loans>,
    reference: Option<Reference>,
}

impl Loans {
    pub(super) fn new(env: &Env) -> Result<Arc<Self>> {
        let place = Arc::new(Mutex::new(Weak::<Loans>::new()));
        let of_function = place.clone();
        let delete = env.create_function_from_closure("deleteReferences", move |context| {
            if let Some(loans) = locked(&of_function).upgrade() {
                loans.delete_ended(context.env);
            }
            Ok(())
        })?;
        let delete = delete
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .build()?;
        let loans = Arc::new(Loans {
            state: Mutex::default(),
            none: Condvar::new(),
            delete,
        });
        *locked(&place) = Arc::downgrade(&loans);
        Ok(loans)
    }

    /// Blocks until none is in use. The drivers of the environment must have been told to end: they, and the
    /// connections that they leave behind, do so within a bounded time, and drop what they have.
    pub(super) fn wait(&self) {
        let state = self.state();
        drop(
            self.none
                .wait_while(state, |state| state.count > 0)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn delete_ended(&self, env: &Env) {
        let ended = std::mem::take(&mut self.state().ended);
        for Reference(reference) in ended {
            let mut buffer = ptr::null_mut();
            // SAFETY: this is the thread of the environment, and each reference is deleted once. A failure leaves the
            // memory to V8, or to the end of the environment.
            unsafe {
                // V8 would keep it until the next collection.
                sys::napi_get_reference_value(env.raw(), reference, &mut buffer);
                if !buffer.is_null() {
                    sys::napi_detach_arraybuffer(env.raw(), buffer);
                }
                sys::napi_delete_reference(env.raw(), reference);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let is_first = {
            let mut state = self.loans.state();
            state.ended.extend(self.reference.take());
            state.ended.len() == 1
        };
        if is_first {
            // Fails while the environment is being torn down, which ends the references.
            let _ = self
                .loans
                .delete
                .call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
        // Last, because the environment may end then.
        let mut state = self.loans.state();
        state.count -= 1;
        if state.count == 0 {
            self.loans.none.notify_all();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A frame of the bytes of an ArrayBuffer that nobody else can write to. `loans` has those of the environment.
pub(super) fn message(
    env: &Env,
    &ArrayBuffer(given): &ArrayBuffer,
    loans: impl FnOnce(&Env) -> Result<Arc<Loans>>,
) -> Result<Message> {
    let (mut data, mut len) = (ptr::null_mut::<c_void>(), 0);
    // SAFETY: the value is an ArrayBuffer of this environment; the results are written to variables of their types.
    unsafe {
        check_status!(sys::napi_get_arraybuffer_info(
            env.raw(),
            given,
            &mut data,
            &mut len
        ))?;
    }
    let Some(data) = NonNull::new(data.cast::<u8>()) else {
        return Ok(Message::default());
    };
    let bytes = NonNull::slice_from_raw_parts(data, len);
    if len < WORTH_KEEPING {
        // SAFETY: no JavaScript runs meanwhile.
        return Ok(Message::from(unsafe { bytes.as_ref() }));
    }
    let loans = loans(env)?;
    let mut reference = ptr::null_mut();
    // SAFETY: as above.
    unsafe {
        check_status!(sys::napi_create_reference(
            env.raw(),
            given,
            1,
            &mut reference
        ))?;
    }
    loans.state().count += 1;
    loans.delete_ended(env);
    let loan = Loan {
        loans,
        reference: Some(Reference(reference)),
    };
    // SAFETY: no JavaScript can reach the ArrayBuffer, which therefore is not detached, resized or written to. It lives
    // until its reference is deleted, after the loan; the environment waits for that.
    Ok(Message::from(unsafe { Foreign::new(bytes, loan) }))
}
