//! The functions and structures of libzmq.
//!
//! Functions that return `c_int` give -1 on failure, those that return a pointer give null; the reason is then in
//! [`zmq_errno`].

use std::ffi::{c_char, c_int, c_long, c_short, c_void};

use crate::RawFd;

/// One frame. Opaque; made by one of the `zmq_msg_init` functions and ended by [`zmq_msg_close`].
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(target_pointer_width = "64", repr(align(8)))]
#[cfg_attr(target_pointer_width = "32", repr(align(4)))]
pub struct zmq_msg_t {
    opaque: [u8; 64],
}

impl Default for zmq_msg_t {
    /// Room for a frame, which one of the `zmq_msg_init` functions must fill before anything else is done with it.
    fn default() -> Self {
        Self { opaque: [0; 64] }
    }
}

/// What libzmq calls, perhaps on another thread, when it is done with the data of [`zmq_msg_init_data`].
pub type zmq_free_fn = Option<unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void)>;

/// One thing to wait for in [`zmq_poll`]: `socket`, or `fd` when `socket` is null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zmq_pollitem_t {
    /// The 0MQ socket, or null.
    pub socket: *mut c_void,
    /// The descriptor of the operating system.
    pub fd: RawFd,
    /// The events to wait for.
    pub events: c_short,
    /// The events that came.
    pub revents: c_short,
}

unsafe extern "C" {
    /// The error of this thread's last failed call.
    pub fn zmq_errno() -> c_int;
    /// A static text for an error number.
    pub fn zmq_strerror(errnum: c_int) -> *const c_char;
    /// The version of libzmq.
    pub fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    /// 1 if libzmq was built with the capability, else 0.
    pub fn zmq_has(capability: *const c_char) -> c_int;

    /// Makes a context.
    pub fn zmq_ctx_new() -> *mut c_void;
    /// Ends a context; blocks until all its sockets are closed and have sent what lingers.
    pub fn zmq_ctx_term(context: *mut c_void) -> c_int;
    /// Makes every blocking call on the context's sockets fail with ETERM.
    pub fn zmq_ctx_shutdown(context: *mut c_void) -> c_int;
    /// Sets an option of a context.
    pub fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int;
    /// Gets an option of a context.
    pub fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int;

    /// Makes an empty frame.
    pub fn zmq_msg_init(msg: *mut zmq_msg_t) -> c_int;
    /// Makes a frame of a size, its bytes uninitialised.
    pub fn zmq_msg_init_size(msg: *mut zmq_msg_t, size: usize) -> c_int;
    /// Makes a frame of bytes that it takes over, uncopied, and gives back through `free`.
    pub fn zmq_msg_init_data(
        msg: *mut zmq_msg_t,
        data: *mut c_void,
        size: usize,
        free: zmq_free_fn,
        hint: *mut c_void,
    ) -> c_int;
    /// Makes a frame with a copy of bytes (draft).
    pub fn zmq_msg_init_buffer(msg: *mut zmq_msg_t, data: *const c_void, size: usize) -> c_int;
    /// Sends a frame; on success it is empty afterwards and still has to be closed or reused.
    pub fn zmq_msg_send(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    /// Receives a frame in the place of what `msg` held.
    pub fn zmq_msg_recv(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    /// Ends a frame.
    pub fn zmq_msg_close(msg: *mut zmq_msg_t) -> c_int;
    /// Moves a frame; `source` is empty afterwards.
    pub fn zmq_msg_move(target: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int;
    /// Copies a frame; large ones share their bytes.
    pub fn zmq_msg_copy(target: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int;
    /// The bytes of a frame.
    pub fn zmq_msg_data(msg: *mut zmq_msg_t) -> *mut c_void;
    /// The number of bytes of a frame.
    pub fn zmq_msg_size(msg: *const zmq_msg_t) -> usize;
    /// 1 if more frames of the same message follow, else 0.
    pub fn zmq_msg_more(msg: *const zmq_msg_t) -> c_int;
    /// Gets a property of a frame.
    pub fn zmq_msg_get(msg: *const zmq_msg_t, property: c_int) -> c_int;
    /// Sets a property of a frame.
    pub fn zmq_msg_set(msg: *mut zmq_msg_t, property: c_int, value: c_int) -> c_int;
    /// Gets a metadata property of a received frame, as `User-Id`; null if it has none.
    pub fn zmq_msg_gets(msg: *const zmq_msg_t, property: *const c_char) -> *const c_char;

    /// Makes a socket of a type.
    pub fn zmq_socket(context: *mut c_void, socket_type: c_int) -> *mut c_void;
    /// Closes a socket.
    pub fn zmq_close(socket: *mut c_void) -> c_int;
    /// Sets an option of a socket.
    pub fn zmq_setsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *const c_void,
        len: usize,
    ) -> c_int;
    /// Gets an option of a socket; `len` says the room and becomes the length.
    pub fn zmq_getsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *mut c_void,
        len: *mut usize,
    ) -> c_int;
    /// Binds a socket to an endpoint.
    pub fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Undoes a bind.
    pub fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Connects a socket to an endpoint.
    pub fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Undoes a connect.
    pub fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Sends bytes, copied, as one frame.
    pub fn zmq_send(socket: *mut c_void, data: *const c_void, len: usize, flags: c_int) -> c_int;
    /// Sends bytes that live for ever, uncopied, as one frame.
    pub fn zmq_send_const(
        socket: *mut c_void,
        data: *const c_void,
        len: usize,
        flags: c_int,
    ) -> c_int;
    /// Receives one frame, cut to `len`; returns its true length.
    pub fn zmq_recv(socket: *mut c_void, data: *mut c_void, len: usize, flags: c_int) -> c_int;
    /// Publishes a socket's events on an inproc PAIR endpoint.
    pub fn zmq_socket_monitor(socket: *mut c_void, endpoint: *const c_char, events: c_int)
    -> c_int;

    /// The same with 64 bits of events, in version 1 or 2 of their frames, on a socket of type `kind`.
    pub fn zmq_socket_monitor_versioned(
        socket: *mut c_void,
        endpoint: *const c_char,
        events: u64,
        version: c_int,
        kind: c_int,
    ) -> c_int;

    /// Waits for events; `timeout` in milliseconds, -1 for ever.
    pub fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int;
    /// Passes messages between two sockets until the context ends.
    pub fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int;
    /// The same, with a socket that pauses, resumes and ends it.
    pub fn zmq_proxy_steerable(
        frontend: *mut c_void,
        backend: *mut c_void,
        capture: *mut c_void,
        control: *mut c_void,
    ) -> c_int;

    /// Encodes bytes (a multiple of 4) as Z85 text with a closing NUL.
    pub fn zmq_z85_encode(target: *mut c_char, data: *const u8, size: usize) -> *mut c_char;
    /// Decodes Z85 text.
    pub fn zmq_z85_decode(target: *mut u8, text: *const c_char) -> *mut u8;
    /// Makes a CURVE key pair: two Z85 texts of 40 characters and a NUL.
    pub fn zmq_curve_keypair(public_key: *mut c_char, secret_key: *mut c_char) -> c_int;
    /// The public key of a secret key, both Z85 texts.
    pub fn zmq_curve_public(public_key: *mut c_char, secret_key: *const c_char) -> c_int;
}
