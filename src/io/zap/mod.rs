//! The ZAP handler (RFC 27): decides who is let in, on a thread of its own.
//!
//! There is one a context, bound before the first socket that needs it and gone with the context,
//! which it does not keep alive. The brokers of the process are told apart by their ZAP domains,
//! each of which has a [`Gate`]. What the gate's rules know is answered at once, whatever
//! JavaScript is busy with; what has to be hashed or asked for waits apart, so that it holds up
//! nobody else.

mod gate;
mod password;

pub use gate::{Gate, GateNotice, Knock, RuleSet, Shown, Verdict};
pub use password::Password;

use super::context::Context;
use super::reactor::Reactor;
use super::security::Key;
use super::socket::Socket;
use super::{Error, Message, clock};
use crate::proto::Time;
use crate::proto::broker::Principal;
use gate::Judgement;
use password::HashThread;
use std::collections::{BTreeSet, HashMap};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

const ADDRESS: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";

/// The property of each message that holds the sender's principal.
pub(super) const PRINCIPAL: &std::ffi::CStr = c"Omdp-Principal";

/// How many handshakes may wait for a hash or an answer.
const MAX_PENDING: usize = 4096;
/// How many of one address: one source must not take all the places.
const MAX_PENDING_OF_ONE: usize = 64;

/// The gate of a broker that runs, and how it hears of it.
struct Entry {
    gate: Arc<Gate>,
    tell: Box<dyn Fn(GateNotice) + Send + Sync>,
}

static ENTRIES: Mutex<Vec<(String, Arc<Entry>)>> = Mutex::new(Vec::new());

fn entries() -> MutexGuard<'static, Vec<(String, Arc<Entry>)>> {
    // Nothing that runs under the lock can leave it half-changed.
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handler knows this gate, until it is dropped.
pub(super) struct Registration {
    domain: String,
    context: Arc<Context>,
}

impl Registration {
    /// Opens a gate. The handler runs when this is done.
    pub(super) async fn new(
        gate: Arc<Gate>,
        tell: impl Fn(GateNotice) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let context = Context::acquire()?;
        context.zap().await?;
        let domain = gate.domain().to_owned();
        let tell = Box::new(tell);
        entries().push((domain.clone(), Arc::new(Entry { gate, tell })));
        Ok(Registration { domain, context })
    }

    /// Answers [`GateNotice::Authenticate`].
    pub(super) async fn answer(&self, ticket: u64, verdict: Verdict) {
        if let Ok(handler) = self.context.zap().await {
            handler.send(Answer {
                ticket,
                verdict: Outcome::Asked(verdict),
            });
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        entries().retain(|(domain, _)| *domain != self.domain);
    }
}

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
                match socket.and_then(|socket| socket.bind(ADDRESS).map(|()| socket)) {
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

/// To whom a reply goes.
struct ReplyTo {
    /// libzmq's name for the connection.
    routing_id: Message,
    request_id: Message,
}

/// A handshake that waits.
struct Pending {
    reply_to: ReplyTo,
    entry: Arc<Entry>,
    knock: Knock,
    /// Who it is, if the password is right.
    principal: Option<Principal>,
    /// The rules under which it was asked.
    epoch: u64,
    deadline: Option<Time>,
}

struct Driver {
    socket: Socket,
    inbox: UnboundedReceiver<Answer>,
    /// For the hashing thread.
    answers: UnboundedSender<Answer>,
    hashing: Option<HashThread>,
    pending: HashMap<u64, Pending>,
    deadlines: BTreeSet<(Time, u64)>,
    last_ticket: u64,
    /// Reused from message to message.
    frames: Vec<Message>,
}

impl Driver {
    fn new(
        socket: Socket,
        inbox: UnboundedReceiver<Answer>,
        answers: UnboundedSender<Answer>,
    ) -> Self {
        Driver {
            socket,
            inbox,
            answers,
            hashing: None,
            pending: HashMap::new(),
            deadlines: BTreeSet::new(),
            last_ticket: 0,
            frames: Vec::new(),
        }
    }

    /// Until the context ends.
    async fn run(mut self) {
        loop {
            if self.receive().is_err() {
                return;
            }
            let next = self.deadlines.first().map(|&(at, _)| clock::instant(at));
            tokio::select! {
                answer = self.inbox.recv() => {
                    if let Some(answer) = answer {
                        self.on_answer(answer);
                    }
                }
                news = self.socket.ready() => if news.is_err() {
                    return;
                },
                () = async { sleep_until(next.unwrap_or_else(|| clock::instant(clock::now()))).await },
                    if next.is_some() => self.expire(),
            }
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        while self.socket.events()?.0 {
            let mut frames = std::mem::take(&mut self.frames);
            self.socket.receive(&mut frames)?;
            self.on_request(&mut frames);
            self.frames = frames;
        }
        Ok(())
    }

    /// `∅ version request-id domain address identity mechanism credentials…` behind the routing id.
    fn on_request(&mut self, frames: &mut Vec<Message>) {
        let mut frames = frames.drain(..);
        let mut next = || frames.next();
        let (Some(routing_id), Some(_), Some(version), Some(request_id)) =
            (next(), next(), next(), next())
        else {
            return;
        };
        let reply_to = ReplyTo {
            routing_id,
            request_id,
        };
        let (Some(domain), Some(address), Some(_), Some(mechanism)) =
            (next(), next(), next(), next())
        else {
            return self.refuse(reply_to);
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let credentials = match (&*mechanism, next(), next()) {
            (b"CURVE", Some(key), None) => <[u8; 32]>::try_from(&*key)
                .ok()
                .map(|key| Shown::Key(Key(key))),
            (b"PLAIN", Some(username), Some(password)) => Some(Shown::Password {
                username: text(&username),
                password: text(&password),
            }),
            _ => None,
        };
        let entry = {
            let domain = text(&domain);
            let entries = entries();
            let found = entries.iter().find(|(known, _)| *known == domain);
            found.map(|(_, entry)| entry.clone())
        };
        let (Some(credentials), Some(entry)) = (credentials, entry) else {
            return self.refuse(reply_to);
        };
        let knock = Knock {
            address: text(&address),
            credentials,
        };
        if *version != *VERSION {
            return self.refuse(reply_to);
        }
        self.on_knock(reply_to, entry, knock);
    }

    fn on_knock(&mut self, reply_to: ReplyTo, entry: Arc<Entry>, knock: Knock) {
        // Before the rules are read: an answer that comes after a change of theirs is void.
        let epoch = entry.gate.epoch();
        let judgement = entry.gate.judge(&knock.credentials);
        let (verifier, principal, patience) = match judgement {
            Judgement::Admit(principal) => return self.admit(reply_to, &principal),
            Judgement::Refuse(reason) => return self.turn_away(reply_to, &entry, &knock, reason),
            Judgement::Hash(verifier, principal) => (Some(verifier), Some(principal), None),
            Judgement::Ask(patience) => (None, None, Some(patience)),
        };
        let of_one = |pending: &&Pending| pending.knock.address == knock.address;
        if self.pending.len() >= MAX_PENDING
            || self.pending.values().filter(of_one).count() >= MAX_PENDING_OF_ONE
        {
            return self.turn_away(reply_to, &entry, &knock, "too many handshakes at once");
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        if let (Some(verifier), Shown::Password { password, .. }) = (verifier, &knock.credentials)
            && !self.hash(ticket, verifier, password)
        {
            return self.turn_away(reply_to, &entry, &knock, "too many handshakes at once");
        }
        if patience.is_some() {
            (entry.tell)(GateNotice::Authenticate {
                ticket,
                knock: knock.clone(),
            });
        }
        let deadline = patience.map(|patience| clock::now() + patience);
        self.deadlines.extend(deadline.map(|at| (at, ticket)));
        self.pending.insert(
            ticket,
            Pending {
                reply_to,
                entry,
                knock,
                principal,
                epoch,
                deadline,
            },
        );
    }

    fn hash(&mut self, ticket: u64, verifier: Arc<password::Verifier>, password: &str) -> bool {
        if self.hashing.is_none() {
            self.hashing = HashThread::spawn().ok();
        }
        let answers = self.answers.clone();
        let done = move |right| {
            let _ = answers.send(Answer {
                ticket,
                verdict: Outcome::Hashed(right),
            });
        };
        self.hashing
            .as_ref()
            .is_some_and(|thread| thread.check(verifier, password.as_bytes(), done))
    }

    fn on_answer(&mut self, Answer { ticket, verdict }: Answer) {
        let Some(pending) = self.pending.remove(&ticket) else {
            // Too late.
            return;
        };
        if let Some(at) = pending.deadline {
            self.deadlines.remove(&(at, ticket));
        }
        let Pending {
            reply_to,
            entry,
            knock,
            principal,
            epoch,
            ..
        } = pending;
        match (verdict, principal) {
            (Outcome::Hashed(true), Some(principal)) => self.admit(reply_to, &principal),
            (Outcome::Hashed(_), _) => self.turn_away(reply_to, &entry, &knock, "wrong password"),
            (Outcome::Asked(verdict), _) if verdict.admit => {
                let principal = entry.gate.admitted(&knock.credentials, epoch, verdict);
                self.admit(reply_to, &principal);
            }
            (Outcome::Asked(_), _) => self.turn_away(reply_to, &entry, &knock, "refused"),
        }
    }

    fn expire(&mut self) {
        let now = clock::now();
        while let Some(&(at, ticket)) = self.deadlines.first().filter(|&&(at, _)| at <= now) {
            self.deadlines.remove(&(at, ticket));
            if let Some(Pending {
                reply_to,
                entry,
                knock,
                ..
            }) = self.pending.remove(&ticket)
            {
                self.turn_away(reply_to, &entry, &knock, "no answer in time");
            }
        }
    }

    fn turn_away(&mut self, reply_to: ReplyTo, entry: &Entry, knock: &Knock, reason: &'static str) {
        entry.gate.count_refused();
        (entry.tell)(GateNotice::Refused {
            address: knock.address.clone(),
            mechanism: knock.credentials.mechanism(),
            name: knock.credentials.name(),
            reason,
        });
        self.refuse(reply_to);
    }

    fn refuse(&mut self, reply_to: ReplyTo) {
        // The peer is told no more than that: 300 or no answer would have it wait for ever.
        self.reply(reply_to, b"400", b"not let in", b"", &[]);
    }

    fn admit(&mut self, reply_to: ReplyTo, principal: &Principal) {
        let mut metadata = Vec::new();
        let name = PRINCIPAL.to_bytes();
        let value = principal.to_text();
        metadata.push(name.len() as u8);
        metadata.extend(name);
        metadata.extend((value.len() as u32).to_be_bytes());
        metadata.extend(value.as_bytes());
        self.reply(
            reply_to,
            b"200",
            b"OK",
            principal.user.as_bytes(),
            &metadata,
        );
    }

    fn reply(&mut self, to: ReplyTo, status: &[u8], text: &[u8], user: &[u8], metadata: &[u8]) {
        let mut frames = vec![to.routing_id, Message::default(), Message::from(VERSION)];
        frames.push(to.request_id);
        frames.extend([status, text, user, metadata].map(Message::from));
        // A handshake that was given up meanwhile takes no answer.
        let _ = self.socket.send(&mut frames);
    }
}
