//! Received bytes as Buffers: small ones are copied, large ones are the memory in which they arrived.

use super::external::LARGE;
use crate::io::{Message, OwnBytes};
use napi::bindgen_prelude::*;
use napi::{Env, check_status, sys};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// After this number of bytes V8 is given the opportunity to release some.
const CHECKED: usize = 4 * 1024 * 1024;

/// Reports that V8 refers to this number of bytes more.
///
/// V8 collects its young objects, which is fast, when they have 32 MiB outside of its heap. But it checks this only when
/// it allocates such memory itself; what others have allocated would stay until 64 MiB cause a collection of all
/// objects. So it is asked for a few bytes now and then.
fn made(env: &Env, bytes: usize) {
    thread_local! {
        static UNCHECKED: Cell<usize> = const { Cell::new(0) };
    }
    let unchecked = UNCHECKED.get() + bytes;
    if unchecked < CHECKED {
        return UNCHECKED.set(unchecked);
    }
    UNCHECKED.set(0);
    let (mut data, mut value) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: both results are written to variables of their types, and are not used. A failure has no effect.
    unsafe { sys::napi_create_arraybuffer(env.raw(), 8, &mut data, &mut value) };
}

/// Whether this runtime has refused external memory, as Electron does.
static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// More bytes are copied: a runtime that cannot make such a Buffer would release its memory already.
const MOST: usize = i32::MAX as usize;

thread_local! {
    static IS_ALLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Lets Buffers of this thread be received memory.
///
/// Only the main thread may. Byte streams and `ArrayBuffer.prototype.transfer()` move the memory to an ArrayBuffer
/// without the mark that it cannot be transferred, so that it may reach another thread. The end of an environment
/// releases the memory nevertheless; that of the main thread comes after all others.
pub(super) fn allow_external() {
    IS_ALLOWED.set(true);
}

/// Makes a Buffer of a received frame. If it may be `kept`, the Buffer may be the frame's memory, provided that nothing
/// else refers to it: JavaScript may write to it.
pub(super) fn buffer<'env>(
    env: &'env Env,
    bytes: Message,
    kept: bool,
) -> Result<BufferSlice<'env>> {
    let is_external = kept
        && (LARGE..=MOST).contains(&bytes.len())
        && IS_ALLOWED.get()
        && !IS_REFUSED.load(Ordering::Relaxed);
    if !is_external {
        return BufferSlice::copy_from(env, &bytes[..]);
    }
    match bytes.into_own() {
        Ok(own) => external(env, own),
        Err(shared) => BufferSlice::copy_from(env, &shared[..]),
    }
}

fn external<'env>(env: &'env Env, own: OwnBytes) -> Result<BufferSlice<'env>> {
    let mut own = Box::new(own);
    let (memory, len) = (own.as_mut_ptr(), own.len());
    let own = Box::into_raw(own);
    let mut value = ptr::null_mut();
    // SAFETY: the memory belongs to `own` alone, and stays in its place until `release` is called once, or until here
    // if the runtime has refused before it took the finalizer.
    unsafe {
        let status = sys::napi_create_external_buffer(
            env.raw(),
            len,
            memory.cast(),
            Some(release),
            own.cast(),
            &mut value,
        );
        if status == sys::Status::napi_no_external_buffers_allowed {
            let own = Box::from_raw(own);
            IS_REFUSED.store(true, Ordering::Relaxed);
            return BufferSlice::copy_from(env, std::slice::from_raw_parts(memory, own.len()));
        }
        // After any other failure `release` may have been called, or will be. Otherwise the memory is lost.
        check_status!(status)?;
        made(env, len);
        BufferSlice::from_napi_value(env.raw(), value)
    }
}

/// Called when JavaScript has no reference to the memory any more.
unsafe extern "C" fn release(_env: sys::napi_env, _memory: *mut c_void, own: *mut c_void) {
    // SAFETY: this is the box that `external` has released.
    drop(unsafe { Box::from_raw(own.cast::<OwnBytes>()) });
}
