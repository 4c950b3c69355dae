//! Where a socket is bound or connected.

use super::Socket;
use crate::io::Error;
use crate::io::monitor::{Event, Monitor};
use std::ffi::{CStr, CString, c_int};
use std::time::Duration;
use tokio::time::timeout;
use zmq_sys::errno;

/// How long closing a listener may take. It is done by a thread that has nothing else to do.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

impl Socket {
    pub(in crate::io) fn bind(&self, endpoint: &str) -> Result<(), Error> {
        let doing = || format!("cannot bind {endpoint}");
        check_port(endpoint, &doing())?;
        refuse_served_path(endpoint)?;
        self.allow_ipv6(endpoint)?;
        let address =
            CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL, &doing()))?;
        // SAFETY: the socket is open, the string ends in NUL.
        match unsafe { zmq_sys::zmq_bind(self.raw, address.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Error::last(&doing())),
        }
    }

    pub(in crate::io) fn connect(&self, endpoint: &str) -> Result<(), Error> {
        let doing = || format!("cannot connect to {endpoint}");
        check_port(endpoint, &doing())?;
        self.allow_ipv6(endpoint)?;
        let address =
            CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL, &doing()))?;
        if let Some(context) = &self.context
            && endpoint.starts_with("inproc:")
        {
            context.will_connect(&address)?;
        }
        self.attach(endpoint)
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

    /// Closes what was bound and waits until the addresses are free: libzmq does it in a thread of
    /// its own, and whoever stops a broker may bind its address again at once.
    pub(in crate::io) async fn close_listeners(&self, bound: &[String]) -> Result<(), Error> {
        let closed = Monitor::new(self, Event::ListenerClosed)?;
        let result = self.unbind_all(bound, &closed).await;
        closed.end(self);
        result
    }

    async fn unbind_all(&self, bound: &[String], closed: &Monitor) -> Result<(), Error> {
        for endpoint in bound {
            let address = CString::new(endpoint.as_str()).unwrap_or_default();
            // SAFETY: the socket is open, the string ends in NUL.
            let rc = unsafe { zmq_sys::zmq_unbind(self.raw, address.as_ptr()) };
            // Over inproc it is done with the call, and nothing is reported.
            if rc == 0 && !endpoint.starts_with("inproc:") {
                let closed = async {
                    while !closed.take() {
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
    pub(in crate::io) fn last_endpoint(&self) -> Result<String, Error> {
        let mut text = [0u8; 1024];
        self.get(zmq_sys::ZMQ_LAST_ENDPOINT as c_int, &mut text)?;
        let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
        Ok(text.to_string_lossy().into_owned())
    }

    /// An address in brackets is IPv6, which libzmq refuses unless told; with it allowed a plain
    /// name would resolve to IPv6 first, so it is left alone otherwise.
    fn allow_ipv6(&self, endpoint: &str) -> Result<(), Error> {
        if endpoint.starts_with("tcp://[") {
            self.set(zmq_sys::ZMQ_IPV6 as c_int, 1)?;
        }
        Ok(())
    }
}

/// libzmq would cut a port to 16 bits, and bind or connect somewhere else.
fn check_port(endpoint: &str, doing: &str) -> Result<(), Error> {
    let port = endpoint
        .strip_prefix("tcp://")
        .and_then(|address| address.rsplit_once(':'))
        .map(|(_, port)| port);
    match port {
        Some(port) if port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_err() => {
            Err(Error::from_errno(errno::EINVAL, doing))
        }
        _ => Ok(()),
    }
}

/// libzmq removes the file of an ipc endpoint before it binds, and so would take the endpoint from
/// a broker that lives. One that accepts a connection does.
#[cfg(unix)]
fn refuse_served_path(endpoint: &str) -> Result<(), Error> {
    let served = endpoint
        .strip_prefix("ipc://")
        .filter(|path| !path.starts_with(['@', '*']))
        .is_some_and(|path| std::os::unix::net::UnixStream::connect(path).is_ok());
    if served {
        let doing = format!("cannot bind {endpoint}");
        return Err(Error::from_errno(errno::EADDRINUSE, &doing));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_served_path(_endpoint: &str) -> Result<(), Error> {
    Ok(())
}
