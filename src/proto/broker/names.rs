//! Decides which peer may have a name. The [table of names](crate::proto::names) is kept by the owner of this machine,
//! which asks here when a connection announces a name.

use super::context::Context;
use super::keys::{ClientKey, WorkerKey};
use super::session::{is_earlier, life};
use super::{Outgoing, RoutingId, Transmit};
use crate::proto::Time;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::sizes::MAX_ID;
use crate::wire::{Frame, Hello};
use std::time::Duration;

/// The role of the peer that announces a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has sent a READY.
    Worker,
    /// It has sent a client's hello.
    Client,
}

/// Whether a connection may have the name that it has announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameDecision {
    /// No peer has the name, or the connection of its holder has ended.
    Granted,
    /// Its holder announces it on a new connection: the old one is broken, without a report.
    Moved,
    /// Its holder is a worker that leaves and can do without it, see [`super::Broker::rename_worker`].
    Ceded,
    /// The connection is that of a worker that leaves and has ceded the name: it goes on under this one.
    Renamed(RoutingId),
    /// Its holder has announced it on a later connection, which replaces this one. The message is late.
    Earlier,
    /// Another peer has it, and is being asked whether it lives.
    Asked,
    /// Another peer has it.
    Refused,
}

/// How long a holder's answer counts, so that it is not asked for each hello.
const ANSWER_VALID: Duration = Duration::from_secs(1);

/// The time for the answer of a holder without requests. A holder with requests may be busy with large bodies, and
/// sends heartbeats in any case.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Maximum of workers that go on under another name and are recognized on a new connection.
const MAX_CEDED: u16 = 64;

/// The name under which a worker goes on that has ceded its own.
fn other_name(name: &[u8], n: u16) -> Vec<u8> {
    let kept = &name[..name.len().min(MAX_ID - 8)];
    [kept, b"~", n.to_string().as_bytes()].concat()
}

/// Whether the holder of a name lives, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HolderState {
    Dead,
    Asked,
    /// It has to be asked now.
    Unasked,
    Alive,
}

impl HolderState {
    /// `pinged` is the time of the last PING to the holder, and is set if another one is due; `silence` is the time
    /// since its last message.
    fn read(
        now: Time,
        hello: Option<&Hello>,
        is_idle: bool,
        pinged: &mut Option<Time>,
        silence: Duration,
    ) -> Self {
        let Some(hello) = hello.filter(|hello| hello.pings) else {
            return HolderState::Alive;
        };
        let patience = match is_idle {
            true => ANSWER_TIME,
            false => ANSWER_TIME + Duration::from_millis(hello.heartbeat_ms),
        };
        let asked = pinged.map(|at| now.since(at));
        match asked {
            Some(asked) if silence < asked && asked < ANSWER_VALID => HolderState::Alive,
            Some(asked) if silence >= asked && asked < patience => HolderState::Asked,
            Some(asked) if silence >= asked => HolderState::Dead,
            _ => {
                *pinged = Some(now);
                HolderState::Unasked
            }
        }
    }
}

impl<F: Frame> Context<F> {
    /// Decides whether a new connection with this hello may have the name. `None`: its holders are dead, and lose it.
    pub(super) fn decide_name(
        &mut self,
        name: &[u8],
        hello: &Hello,
        has_principal: impl Fn(&[u8]) -> bool,
    ) -> Option<NameDecision> {
        if self.has_later(name, &hello.session) {
            return Some(NameDecision::Earlier);
        }
        if hello.leaves
            && let Some(other) = self.ceded_by(name, &hello.session)
        {
            if self.has_later(&other, &hello.session) {
                return Some(NameDecision::Earlier);
            }
            return Some(match has_principal(&other) {
                true => NameDecision::Renamed(other),
                false => NameDecision::Refused,
            });
        }
        let said = life(&hello.session);
        let is_same_life = |holder: Option<&Hello>| {
            !said.is_empty() && holder.is_some_and(|holder| life(&holder.session) == said)
        };
        let holders = self.holders(name);
        let known = self.workers.find(name);
        let known = known.and_then(|key| self.workers.get(key)?.hello.as_ref());
        // Its connection may have ended, and it may come back. One whose routing id is its name can have no other.
        let leaves = known.is_some_and(|worker| worker.leaves && worker.name.is_some());
        if leaves && holders.1.is_none() && !is_same_life(known) {
            return Some(match has_principal(name) {
                true => NameDecision::Ceded,
                false => NameDecision::Refused,
            });
        }
        let worker = holders.0.and_then(|key| self.workers.get(key));
        let client = holders.1.and_then(|key| self.clients.get(key));
        if worker.is_none() && client.is_none() {
            return Some(NameDecision::Granted);
        }
        if !has_principal(name) {
            return Some(NameDecision::Refused);
        }
        if worker.is_none_or(|worker| is_same_life(worker.hello.as_ref()))
            && client.is_none_or(|client| is_same_life(client.hello.as_ref()))
        {
            return Some(NameDecision::Moved);
        }
        self.ask_holders(holders)
    }

    /// Whether a peer of this name, connected or not, has announced a later session of the same life.
    fn has_later(&self, name: &[u8], session: &str) -> bool {
        let worker = self.workers.find(name);
        let worker = worker.and_then(|key| self.workers.get(key)?.hello.as_ref());
        let client = self.clients.find(name);
        let client = client.and_then(|key| self.clients.get(key)?.hello.as_ref());
        let mut heard = worker.into_iter().chain(client);
        heard.any(|hello| is_earlier(session, &hello.session))
    }

    /// The peers that have this name and are not detached.
    pub(super) fn holders(&self, name: &[u8]) -> (Option<WorkerKey>, Option<ClientKey>) {
        let is_here = |key: &WorkerKey| {
            let worker = self.workers.get(*key);
            worker.is_some_and(|worker| worker.absence.is_none())
        };
        let is_heard = |key: &ClientKey| {
            let client = self.clients.get(*key);
            client.is_some_and(|client| client.absence.is_none() && !client.cut_off)
        };
        (
            self.workers.find(name).filter(is_here),
            self.clients.find(name).filter(is_heard),
        )
    }

    /// Asks the holders of a name whether they live. They may have died without a report, or their goodbyes may be
    /// under way on other connections.
    fn ask_holders(
        &mut self,
        holders: (Option<WorkerKey>, Option<ClientKey>),
    ) -> Option<NameDecision> {
        let now = self.now;
        let of_worker = holders.0.and_then(|key| {
            let worker = self.workers.get_mut(key)?;
            let (hello, is_idle) = (worker.hello.as_ref(), worker.running.is_empty());
            let silence = worker.beats.silence(now);
            Some(HolderState::read(
                now,
                hello,
                is_idle,
                &mut worker.pinged,
                silence,
            ))
        });
        let of_client = holders.1.and_then(|key| {
            let client = self.clients.get_mut(key)?;
            let (hello, is_idle) = (client.hello.as_ref(), client.requests.is_empty());
            let silence = client.beats.silence(now);
            Some(HolderState::read(
                now,
                hello,
                is_idle,
                &mut client.pinged,
                silence,
            ))
        });
        if let (Some(key), Some(HolderState::Unasked)) = (holders.0, of_worker) {
            self.send_worker(key, ToWorker::Ping);
        }
        if let (Some(key), Some(HolderState::Unasked)) = (holders.1, of_client) {
            self.send_client(key, ToClient::Ping);
        }
        match of_worker.max(of_client).unwrap_or(HolderState::Dead) {
            HolderState::Alive => Some(NameDecision::Refused),
            HolderState::Asked | HolderState::Unasked => Some(NameDecision::Asked),
            HolderState::Dead => None,
        }
    }

    /// The present name of the worker of this life, if it has ceded this name.
    fn ceded_by(&self, name: &[u8], session: &str) -> Option<RoutingId> {
        let said = life(session);
        let is_it = |other: &Vec<u8>| {
            let worker = self.workers.find(other);
            let worker = worker.and_then(|key| self.workers.get(key));
            let hello = worker.and_then(|worker| worker.hello.as_ref());
            !said.is_empty() && hello.is_some_and(|hello| life(&hello.session) == said)
        };
        let other = (1..=MAX_CEDED).map(|n| other_name(name, n)).find(is_it)?;
        Some(other.into())
    }

    /// Whether a peer has this name or routing id, connected or not.
    pub(super) fn knows_peer(&self, name: &[u8]) -> bool {
        self.workers.find(name).is_some() || self.clients.find(name).is_some()
    }

    /// Gives a worker that leaves another name, and returns it. Its requests go on.
    pub(super) fn rename_worker(&mut self, name: &[u8]) -> Option<RoutingId> {
        let key = self.workers.find(name)?;
        let free = (1..=u16::MAX)
            .map(|n| other_name(name, n))
            .find(|other| !self.knows_peer(other));
        let other: RoutingId = free?.into();
        self.workers.rename(key, other.clone());
        Some(other)
    }
}

/// Tells a connection that another peer has the name that it has announced.
pub(super) fn refusal<F: Frame>(
    connection: &[u8],
    role: Role,
    session: &str,
    asked: bool,
) -> Transmit<F> {
    let session = F::from(session.as_bytes());
    let message = match role {
        Role::Worker => Outgoing::Worker(ToWorker::NameTaken { session, asked }),
        Role::Client => Outgoing::Client(ToClient::NameTaken { session, asked }),
    };
    Transmit::plain(connection.into(), message)
}
