//! Waits for a libzmq socket without blocking the reactor.
//!
//! libzmq's descriptor becomes readable when the socket has news. On Unix tokio watches it.
//! Elsewhere tokio cannot watch a foreign descriptor, so one thread watches those of all sockets.

#[cfg(any(not(unix), test))]
mod thread;

#[cfg(not(unix))]
pub(super) use thread::Readiness;

#[cfg(unix)]
pub(super) use watched::Readiness;

#[cfg(unix)]
mod watched {
    use crate::io::Error;
    use std::os::fd::RawFd;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    pub(in crate::io) struct Readiness {
        fd: AsyncFd<RawFd>,
    }

    impl Readiness {
        pub(in crate::io) fn new(fd: RawFd) -> Result<Self, Error> {
            // SAFETY: the socket keeps its descriptor open until it has dropped this registration.
            unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
                .map(|fd| Readiness { fd })
                .map_err(|error| Error::from_os(&error.into(), "cannot watch a socket"))
        }

        /// Clears the readiness before the caller looks at the socket, so that news that arrive
        /// during the look are a new edge.
        pub(in crate::io) async fn wait(&self) -> Result<(), Error> {
            match self.fd.readable().await {
                Ok(mut guard) => {
                    guard.clear_ready();
                    Ok(())
                }
                Err(error) => Err(Error::from_os(&error, "cannot watch a socket")),
            }
        }
    }
}
