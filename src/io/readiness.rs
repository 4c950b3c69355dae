//! Waits for a libzmq socket without blocking the reactor.
//!
//! libzmq's descriptor becomes readable when the socket has news. On Unix tokio watches it.
//! Elsewhere tokio cannot watch a foreign descriptor, so one thread watches those of all sockets.

#[cfg(any(not(unix), test))]
mod system;
#[cfg(any(not(unix), test))]
mod thread;

#[cfg(not(unix))]
pub(super) use thread::Readiness;

#[cfg(unix)]
pub(super) use watched::Readiness;

#[cfg(unix)]
mod watched {
    use crate::io::Error;
    use crate::io::descriptor::Descriptor;
    use std::os::fd::{AsRawFd, RawFd};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    pub(in crate::io) struct Readiness {
        fd: AsyncFd<Watched>,
    }

    enum Watched {
        /// The descriptor of a libzmq socket.
        Foreign(RawFd),
        Own(Descriptor),
    }

    impl AsRawFd for Watched {
        fn as_raw_fd(&self) -> RawFd {
            match self {
                Watched::Foreign(fd) => *fd,
                Watched::Own(descriptor) => descriptor.as_raw_fd(),
            }
        }
    }

    impl Readiness {
        pub(in crate::io) fn new(fd: RawFd) -> Result<Self, Error> {
            // The socket keeps its descriptor open until it has dropped this registration.
            Self::watch(Watched::Foreign(fd), Interest::READABLE)
        }

        /// Watches a connection, in both directions.
        pub(in crate::io) fn of(descriptor: Descriptor) -> Result<Self, Error> {
            let both = Interest::READABLE | Interest::WRITABLE;
            Self::watch(Watched::Own(descriptor), both)
        }

        fn watch(watched: Watched, interest: Interest) -> Result<Self, Error> {
            // SAFETY: the descriptor stays open while it is registered: ours because it is part of
            // the registration, a foreign one as `new` says.
            unsafe { AsyncFd::register_with_interest(watched, interest) }
                .map(|fd| Readiness { fd })
                .map_err(|error| Error::from_os(&error.into(), "cannot watch a socket"))
        }

        /// The connection, if it is not libzmq's.
        pub(in crate::io) fn descriptor(&self) -> Option<&Descriptor> {
            match self.fd.get_ref() {
                Watched::Own(descriptor) => Some(descriptor),
                Watched::Foreign(_) => None,
            }
        }

        /// As [`wait`](Self::wait), for room to write.
        pub(in crate::io) async fn room(&self) -> Result<(), Error> {
            match self.fd.writable().await {
                Ok(mut guard) => {
                    guard.clear_ready();
                    Ok(())
                }
                Err(error) => Err(Error::from_os(&error, "cannot watch a socket")),
            }
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
