//! The ZAP handler (RFC 27): decides on its own thread which peers are admitted.
//!
//! The context has at most one handler, bound before the first socket that needs it. It ends with the last broker that
//! needs it. The ZAP domain identifies the broker, whose
//! [`Authenticator`] decides. Decisions by rules are immediate, whatever JavaScript does. Requests
//! that need a hash or a callback wait separately, and delay no others.

mod authenticator;
mod driver;
mod frames;
mod handle;
mod password;
mod registry;
mod request;

pub use authenticator::{Authenticator, RuleSet};
pub(super) use frames::PRINCIPAL;
pub use password::Password;
pub(super) use registry::Registration;
pub use request::{AuthNotice, PeerCredentials, Verdict, ZapRequest};

use super::context::Context;
use super::reactor::{self, Reactor};
use super::socket::Socket;
use super::{Address, Error, clock};
use driver::Driver;
use handle::Handler;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;
use tokio::time::sleep;

const ADDRESS: &str = "inproc://zeromq.zap.01";

/// How long a handler waits for the address, and the interval at which it tries.
const PATIENCE: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(1);

/// Starts the handler of a context.
async fn start(context: Arc<Context>) -> Result<Handler, Error> {
    let (answers, inbox) = unbounded_channel();
    let own = answers.clone();
    let (bound, is_bound) = oneshot::channel();
    let (end, ending) = oneshot::channel();
    let share = context.clone();
    let reactor = Reactor::spawn("omdp-zap")?;
    reactor.drive(move || async move {
        let socket = Socket::zap_handler(&share);
        drop(share);
        let socket = match socket {
            Ok(socket) => bind(&socket).await.map(|()| socket),
            Err(error) => Err(error),
        };
        match socket {
            Ok(socket) => {
                let _ = bound.send(Ok(()));
                let mut driver = Driver::new(socket, inbox, own);
                // The context does not wait for this thread.
                let lingering = driver.run(ending).await;
                drop(driver);
                reactor::afterwards(move || drop(lingering));
            }
            Err(error) => {
                let _ = bound.send(Err(error));
            }
        }
    });
    match is_bound.await {
        Ok(result) => result?,
        Err(_) => {
            return Err(Error::from_errno(
                zmq_sys::errno::ETERM,
                "cannot authenticate",
            ));
        }
    }
    Ok(Handler::new(context, answers, end))
}

/// Binds the socket of the handler. The one before may be about to free the address.
async fn bind(socket: &Socket) -> Result<(), Error> {
    let until = clock::now() + PATIENCE;
    loop {
        match socket.bind(&Address::new(ADDRESS), None) {
            Err(error) if error.code == "EADDRINUSE" && clock::now() < until => {
                sleep(AGAIN).await;
            }
            bound => return bound.map(drop),
        }
    }
}
