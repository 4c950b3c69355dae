//! Waiting for a libzmq socket without blocking the reactor.
//!
//! libzmq gives out a descriptor that becomes readable when the socket has news. On Unix tokio
//! watches it. Elsewhere tokio can't watch a foreign descriptor, so a thread does, one for all.

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
            // SAFETY: the socket keeps its descriptor open until after it has dropped this watch.
            unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
                .map(|fd| Readiness { fd })
                .map_err(|error| Error::from_os(&error.into(), "cannot watch a socket"))
        }

        /// Clears the readiness before the caller looks at the socket: news that comes in while it
        /// looks is an edge of its own.
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
