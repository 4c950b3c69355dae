//! The slots in which JavaScript takes shown requests, as a typed array.

use crate::io::{AHEAD, Slots};
use napi::bindgen_prelude::*;
use napi::{Env, sys};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// A typed array over the slots; `None` if the runtime does not permit external memory in arrays
/// (Electron).
///
/// V8's `Atomics` functions are atomic on every buffer, shared or not.
pub(super) fn array<'env>(env: &'env Env, slots: &Arc<Slots>) -> Result<Option<Unknown<'env>>> {
    const TYPE: i32 = sys::TypedarrayType::int32_array;
    const { assert!(size_of::<Slots>() == AHEAD * size_of::<i32>()) };
    let shared = Arc::into_raw(slots.clone()).cast_mut().cast::<c_void>();
    let (mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the memory lives until `release`, called once, returns the reference made for it. All
    // readers and writers access it atomically.
    unsafe {
        let (env, size) = (env.raw(), size_of::<Slots>());
        let hint = ptr::null_mut();
        match sys::napi_create_external_arraybuffer(
            env,
            shared,
            size,
            Some(release),
            hint,
            &mut buffer,
        ) {
            sys::Status::napi_ok => {}
            _ => {
                release(env, shared, hint);
                return Ok(None);
            }
        }
        check_status!(sys::napi_create_typedarray(
            env, TYPE, AHEAD, buffer, 0, &mut array
        ))?;
    }
    // SAFETY: the value was just made in this environment.
    Ok(Some(unsafe {
        Unknown::from_raw_unchecked(env.raw(), array)
    }))
}

/// Called when JavaScript has no reference to the array any more.
unsafe extern "C" fn release(_env: sys::napi_env, shared: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the pointer comes from `Arc::into_raw`, and this function is called once.
    drop(unsafe { Arc::from_raw(shared.cast_const().cast::<Slots>()) });
}
