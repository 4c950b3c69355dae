//! Binding and connecting a socket.

use super::Socket;
use crate::io::address::{Host, Kind};
use crate::io::ipc_file;
use crate::io::tcp::has_ipv6;
use crate::io::{Address, Error};
use std::ffi::{CStr, CString, c_int};
use zmq_sys::errno;

/// A bound endpoint.
#[derive(Debug)]
pub(in crate::io) struct Bound {
    /// The address from libzmq, with the port in place of `*`.
    address: Address,
    /// The file of an ipc endpoint, which is removed with it.
    #[cfg(unix)]
    file: Option<ipc_file::Identity>,
}

impl Bound {
    pub(in crate::io) fn text(&self) -> &str {
        self.address.text()
    }

    /// Removes the file of an ipc endpoint. It leads to the listener as long as that exists.
    #[cfg(unix)]
    pub(in crate::io) fn remove_file(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

impl Socket {
    /// Binds; `mode` is the file mode of an ipc endpoint.
    pub(in crate::io) fn bind(&self, address: &Address, mode: Option<u32>) -> Result<Bound, Error> {
        let doing = format!("cannot bind {}", address.text());
        address.check(&doing)?;
        ipc_file::check_path_is_free(address, &doing)?;
        match (address.kind(), &self.context) {
            (
                Kind::Tcp {
                    host: Host::Everywhere,
                    port,
                },
                _,
            ) => self.bind_everywhere(port, &doing)?,
            (Kind::Inproc(_), Some(context)) => {
                let name = c_string(address.text(), &doing)?;
                context.bind_inproc(&name, || self.bind_text(address.text(), &doing))?;
            }
            _ => {
                self.allow_ipv6(address)?;
                self.bind_text(address.text(), &doing)?;
            }
        }
        let address = Address::new(&self.last_endpoint()?);
        #[cfg(not(unix))]
        let _ = mode;
        Ok(Bound {
            #[cfg(unix)]
            file: ipc_file::Identity::of(&address, mode, &doing)?,
            address,
        })
    }

    /// Binds one socket to the addresses of both families, where the system has both.
    fn bind_everywhere(&self, port: &str, doing: &str) -> Result<(), Error> {
        if has_ipv6() && self.set(zmq_sys::ZMQ_IPV6 as c_int, 1).is_ok() {
            return self.bind_text(&format!("tcp://[::]:{port}"), doing);
        }
        self.bind_text(&format!("tcp://*:{port}"), doing)
    }

    fn bind_text(&self, text: &str, doing: &str) -> Result<(), Error> {
        let address = c_string(text, doing)?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_bind(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(doing)),
        }
    }

    /// Connects to an address without a name to look up. Returns false for an inproc address that is not bound yet.
    pub(in crate::io) fn connect(&self, address: &Address) -> Result<bool, Error> {
        let text = address.text();
        let doing = format!("cannot connect to {text}");
        address.check(&doing)?;
        self.allow_ipv6(address)?;
        match &self.context {
            Some(context) if address.is_inproc() => {
                context.connect_inproc(&c_string(text, &doing)?, || self.attach(text))
            }
            _ => self.attach(text).map(|()| true),
        }
    }

    /// Connects to an address that is bound, if it is an inproc address.
    pub(in crate::io) fn attach(&self, endpoint: &str) -> Result<(), Error> {
        let doing = format!("cannot connect to {endpoint}");
        let address = c_string(endpoint, &doing)?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_connect(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(&doing)),
        }
    }

    /// Stops connecting to an address. Has no effect on one that was not connected.
    pub(in crate::io) fn detach(&self, address: &Address) {
        let address = CString::new(address.text()).unwrap_or_default();
        // SAFETY: the socket is open, the string ends in NUL.
        unsafe { zmq_sys::zmq_disconnect(self.raw, address.as_ptr()) };
    }

    /// Begins to close the listener of an endpoint. Returns whether a report follows, after which the address is free;
    /// otherwise it is free at once, or was not bound.
    pub(in crate::io) fn unbind(&self, Bound { address, .. }: &Bound) -> bool {
        let text = CString::new(address.text()).unwrap_or_default();
        // SAFETY: the socket is open, the string ends in NUL.
        let unbind = || unsafe { zmq_sys::zmq_unbind(self.raw, text.as_ptr()) };
        match &self.context {
            Some(context) if address.is_inproc() => {
                context.unbind_inproc(&text, || {
                    unbind();
                });
                false
            }
            _ => unbind() == 0,
        }
    }

    /// The address of the last bind, with the port in place of `*`.
    fn last_endpoint(&self) -> Result<String, Error> {
        let mut text = [0u8; 1024];
        self.get(zmq_sys::ZMQ_LAST_ENDPOINT as c_int, &mut text)?;
        let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
        Ok(text.to_string_lossy().into_owned())
    }

    /// Allows IPv6 if the address needs it. libzmq's default is IPv4 only; with IPv6 a socket uses
    /// both.
    fn allow_ipv6(&self, address: &Address) -> Result<(), Error> {
        self.set(zmq_sys::ZMQ_IPV6 as c_int, address.is_ipv6().into())
    }
}

fn c_string(text: &str, doing: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::from_errno(errno::EINVAL, doing))
}
