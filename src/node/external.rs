//! Strings outside of V8's heap. V8 would allocate, touch and release each page of a large string,
//! which takes several times as long as the copy itself.

use crate::io::Message;
use napi::bindgen_prelude::*;
use napi::{Env, JsString, sys};
use std::ffi::{c_char, c_void};
use std::ops::Range;
use std::ptr;

/// For shorter strings and Buffers V8 has memory at hand, and a copy costs no more.
pub(super) const LARGE: usize = 128 * 1024;

/// The type of `node_api_create_external_string_latin1`. Node.js 20.4 introduced it, so it is
/// looked up at run time.
type Create = unsafe extern "C" fn(
    sys::napi_env,
    *mut c_char,
    isize,
    Option<unsafe extern "C" fn(sys::napi_env, *mut c_void, *mut c_void)>,
    *mut c_void,
    *mut sys::napi_value,
    *mut bool,
) -> sys::napi_status;

/// Makes a string that refers to these bytes, which are ASCII. Returns the message if that is
/// impossible.
pub(super) fn string<'env>(
    env: &'env Env,
    message: Message,
    ascii: Range<usize>,
) -> std::result::Result<JsString<'env>, Message> {
    let Some(create) = create() else {
        return Err(message);
    };
    let kept = Box::new(message);
    let (size, len) = (kept.len() as i64, ascii.len() as isize);
    let bytes = kept[ascii].as_ptr().cast_mut().cast();
    let kept = Box::into_raw(kept);
    let mut string = ptr::null_mut();
    let mut copied = false;
    // SAFETY: the bytes neither move nor change while the message lives in its box, that is, until
    // `release` is called once, or until here if no string is made. They are not written to; only
    // the interface lacks `const`.
    unsafe {
        // Without it V8 would not count these bytes, and let such strings accumulate.
        account(env.raw(), size);
        let status = create(
            env.raw(),
            bytes,
            len,
            Some(release),
            kept.cast(),
            &mut string,
            &mut copied,
        );
        if status != sys::Status::napi_ok {
            account(env.raw(), -size);
            return Err(*Box::from_raw(kept));
        }
        Ok(JsString::from_napi_value(env.raw(), string).expect("takes any value"))
    }
}

/// Releases the message when the string is collected. `env` is null if the environment has ended
/// before.
unsafe extern "C" fn release(env: sys::napi_env, _bytes: *mut c_void, kept: *mut c_void) {
    // SAFETY: this is the box that `string` has released.
    let message = unsafe { Box::from_raw(kept.cast::<Message>()) };
    if !env.is_null() {
        // SAFETY: this is the environment in which the string was made.
        unsafe { account(env, -(message.len() as i64)) };
    }
}

/// # Safety
/// `env` lives, and this is its thread.
unsafe fn account(env: sys::napi_env, change: i64) {
    let mut now = 0;
    // SAFETY: guaranteed by the caller. The call only changes a number and cannot fail.
    unsafe { sys::napi_adjust_external_memory(env, change, &mut now) };
}

#[cfg(unix)]
fn create() -> Option<Create> {
    static CREATE: std::sync::OnceLock<Option<Create>> = std::sync::OnceLock::new();
    *CREATE.get_or_init(|| {
        // SAFETY: the name ends in NUL.
        let found = unsafe {
            let name = c"node_api_create_external_string_latin1";
            libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr())
        };
        // SAFETY: a symbol with this name is Node-API's function, which has this type.
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Create>(found) })
    })
}

#[cfg(not(unix))]
fn create() -> Option<Create> {
    None
}
