//! Authentication of the other end, and the limit of its handshake.

use super::Socket;
use crate::io::Error;
use crate::io::security::{ClientSecurity, Key, ServerSecurity};
use crate::io::tcp::DEAD_S;
use std::ffi::c_int;

impl Socket {
    /// Admits only peers that the authenticator admits under this domain.
    pub(in crate::io) fn secure_server(
        &self,
        security: &ServerSecurity,
        domain: &str,
    ) -> Result<(), Error> {
        // Without a handler libzmq admits no peer instead of every peer.
        self.set_bytes(zmq_sys::ZMQ_ZAP_DOMAIN as c_int, domain.as_bytes())?;
        self.set(zmq_sys::ZMQ_ZAP_ENFORCE_DOMAIN as c_int, 1)?;
        // A name belongs to its holder until the connection has ended, because libzmq's handover
        // does not authenticate. A dead connection must therefore not keep it for long.
        self.set(zmq_sys::ZMQ_ROUTER_HANDOVER as c_int, 0)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, DEAD_S)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, DEAD_S)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, 1)?;
        self.limit_unacknowledged(DEAD_S * 1000)?;
        match security {
            ServerSecurity::Curve { secret } => {
                self.set(zmq_sys::ZMQ_CURVE_SERVER as c_int, 1)?;
                self.set_key(zmq_sys::ZMQ_CURVE_SECRETKEY, secret)
            }
            ServerSecurity::Plain => self.set(zmq_sys::ZMQ_PLAIN_SERVER as c_int, 1),
        }
    }

    /// Sets the credentials of this socket.
    pub(in crate::io) fn secure_client(&self, security: &ClientSecurity) -> Result<(), Error> {
        match security {
            ClientSecurity::Null => Ok(()),
            ClientSecurity::Curve {
                server,
                public,
                secret,
            } => {
                self.set_key(zmq_sys::ZMQ_CURVE_SERVERKEY, server)?;
                self.set_key(zmq_sys::ZMQ_CURVE_PUBLICKEY, public)?;
                self.set_key(zmq_sys::ZMQ_CURVE_SECRETKEY, secret)
            }
            ClientSecurity::Plain { username, password } => {
                self.set_bytes(zmq_sys::ZMQ_PLAIN_USERNAME as c_int, username.as_bytes())?;
                self.set_bytes(zmq_sys::ZMQ_PLAIN_PASSWORD as c_int, password.as_bytes())
            }
        }
    }

    /// Sets the maximum duration of a handshake.
    pub(in crate::io) fn limit_handshakes(&self, ms: c_int) -> Result<(), Error> {
        self.set(zmq_sys::ZMQ_HANDSHAKE_IVL as c_int, ms)
    }

    fn set_key(&self, option: u32, key: &Key) -> Result<(), Error> {
        self.set_bytes(option as c_int, &key.0)
    }
}
