//! The functions of `counting.cpp` and `closing.cpp`, which are not libzmq's. They exist on Unix; elsewhere nothing is
//! counted, and nothing ends.

use std::ffi::{c_int, c_void};

macro_rules! functions {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        #[cfg(unix)]
        unsafe extern "C" {
            $($(#[$doc])* pub fn $name($($argument: $type),*) $(-> $result)?;)*
        }

        $(
            $(#[$doc])*
            #[cfg(not(unix))]
            #[allow(clippy::missing_safety_doc)]
            pub unsafe fn $name($(_: $type),*) $(-> $result)? {
                Default::default()
            }
        )*
    };
}

functions! {
    /// 1 if a closed socket of the context still has descriptors, otherwise 0.
    fn zmq_sys_is_closing(context: *mut c_void) -> c_int;
    /// The number of bytes that the latest connection with this descriptor has sent, and a cost for each part of a
    /// message.
    fn zmq_sys_received(descriptor: i64) -> u64;
    /// The number of bytes that the system has taken for the latest connection with this descriptor.
    fn zmq_sys_sent(descriptor: i64) -> u64;
    /// The number of connections with this descriptor that were reset, or given up by the system, which only grows. One
    /// may count twice.
    fn zmq_sys_resets(descriptor: i64) -> u32;
    /// Received bytes of the incomplete message; at sockets other than ROUTER also those of the handshake.
    fn zmq_sys_unfinished(descriptor: i64) -> u64;
    /// Why a ROUTER's connection with this descriptor was ended by this crate since the last call: 0 if it was not, 1
    /// because a message had too many frames, 2 because it had sent too much before the end of its handshake.
    fn zmq_sys_was_cut(descriptor: i64) -> c_int;
    /// The number of the latest connection among those with this descriptor, from 1 on.
    fn zmq_sys_serial(descriptor: i64) -> u32;
    /// Ends the connection with this descriptor and this number when it is read again.
    fn zmq_sys_end(descriptor: i64, serial: u32);
    /// Adds to the size of incomplete messages at all ROUTERs together up to which all connections are read.
    fn zmq_sys_add_room(bytes: i64);
    /// 1 if the incomplete messages have this size, otherwise 0. Then only small ones and those that
    /// [`zmq_sys_allow`] names are read.
    fn zmq_sys_is_full() -> c_int;
    /// Allows the connection with this descriptor an incomplete message of this size.
    fn zmq_sys_allow(descriptor: i64, bytes: u64);
    /// 1 if bytes of this connection wait because it is not allowed more, otherwise 0.
    fn zmq_sys_waits(descriptor: i64) -> c_int;
}
