//! The slots in which JavaScript claims requests, as an array of JavaScript's.

use crate::io::{AHEAD, Claims};
use napi::bindgen_prelude::*;
use napi::{Env, sys};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// An array over the slots themselves; `None` where the runtime allows no memory of others in its arrays (Electron).
///
/// In V8 the functions of `Atomics` are atomic on every buffer, shared or not.
pub(super) fn array<'env>(env: &'env Env, claims: &Arc<Claims>) -> Result<Option<Unknown<'env>>> {
    const TYPE: i32 = sys::TypedarrayType::int32_array;
    const { assert!(size_of::<Claims>() == AHEAD * size_of::<i32>()) };
    let lent = Arc::into_raw(claims.clone()).cast_mut().cast::<c_void>();
    let (mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the memory lives until `release` gives back the reference that was made for it, which happens once. All
    // who read or write it do so atomically.
    unsafe {
        let (env, size) = (env.raw(), size_of::<Claims>());
        let hint = ptr::null_mut();
        match sys::napi_create_external_arraybuffer(
            env,
            lent,
            size,
            Some(release),
            hint,
            &mut buffer,
        ) {
            sys::Status::napi_ok => {}
            _ => {
                release(env, lent, hint);
                return Ok(None);
            }
        }
        check_status!(sys::napi_create_typedarray(
            env, TYPE, AHEAD, buffer, 0, &mut array
        ))?;
    }
    // SAFETY: the value was made just now, in this environment.
    Ok(Some(unsafe {
        Unknown::from_raw_unchecked(env.raw(), array)
    }))
}

/// Nobody in JavaScript can reach the array any more.
unsafe extern "C" fn release(_env: sys::napi_env, lent: *mut c_void, _hint: *mut c_void) {
    // SAFETY: it comes from `Arc::into_raw`, and this is called once.
    drop(unsafe { Arc::from_raw(lent.cast_const().cast::<Claims>()) });
}
