//! The Rust half of the crossing without Node.js: its sources are included unchanged, with
//! stand-ins for the functions of Node-API that they call, which the binding finds by name.

#[allow(dead_code)]
#[path = "../../src/node/batch_reader.rs"]
mod batch_reader;
#[allow(dead_code)]
#[path = "../../src/node/batch_writer.rs"]
mod batch_writer;
#[allow(dead_code)]
#[path = "../../src/node/blobs.rs"]
mod blobs;
#[allow(dead_code)]
#[path = "../../src/node/crossing.rs"]
mod crossing;
#[allow(dead_code)]
#[path = "../../src/node/long.rs"]
mod long;

/// Here all Buffers are copied.
mod buffers {
    use crate::io::Message;
    use napi::Env;
    use napi::bindgen_prelude::{BufferSlice, Result};

    pub fn buffer<'env>(env: &'env Env, bytes: Message, _: bool) -> Result<BufferSlice<'env>> {
        BufferSlice::copy_from(env, &bytes[..])
    }
}

/// Here nothing is given away.
mod given {
    use crate::io::Message;
    use napi::bindgen_prelude::Result;
    use napi::{Env, Error};

    pub type ArrayBuffer = napi::bindgen_prelude::Uint8Array;

    pub fn message(_: &Env, _: &ArrayBuffer, _: fn()) -> Result<Message> {
        Err(Error::from_reason("nothing is given away here"))
    }
}

mod environment {
    pub fn loans() {}
}

/// Here all strings are copied.
mod external {
    use crate::io::Message;
    use napi::{Env, JsString};
    use std::ops::Range;

    pub const LARGE: usize = 1 << 40;

    pub fn string(_: &Env, message: Message, _: Range<usize>) -> Result<JsString<'_>, Message> {
        Err(message)
    }
}

use crate::Path;
use crate::count::counted;
use crate::frame::Frame;
use crate::io::{NoticeQueue, Taken};
use crate::wire::Body;
use crate::words::{DATA, OPTS, SERVICE};
use batch_reader::BatchReader;
use batch_writer::BatchWriter;
use crossing::{DRAIN_FIELDS, DRAIN_HEADER, Kind};
use napi::bindgen_prelude::FromNapiValue;
use napi::{Env, JsString, sys};
use std::ffi::c_char;
use std::ptr;

/// The number of messages in a batch.
const BATCH: usize = 64;

pub const PATHS: [Path; 3] = [
    Path {
        name: "crossing: notice queue",
        items: BATCH,
        start: notice_queue,
    },
    Path {
        name: "crossing: to JavaScript",
        items: BATCH,
        start: to_javascript,
    },
    Path {
        name: "crossing: from JavaScript",
        items: BATCH,
        start: from_javascript,
    },
];

/// From the reactor's thread to JavaScript's, without the threads.
fn notice_queue() -> Box<dyn FnMut()> {
    let notice_queue = NoticeQueue::new(|| {});
    let mut taken = Vec::new();
    Box::new(move || {
        counted(|| {
            notice_queue.update(|queue| (0..BATCH).for_each(|number| queue.push(number)));
            notice_queue.take(BATCH, 0, &mut taken);
        });
        assert_eq!(taken.len(), BATCH);
        taken.clear();
    })
}

/// A batch of replies that a client drains.
fn to_javascript() -> Box<dyn FnMut()> {
    let env = env();
    let mut records = vec![0.0; DRAIN_HEADER as usize + DRAIN_FIELDS as usize * BATCH];
    Box::new(move || {
        let bodies = vec![Body::json(Frame::from(DATA)); BATCH];
        counted(|| {
            let mut batch = BatchWriter::new(&mut records);
            for (id, body) in bodies.iter().enumerate() {
                batch.body(Kind::Final, id as u64, body.clone());
            }
            let (text, _) = batch.finish(&env, Taken::default()).expect("a string");
            assert_eq!(text.utf16_len().ok(), Some(BATCH * DATA.len()));
        });
    })
}

/// A batch of requests that a client submits.
fn from_javascript() -> Box<dyn FnMut()> {
    let env = env();
    let fields = [SERVICE, DATA, OPTS];
    let string = fields.concat().repeat(BATCH);
    let lengths = fields.map(|field| field.len() as f64);
    let record = [1.0, 7.0, lengths[0], lengths[1], lengths[2], 60_000.0];
    let records = record.repeat(BATCH);
    let mut frames = Vec::with_capacity(3 * BATCH);
    Box::new(move || {
        counted(|| {
            let text = FakeString::lend(&env, &string);
            let batch = BatchReader::new(&env, &records, BATCH as u32, &text, None);
            let mut batch = batch.expect("a batch");
            while let Some(record) = batch.next() {
                let [service, data, opts, _] = record.fields;
                frames.push(batch.text(service).expect("a name"));
                frames.push(batch.body(&record, data).expect("a body").bytes);
                frames.push(batch.text(opts).expect("options"));
            }
        });
        assert_eq!(frames.len(), 3 * BATCH);
        frames.clear();
    })
}

fn env() -> Env {
    // SAFETY: there is no other thread yet. The names are looked up in this program, which is not
    // unloaded.
    std::mem::forget(unsafe { sys::setup() });
    Env::from_raw(ptr::null_mut())
}

/// A stand-in for a JavaScript string: ASCII of this length.
struct FakeString {
    bytes: *const u8,
    len: usize,
}

static mut STRING: FakeString = FakeString {
    bytes: ptr::null(),
    len: 0,
};

impl FakeString {
    fn lend<'a>(env: &'a Env, ascii: &'a [u8]) -> JsString<'a> {
        // SAFETY: there is one thread, and one string at a time.
        unsafe {
            STRING = FakeString {
                bytes: ascii.as_ptr(),
                len: ascii.len(),
            };
            let value = (&raw mut STRING).cast();
            JsString::from_napi_value(env.raw(), value).expect("a string")
        }
    }
}

/// A stand-in for Node-API's function.
///
/// # Safety
/// Those of Node-API's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn napi_create_string_latin1(
    _env: sys::napi_env,
    bytes: *const c_char,
    len: isize,
    result: *mut sys::napi_value,
) -> sys::napi_status {
    // SAFETY: there is one thread; `result` belongs to the caller.
    unsafe {
        STRING = FakeString {
            bytes: bytes.cast(),
            len: len as usize,
        };
        *result = (&raw mut STRING).cast();
    }
    sys::Status::napi_ok
}

/// A stand-in for Node-API's function.
///
/// # Safety
/// Those of Node-API's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn napi_get_value_string_utf16(
    _env: sys::napi_env,
    value: sys::napi_value,
    _into: *mut u16,
    _size: usize,
    result: *mut usize,
) -> sys::napi_status {
    // SAFETY: every value is made by the function above; `result` belongs to the caller.
    unsafe { *result = (*value.cast::<FakeString>()).len };
    sys::Status::napi_ok
}

/// A stand-in for Node-API's function.
///
/// # Safety
/// Those of Node-API's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn napi_get_value_string_utf8(
    _env: sys::napi_env,
    value: sys::napi_value,
    into: *mut c_char,
    size: usize,
    result: *mut usize,
) -> sys::napi_status {
    // SAFETY: every value is made by the function above, whose bytes are still lent; the rest
    // belongs to the caller.
    unsafe {
        let string = &*value.cast::<FakeString>();
        let len = string.len.min(size - 1);
        ptr::copy_nonoverlapping(string.bytes, into.cast(), len);
        *into.add(len) = 0;
        *result = len;
    }
    sys::Status::napi_ok
}
