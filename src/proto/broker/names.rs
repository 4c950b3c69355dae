//! Who may have a name. The [table of names](crate::proto::names) is kept by the owner of this machine, which asks
//! here when a connection says a name.

use super::displaced::life;
use super::{Broker, Outgoing, RoutingId, Transmit};
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::sizes::MAX_ID;
use crate::wire::{Frame, Hello};

/// The role of the peer that says a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has sent a READY.
    Worker,
    /// It has sent a client's hello.
    Client,
}

/// Whether a connection may have the name that it has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has the name, or the connection of its holder has ended.
    Granted,
    /// Its holder says it on a new connection: the old one is broken, without a report.
    Moved,
    /// Its holder is a worker that leaves and can do without it, see [`Broker::rename_worker`].
    Ceded,
    /// Another peer has it.
    Refused,
}

impl<F: Frame> Broker<F> {
    /// Decides whether a new connection with this hello may have the name.
    pub fn claim_name(&self, name: &[u8], hello: &Hello, principal: Option<&str>) -> Claim {
        let worker = self.workers.find(name);
        let worker = worker.and_then(|key| self.workers.get(key));
        let worker = worker.filter(|worker| worker.absence.is_none());
        let client = self.clients.find(name);
        let client = client.and_then(|key| self.clients.get(key));
        let client = client.filter(|client| client.absence.is_none() && !client.cut_off);
        if worker.is_none() && client.is_none() {
            return Claim::Granted;
        }
        if !self.has_principal(name, principal) {
            return Claim::Refused;
        }
        let said = life(&hello.session);
        let is_same_life = |holder: Option<&Hello>| {
            !said.is_empty() && holder.is_some_and(|holder| life(&holder.session) == said)
        };
        if worker.is_none_or(|worker| is_same_life(worker.hello.as_ref()))
            && client.is_none_or(|client| is_same_life(client.hello.as_ref()))
        {
            return Claim::Moved;
        }
        let leaves = |hello: &Hello| hello.leaves;
        let worker = worker.and_then(|worker| worker.hello.as_ref());
        match client.is_none() && worker.is_some_and(leaves) {
            true => Claim::Ceded,
            false => Claim::Refused,
        }
    }

    /// Gives a worker that leaves another name, and returns it. Its requests go on.
    pub fn rename_worker(&mut self, name: &[u8]) -> Option<RoutingId> {
        let key = self.workers.find(name)?;
        let kept = &name[..name.len().min(MAX_ID - 8)];
        let free = (1..=u16::MAX).find_map(|n| {
            let other = [kept, b"~", n.to_string().as_bytes()].concat();
            (!self.knows_peer(&other)).then_some(other)
        });
        let other: RoutingId = free?.into();
        self.workers.rename(key, other.clone());
        self.move_principal(name, &other);
        Some(other)
    }

    /// Whether a peer has this name or routing id, connected or not.
    pub fn knows_peer(&self, name: &[u8]) -> bool {
        self.workers.find(name).is_some() || self.clients.find(name).is_some()
    }

    /// Tells a connection that another peer has the name that it has said.
    pub fn refuse_name(&mut self, connection: &[u8], role: Role, session: &str) {
        let session = F::from(session.as_bytes());
        let message = match role {
            Role::Worker => Outgoing::Worker(ToWorker::NameTaken { session }),
            Role::Client => Outgoing::Client(ToClient::NameTaken { session }),
        };
        self.out.send(Transmit::plain(connection.into(), message));
    }
}
