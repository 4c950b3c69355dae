//! Handshakes from request to reply: immediate ones, and a limited number that wait, for a limited
//! time, for a hash or for JavaScript.

use super::authenticator::Judgement;
use super::frames::{self, ReplyTo, Request};
use super::handle::{Answer, Outcome};
use super::password::{HashThread, Verifier};
use super::registry::{self, Entry};
use super::request::{AuthNotice, PeerCredentials, ZapRequest};
use crate::io::context::Lingering;
use crate::io::socket::Socket;
use crate::io::{Error, Message, clock};
use crate::proto::Time;
use crate::proto::broker::Principal;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

/// The maximum number of handshakes that wait for a hash or a decision.
const MAX_PENDING: usize = 4096;
/// The maximum for one address, so that one source cannot take all places.
const MAX_PENDING_OF_ONE: usize = 64;

/// A waiting handshake.
struct Pending {
    reply_to: ReplyTo,
    entry: Arc<Entry>,
    request: ZapRequest,
    /// The principal, if the password is right.
    principal: Option<Principal>,
    /// The epoch of the rules in force when it was received.
    epoch: u64,
    deadline: Option<Time>,
}

pub(super) struct Driver {
    socket: Socket,
    inbox: UnboundedReceiver<Answer>,
    /// The sender of results, for the hashing thread.
    answers: UnboundedSender<Answer>,
    hashing: Option<HashThread>,
    pending: HashMap<u64, Pending>,
    deadlines: BTreeSet<(Time, u64)>,
    last_ticket: u64,
    /// Reused for each message.
    frames: Vec<Message>,
}

impl Driver {
    pub(super) fn new(
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

    /// Runs until it is told to end, or the context ends. Returns the token whose end shows that the
    /// thread has ended.
    pub(super) async fn run(&mut self, mut end: oneshot::Receiver<Lingering>) -> Lingering {
        loop {
            if self.receive().is_err() {
                return Lingering::begin();
            }
            let next = self.deadlines.first().map(|&(at, _)| clock::instant(at));
            tokio::select! {
                answer = self.inbox.recv() => {
                    if let Some(answer) = answer {
                        self.on_answer(answer);
                    }
                }
                news = self.socket.ready() => if news.is_err() {
                    return Lingering::begin();
                },
                ending = &mut end => return ending.unwrap_or_else(|_| Lingering::begin()),
                () = async { sleep_until(next.unwrap_or_else(|| clock::instant(clock::now()))).await },
                    if next.is_some() => self.expire(),
            }
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        while self.socket.events()?.0 {
            let mut frames = std::mem::take(&mut self.frames);
            self.socket.receive(&mut frames)?;
            self.handle_frames(&mut frames);
            self.frames = frames;
        }
        Ok(())
    }

    fn handle_frames(&mut self, frames: &mut Vec<Message>) {
        let Some((reply_to, request)) = frames::parse(frames) else {
            return;
        };
        let Some((entry, request)) = request
            .and_then(|Request { domain, request }| Some((registry::find(&domain)?, request)))
        else {
            return self.refuse(reply_to);
        };
        self.on_request(reply_to, entry, request);
    }

    fn on_request(&mut self, reply_to: ReplyTo, entry: Arc<Entry>, request: ZapRequest) {
        // Before the rules are read: a result that arrives after a change of the rules is void.
        let epoch = entry.authenticator.epoch();
        let judgement = entry.authenticator.judge(&request.credentials);
        let (verifier, principal, patience) = match judgement {
            Judgement::Admit(principal) => return self.admit(reply_to, &principal),
            Judgement::Refuse(reason) => return self.turn_away(reply_to, &entry, &request, reason),
            Judgement::Hash(verifier, principal) => (Some(verifier), Some(principal), None),
            Judgement::Ask(patience) => (None, None, Some(patience)),
        };
        let of_one = |pending: &&Pending| pending.request.address == request.address;
        if self.pending.len() >= MAX_PENDING
            || self.pending.values().filter(of_one).count() >= MAX_PENDING_OF_ONE
        {
            return self.turn_away(reply_to, &entry, &request, "too many handshakes at once");
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        if let (Some(verifier), PeerCredentials::Password { password, .. }) =
            (verifier, &request.credentials)
            && !self.hash(ticket, verifier, password)
        {
            return self.turn_away(reply_to, &entry, &request, "too many handshakes at once");
        }
        if patience.is_some() {
            (entry.tell)(AuthNotice::Authenticate {
                ticket,
                request: request.clone(),
            });
        }
        let deadline = patience.map(|patience| clock::now() + patience);
        self.deadlines.extend(deadline.map(|at| (at, ticket)));
        self.pending.insert(
            ticket,
            Pending {
                reply_to,
                entry,
                request,
                principal,
                epoch,
                deadline,
            },
        );
    }

    fn hash(&mut self, ticket: u64, verifier: Arc<Verifier>, password: &str) -> bool {
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
            // The handshake has timed out.
            return;
        };
        if let Some(at) = pending.deadline {
            self.deadlines.remove(&(at, ticket));
        }
        let Pending {
            reply_to,
            entry,
            request,
            principal,
            epoch,
            ..
        } = pending;
        match (verdict, principal) {
            (Outcome::Hashed(true), Some(principal)) => self.admit(reply_to, &principal),
            (Outcome::Hashed(_), _) => self.turn_away(reply_to, &entry, &request, "wrong password"),
            (Outcome::Asked(verdict), _) if verdict.admit => {
                let principal = entry
                    .authenticator
                    .admitted(&request.credentials, epoch, verdict);
                self.admit(reply_to, &principal);
            }
            (Outcome::Asked(_), _) => self.turn_away(reply_to, &entry, &request, "refused"),
        }
    }

    fn expire(&mut self) {
        let now = clock::now();
        while let Some(&(at, ticket)) = self.deadlines.first().filter(|&&(at, _)| at <= now) {
            self.deadlines.remove(&(at, ticket));
            if let Some(Pending {
                reply_to,
                entry,
                request,
                ..
            }) = self.pending.remove(&ticket)
            {
                self.turn_away(reply_to, &entry, &request, "no answer in time");
            }
        }
    }

    fn turn_away(
        &mut self,
        reply_to: ReplyTo,
        entry: &Entry,
        request: &ZapRequest,
        reason: &'static str,
    ) {
        entry.authenticator.count_refused();
        (entry.tell)(AuthNotice::Refused {
            address: request.address.clone(),
            mechanism: request.credentials.mechanism(),
            name: request.credentials.name(),
            reason,
            missed: 0,
        });
        self.refuse(reply_to);
    }

    fn refuse(&mut self, reply_to: ReplyTo) {
        self.reply(frames::refusal(reply_to));
    }

    fn admit(&mut self, reply_to: ReplyTo, principal: &Principal) {
        self.reply(frames::admission(reply_to, principal));
    }

    fn reply(&mut self, mut frames: Vec<Message>) {
        // A handshake that was given up in the meantime accepts no reply.
        let _ = self.socket.send(&mut frames);
    }
}
