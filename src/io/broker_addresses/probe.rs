//! A plain attempt to connect, for the reason of a failure: libzmq reports that an attempt failed, and not why.

use crate::io::Error;
use crate::io::address::{Address, Kind};
use crate::io::reactor_task::ReactorTask;
#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket as Socket2, Type};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, Receiver};
use tokio::time::timeout;

/// Maximum duration of a probe of why attempts fail.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Probe {
    inbox: Receiver<Option<Error>>,
    /// Ends with the probe.
    _task: ReactorTask,
}

impl Probe {
    /// Notifies `answered` when there is a result.
    pub(super) fn start(address: Address, answered: Arc<Notify>) -> Self {
        let (answer, inbox) = oneshot::channel();
        let task = ReactorTask::spawn(async move {
            let _ = answer.send(why(&address).await);
            answered.notify_one();
        });
        Probe { inbox, _task: task }
    }

    /// The result, once: the error of the attempt, or `None` if it succeeded.
    pub(super) fn result(&mut self) -> Option<Option<Error>> {
        self.inbox.try_recv().ok()
    }
}

/// The error of a plain connection attempt; `None` if it succeeds.
async fn why(address: &Address) -> Option<Error> {
    let doing = format!("cannot connect to {}", address.text());
    #[cfg(unix)]
    if let Some(place) = socket_file(address) {
        let tried = place.and_then(|place| {
            let socket = Socket2::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.connect(&place)
        });
        return tried.err().map(|error| Error::from_os(&error, &doing));
    }
    let number = match address.number()? {
        Ok(number) => number,
        // The scope names no interface.
        Err(error) => return Some(Error::not_found(&error, &doing)),
    };
    let tried = timeout(PROBE_TIMEOUT, TcpStream::connect(number)).await;
    let tried = tried.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    tried.err().map(|error| Error::from_os(&error, &doing))
}

/// Where a socket of an ipc endpoint is.
#[cfg(unix)]
fn socket_file(address: &Address) -> Option<std::io::Result<SockAddr>> {
    if let Some(path) = address.path() {
        return Some(SockAddr::unix(path));
    }
    #[cfg(target_os = "linux")]
    if let Kind::Abstract(name) = address.kind() {
        let path = ["\0", name].concat();
        return Some(SockAddr::unix(path));
    }
    None
}
