//! Where a socket is bound or connected.

use super::{Socket, file};
use crate::io::monitor::{Monitor, Watch};
use crate::io::{Address, Error};
use std::ffi::{CStr, CString, c_int};
use std::time::Duration;
use tokio::time::timeout;
use zmq_sys::errno;

/// How long closing a listener may take. It is done by a thread that has nothing else to do.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// A bound endpoint.
#[derive(Debug)]
pub(in crate::io) struct Bound {
    /// As libzmq calls it, with the port that a `*` became.
    address: Address,
    /// Its file, which is to be removed with it.
    #[cfg(unix)]
    file: Option<file::Identity>,
}

impl Bound {
    pub(in crate::io) fn text(&self) -> &str {
        self.address.text()
    }
}

impl Socket {
    /// Binds; `mode` is what a file is to let whom do.
    pub(in crate::io) fn bind(&self, address: &Address, mode: Option<u32>) -> Result<Bound, Error> {
        let doing = format!("cannot bind {}", address.text());
        address.check(&doing)?;
        file::make_way(address, &doing)?;
        if let Some(port) = address.everywhere() {
            self.bind_everywhere(port, &doing)?;
        } else {
            self.allow_ipv6(address)?;
            self.bind_text(address.text(), &doing)?;
        }
        let address = Address::new(&self.last_endpoint()?);
        #[cfg(not(unix))]
        let _ = mode;
        Ok(Bound {
            #[cfg(unix)]
            file: file::Identity::of(&address, mode, &doing)?,
            address,
        })
    }

    /// On the addresses of both families by one socket, where the system has both.
    fn bind_everywhere(&self, port: &str, doing: &str) -> Result<(), Error> {
        if has_ipv6() && self.set(zmq_sys::ZMQ_IPV6 as c_int, 1).is_ok() {
            return self.bind_text(&format!("tcp://[::]:{port}"), doing);
        }
        self.bind_text(&format!("tcp://*:{port}"), doing)
    }

    fn bind_text(&self, text: &str, doing: &str) -> Result<(), Error> {
        let address = CString::new(text).map_err(|_| Error::from_errno(errno::EINVAL, doing))?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_bind(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(doing)),
        }
    }

    /// Connects to an address that is no name.
    pub(in crate::io) fn connect(&self, address: &Address) -> Result<(), Error> {
        let text = address.text();
        let doing = format!("cannot connect to {text}");
        address.check(&doing)?;
        self.allow_ipv6(address)?;
        if let Some(context) = &self.context
            && address.is_inproc()
        {
            let text = CString::new(text).map_err(|_| Error::from_errno(errno::EINVAL, &doing))?;
            context.will_connect(&text)?;
        }
        self.attach(text)
    }

    /// Connects to an address of which it is known that it is bound, or no inproc one.
    pub(in crate::io) fn attach(&self, endpoint: &str) -> Result<(), Error> {
        let doing = || format!("cannot connect to {endpoint}");
        let address =
            CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL, &doing()))?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_connect(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(&doing())),
        }
    }

    /// Gives up connecting to an address. One that was not connected to needs nothing.
    pub(in crate::io) fn detach(&self, address: &Address) {
        let address = CString::new(address.text()).unwrap_or_default();
        // SAFETY: the socket is open, the string ends in NUL.
        unsafe { zmq_sys::zmq_disconnect(self.raw, address.as_ptr()) };
    }

    /// Closes what was bound and waits until the addresses are free: libzmq does it in a thread of
    /// its own, and whoever stops a broker may bind its address again at once.
    pub(in crate::io) async fn close_listeners(&self, bound: Vec<Bound>) -> Result<(), Error> {
        let closed = Monitor::new(self, Watch::ListenerClosed)?;
        let result = self.unbind_all(&bound, &closed).await;
        closed.end(self);
        // Only now: as long as somebody listens its file leads there.
        #[cfg(unix)]
        bound.iter().for_each(|bound| {
            if let Some(file) = &bound.file {
                file.remove();
            }
        });
        result
    }

    async fn unbind_all(&self, bound: &[Bound], closed: &Monitor) -> Result<(), Error> {
        for Bound { address, .. } in bound {
            let text = CString::new(address.text()).unwrap_or_default();
            // SAFETY: the socket is open, the string ends in NUL.
            let rc = unsafe { zmq_sys::zmq_unbind(self.raw, text.as_ptr()) };
            // Over inproc it is done with the call, and nothing is reported.
            if rc == 0 && !address.is_inproc() {
                let closed = async {
                    while closed.next().is_none() {
                        closed.ready().await?;
                    }
                    Ok(())
                };
                match timeout(CLOSE_PATIENCE, closed).await {
                    Ok(result) => result?,
                    // An address that stays taken is found out by whoever binds it next.
                    Err(_) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Where the last bind really is: with the port that a `*` became.
    fn last_endpoint(&self) -> Result<String, Error> {
        let mut text = [0u8; 1024];
        self.get(zmq_sys::ZMQ_LAST_ENDPOINT as c_int, &mut text)?;
        let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
        Ok(text.to_string_lossy().into_owned())
    }

    /// libzmq refuses IPv6 unless told; with it allowed a socket takes IPv4, too.
    fn allow_ipv6(&self, address: &Address) -> Result<(), Error> {
        self.set(zmq_sys::ZMQ_IPV6 as c_int, address.is_ipv6().into())
    }
}

/// Whether this host can listen on IPv6.
fn has_ipv6() -> bool {
    std::net::UdpSocket::bind("[::]:0").is_ok()
}
