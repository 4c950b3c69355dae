//! How a socket knows who is at the other end, and whether anybody still is.

use super::{DEAD_S, Socket};
use crate::io::Error;
use crate::io::security::{ClientSecurity, Key, ServerSecurity};
use std::ffi::c_int;
use std::time::Duration;

/// In how many parts of its patience a client's kernel asks whether the broker's host is there.
const PROBES: c_int = 3;

/// The longest interval of keep-alive probes that every system takes, in seconds.
const MAX_PROBE_S: u64 = 7200;

impl Socket {
    /// Lets nobody in but whom the authenticator lets in, under this domain.
    pub(in crate::io) fn secure_server(
        &self,
        security: &ServerSecurity,
        domain: &str,
    ) -> Result<(), Error> {
        // Without a handler nobody is let in, rather than everybody.
        self.set_bytes(zmq_sys::ZMQ_ZAP_DOMAIN as c_int, domain.as_bytes())?;
        self.set(zmq_sys::ZMQ_ZAP_ENFORCE_DOMAIN as c_int, 1)?;
        // An identity belongs to whoever holds it until its connection has ended: libzmq hands it
        // over without asking who wants it. A connection that is dead and does not know it must
        // not hold it for long.
        self.set(zmq_sys::ZMQ_ROUTER_HANDOVER as c_int, 0)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, DEAD_S)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, DEAD_S)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_MAXRT as c_int, DEAD_S * 1000)?;
        match security {
            ServerSecurity::Curve { secret } => {
                self.set(zmq_sys::ZMQ_CURVE_SERVER as c_int, 1)?;
                self.set_key(zmq_sys::ZMQ_CURVE_SECRETKEY, secret)
            }
            ServerSecurity::Plain => self.set(zmq_sys::ZMQ_PLAIN_SERVER as c_int, 1),
        }
    }

    /// How this socket proves who it is.
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

    /// Has the system give a tcp connection up when nothing that was sent is acknowledged for
    /// `patience`, and ask for an acknowledgement where nothing is sent. Not before it does where
    /// it decides itself: it can't know of a broker whose heart beats more slowly, and a network
    /// may be away for a moment.
    ///
    /// Linux counts the time for which the other side takes nothing, too. Windows knows the first
    /// half of this alone, others the second.
    pub(in crate::io) fn limit_silence(&self, patience: Duration) -> Result<(), Error> {
        let patience = patience.max(Duration::from_secs(DEAD_S as u64));
        let ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
        let probe = (patience.as_secs() / PROBES as u64).min(MAX_PROBE_S) as c_int;
        self.set(zmq_sys::ZMQ_TCP_MAXRT as c_int, ms)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE as c_int, 1)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE as c_int, probe)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL as c_int, probe)?;
        self.set(zmq_sys::ZMQ_TCP_KEEPALIVE_CNT as c_int, PROBES)
    }

    /// How long a handshake may take.
    pub(in crate::io) fn limit_handshakes(&self, ms: c_int) -> Result<(), Error> {
        self.set(zmq_sys::ZMQ_HANDSHAKE_IVL as c_int, ms)
    }

    fn set_key(&self, option: u32, key: &Key) -> Result<(), Error> {
        self.set_bytes(option as c_int, &key.0)
    }
}
