//! The functions and structures of libzmq.
//!
//! Functions that return `c_int` return -1 on failure, and functions that return a pointer return
//! null; [`zmq_errno`] then gives the reason.

use std::ffi::{c_char, c_int, c_long, c_short, c_void};

use crate::RawFd;

/// One frame. Opaque; initialised by one of the `zmq_msg_init` functions and released by
/// [`zmq_msg_close`].
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(target_pointer_width = "64", repr(align(8)))]
#[cfg_attr(target_pointer_width = "32", repr(align(4)))]
pub struct zmq_msg_t {
    opaque: [u8; 64],
}

impl Default for zmq_msg_t {
    /// Uninitialised memory for a frame; one of the `zmq_msg_init` functions must be called before
    /// any other use.
    fn default() -> Self {
        Self { opaque: [0; 64] }
    }
}

/// The function that releases the data of [`zmq_msg_init_data`]. libzmq may call it on another
/// thread.
pub type zmq_free_fn = Option<unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void)>;

/// An item of [`zmq_poll`]: `socket`, or `fd` if `socket` is null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zmq_pollitem_t {
    /// The 0MQ socket, or null.
    pub socket: *mut c_void,
    /// The descriptor of the operating system.
    pub fd: RawFd,
    /// The events to wait for.
    pub events: c_short,
    /// The events that have occurred.
    pub revents: c_short,
}

unsafe extern "C" {
    /// The error of this thread's last failed call.
    pub fn zmq_errno() -> c_int;
    /// A static description of an error number.
    pub fn zmq_strerror(errnum: c_int) -> *const c_char;
    /// The version of libzmq.
    pub fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    /// 1 if libzmq was built with the capability, otherwise 0.
    pub fn zmq_has(capability: *const c_char) -> c_int;

    /// Makes a context.
    pub fn zmq_ctx_new() -> *mut c_void;
    /// Terminates a context; blocks until all its sockets are closed and their lingering messages
    /// are sent.
    pub fn zmq_ctx_term(context: *mut c_void) -> c_int;
    /// Makes all blocking calls on the context's sockets fail with ETERM.
    pub fn zmq_ctx_shutdown(context: *mut c_void) -> c_int;
    /// Sets an option of a context.
    pub fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int;
    /// Gets an option of a context.
    pub fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int;

    /// Makes an empty frame.
    pub fn zmq_msg_init(msg: *mut zmq_msg_t) -> c_int;
    /// Makes a frame of this size with uninitialised bytes.
    pub fn zmq_msg_init_size(msg: *mut zmq_msg_t, size: usize) -> c_int;
    /// Makes a frame that takes ownership of bytes without a copy, and releases them by `free`.
    pub fn zmq_msg_init_data(
        msg: *mut zmq_msg_t,
        data: *mut c_void,
        size: usize,
        free: zmq_free_fn,
        hint: *mut c_void,
    ) -> c_int;
    /// Makes a frame with a copy of the bytes (draft).
    pub fn zmq_msg_init_buffer(msg: *mut zmq_msg_t, data: *const c_void, size: usize) -> c_int;
    /// Sends a frame. On success it is empty afterwards, and has to be closed or reused.
    pub fn zmq_msg_send(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    /// Receives a frame into `msg`, whose former content is released.
    pub fn zmq_msg_recv(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    /// Releases a frame.
    pub fn zmq_msg_close(msg: *mut zmq_msg_t) -> c_int;
    /// Moves a frame; `source` is empty afterwards.
    pub fn zmq_msg_move(target: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int;
    /// Copies a frame; large ones share their bytes.
    pub fn zmq_msg_copy(target: *mut zmq_msg_t, source: *mut zmq_msg_t) -> c_int;
    /// The address of a frame's bytes.
    pub fn zmq_msg_data(msg: *mut zmq_msg_t) -> *mut c_void;
    /// The number of bytes of a frame.
    pub fn zmq_msg_size(msg: *const zmq_msg_t) -> usize;
    /// 1 if more frames of the message follow, otherwise 0.
    pub fn zmq_msg_more(msg: *const zmq_msg_t) -> c_int;
    /// Gets a property of a frame.
    pub fn zmq_msg_get(msg: *const zmq_msg_t, property: c_int) -> c_int;
    /// Sets a property of a frame.
    pub fn zmq_msg_set(msg: *mut zmq_msg_t, property: c_int, value: c_int) -> c_int;
    /// Gets a metadata property of a received frame, such as `User-Id`; null if there is none.
    pub fn zmq_msg_gets(msg: *const zmq_msg_t, property: *const c_char) -> *const c_char;

    /// Makes a socket of this type.
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
    /// Gets an option of a socket. `len` is the size of the buffer, then that of the value.
    pub fn zmq_getsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *mut c_void,
        len: *mut usize,
    ) -> c_int;
    /// Binds a socket to an endpoint.
    pub fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Unbinds a socket from an endpoint.
    pub fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Connects a socket to an endpoint.
    pub fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Disconnects a socket from an endpoint.
    pub fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    /// Sends a copy of bytes as one frame.
    pub fn zmq_send(socket: *mut c_void, data: *const c_void, len: usize, flags: c_int) -> c_int;
    /// Sends constant bytes, which must live for ever, as one frame without a copy.
    pub fn zmq_send_const(
        socket: *mut c_void,
        data: *const c_void,
        len: usize,
        flags: c_int,
    ) -> c_int;
    /// Receives one frame, truncated to `len`; returns its full length.
    pub fn zmq_recv(socket: *mut c_void, data: *mut c_void, len: usize, flags: c_int) -> c_int;
    /// Publishes the events of a socket on an inproc PAIR endpoint.
    pub fn zmq_socket_monitor(socket: *mut c_void, endpoint: *const c_char, events: c_int)
    -> c_int;

    /// As [`zmq_socket_monitor`], with 64 bits of events, version 1 or 2 of the frames, and a
    /// socket of type `kind`.
    pub fn zmq_socket_monitor_versioned(
        socket: *mut c_void,
        endpoint: *const c_char,
        events: u64,
        version: c_int,
        kind: c_int,
    ) -> c_int;

    /// Waits for events; `timeout` is in ms, -1 means no limit.
    pub fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int;
    /// Forwards messages between two sockets until the context ends.
    pub fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int;
    /// As [`zmq_proxy`], with a socket to pause, resume and end it.
    pub fn zmq_proxy_steerable(
        frontend: *mut c_void,
        backend: *mut c_void,
        capture: *mut c_void,
        control: *mut c_void,
    ) -> c_int;

    /// Encodes bytes (a multiple of 4) as Z85 text with a final NUL.
    pub fn zmq_z85_encode(target: *mut c_char, data: *const u8, size: usize) -> *mut c_char;
    /// Decodes Z85 text.
    pub fn zmq_z85_decode(target: *mut u8, text: *const c_char) -> *mut u8;
    /// Makes a CURVE key pair: two Z85 texts of 40 characters and a NUL.
    pub fn zmq_curve_keypair(public_key: *mut c_char, secret_key: *mut c_char) -> c_int;
    /// Derives the public key of a secret key, both as Z85 text.
    pub fn zmq_curve_public(public_key: *mut c_char, secret_key: *const c_char) -> c_int;
}
