//! The ZAP handler (RFC 27): decides who is let in, on a thread of its own.
//!
//! There is one a context, bound before the first socket that needs it and gone with the context,
//! which it does not keep alive. The brokers of the process are told apart by their ZAP domains,
//! each of which has a [`Authenticator`]. What the authenticator's rules know is answered at once, whatever
//! JavaScript is busy with; what has to be hashed or asked for waits apart, so that it holds up
//! nobody else.

mod authenticator;
mod driver;
mod frames;
mod password;
mod registry;

pub use authenticator::{AuthNotice, Authenticator, RuleSet, Shown, Verdict, ZapRequest};
pub(super) use frames::PRINCIPAL;
pub use password::Password;
pub(super) use registry::Registration;

use super::reactor::Reactor;
use super::socket::Socket;
use super::{Address, Error};
use driver::Driver;
use std::ffi::c_void;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

const ADDRESS: &str = "inproc://zeromq.zap.01";

/// The way to a context's handler.
#[derive(Debug, Clone)]
pub(super) struct Handler {
    answers: UnboundedSender<Answer>,
}

#[derive(Debug)]
struct Answer {
    ticket: u64,
    verdict: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Hashed(bool),
    Asked(Verdict),
}

/// A context on its way to the handler's thread.
struct Raw(*mut c_void);

// SAFETY: libzmq contexts are thread-safe.
unsafe impl Send for Raw {}

impl Handler {
    /// Starts the handler of a context that lives until this is done.
    pub(super) async fn start(context: *mut c_void) -> Result<Self, Error> {
        let raw = Raw(context);
        let (answers, inbox) = unbounded_channel();
        let own = answers.clone();
        let (bound, is_bound) = oneshot::channel();
        let reactor = Reactor::spawn("omdp-zap")?;
        reactor.drive(move || {
            let raw = raw;
            async move {
                let Raw(context) = { raw };
                // SAFETY: whoever waits for `bound` holds the context; after that the socket does,
                // by being open.
                let socket = unsafe { Socket::zap_handler(context) };
                match socket
                    .and_then(|socket| socket.bind(&Address::new(ADDRESS), None).map(|_| socket))
                {
                    Ok(socket) => {
                        let _ = bound.send(Ok(()));
                        Driver::new(socket, inbox, own).run().await;
                    }
                    Err(error) => {
                        let _ = bound.send(Err(error));
                    }
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
        Ok(Handler { answers })
    }

    fn send(&self, answer: Answer) {
        // Refused once the context has ended, and with it every handshake.
        let _ = self.answers.send(answer);
    }
}
