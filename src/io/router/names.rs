//! Names that peers announce in their hellos, see [`Names`](crate::proto::names::Names).

use super::Driver;
use super::traffic::principal;
use crate::proto::Time;
use crate::proto::broker::{NameDecision, Role, RoutingId};
use crate::proto::names::{Place, Speaker};
use crate::wire::channel::Channel;
use crate::wire::omdp::hello_of;

impl Driver {
    /// Gives the connection of a hello, or its channel, the name in the hello, unless another peer has the name.
    #[cold]
    pub(super) fn hear_name(&mut self, now: Time, channel: Option<Channel>) {
        let connection: RoutingId = self.inbound.from().into();
        let place = Place {
            connection,
            channel,
        };
        if self.names.knows(&place) {
            return;
        }
        let Some((is_of_worker, hello)) = hello_of(&self.frames) else {
            return;
        };
        let Some(name) = hello.name.as_deref().map(str::as_bytes) else {
            return;
        };
        let mut name: RoutingId = name.into();
        let principal = principal(&self.inbound, self.in_process.as_deref());
        let decision = self.machine.decide_name(now, &name, &hello, principal);
        match decision {
            NameDecision::Granted if !self.names.is_name(&name) => {}
            // The earlier connection is broken, without a report.
            NameDecision::Granted | NameDecision::Moved => self.end_earlier(&name, &place),
            NameDecision::Ceded => self.cede(&name),
            NameDecision::Renamed(other) => {
                self.end_earlier(&other, &place);
                name = other;
            }
            NameDecision::Earlier => return self.names.refuse(&place),
            refusal @ (NameDecision::Asked | NameDecision::Refused) => {
                self.names.refuse(&place);
                let asked = refusal == NameDecision::Asked;
                if place.channel.is_some() {
                    return self.refuse_channel(now, &place, &hello.session, asked);
                }
                let role = match is_of_worker {
                    true => Role::Worker,
                    false => Role::Client,
                };
                let connection = &place.connection;
                return (self.machine).refuse_name(connection, role, &hello.session, asked);
            }
        }
        if self.names.are_many() {
            let machine = &self.machine;
            self.names.sweep(|name| machine.knows_peer(name));
        }
        if let Some(before) = self.names.give(name.clone(), place.clone()) {
            self.outbound.forget(&before);
        }
        self.machine.handle_waiting_to(now, &name, 0);
        if let Some(address) = self.acceptor.address(&place.connection) {
            (self.machine).handle_address(&name, Some(address));
        }
    }

    /// Ends the connection that a peer had before, unless other peers are on it.
    fn end_earlier(&mut self, name: &[u8], place: &Place) {
        if let Some(earlier) = self.names.sole(name)
            && *earlier != *place.connection
        {
            self.acceptor.end_replaced(earlier);
        }
    }

    /// Renames the holder of a name, which leaves, so that another peer can have the name.
    fn cede(&mut self, name: &[u8]) {
        if let Some(other) = self.machine.rename_worker(name)
            && let Some(connection) = self.names.rename(name, other.clone())
            && let Some(address) = self.acceptor.address(&connection)
        {
            self.machine.handle_address(&other, Some(address));
        }
    }

    /// Handles that a connection has ended, after all its messages; by a reset, or in another way.
    pub(super) fn connection_ended(&mut self, now: Time, connection: &[u8], was_reset: bool) {
        self.outbound.forget(connection);
        let is_nobody = self.names.speaker(connection) == Speaker::Nobody;
        let name = self.names.end(connection);
        let peer = match is_nobody {
            true => None,
            false => Some(name.clone().unwrap_or_else(|| connection.into())),
        };
        let of_channels = self.names.end_channels(connection);
        for named in name.iter().chain(&of_channels) {
            self.machine.handle_address(named, None);
        }
        for peer in peer.iter().chain(&of_channels) {
            self.machine.handle_waiting_to(now, peer, 0);
            match was_reset {
                true => self.machine.handle_broken(now, peer),
                false => self.machine.handle_gone(now, peer),
            }
        }
    }
}
