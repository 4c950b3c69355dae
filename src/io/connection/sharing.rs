//! Connections of services that may share one, see [`SharingGroup`](super::sharing_group::SharingGroup).

use super::Connection;
use super::sharing_group::Way;
use crate::io::transport::{Shared, Transport};
use crate::io::{Error, clock};
use std::future::pending;
use tokio::time::sleep_until;

/// How a connection is used once it is known whether the broker supports channels.
pub(in crate::io) enum Use {
    /// By one service.
    Own,
    /// By the service that opened it, and by others that may join.
    Shared,
    /// Not at all, because another one can be shared.
    Outdated,
}

/// The state of a connection in its group.
#[derive(Default)]
pub(super) struct InGroup {
    /// Whether it waits for a decision whether to share another connection.
    pub(super) waits: bool,
    /// Whether the others of its group wait for this one.
    asks: bool,
    /// See [`is_undecided`](Connection::is_undecided).
    is_undecided: bool,
    /// Whether it was opened as a connection of a service apart.
    was_apart: bool,
    /// Whether it counts as such a connection.
    is_apart: bool,
}

impl Connection {
    /// Opens a connection, joins one, or waits until it can be decided which.
    pub(in crate::io) fn open(&mut self) -> Result<(), Error> {
        self.in_group.waits = false;
        self.in_group.was_apart = false;
        if let Some(group) = &self.endpoint.group {
            match group.way() {
                Way::Join(seat) => {
                    self.transport = Some(Transport::Seat(seat));
                    return Ok(());
                }
                Way::Wait => {
                    self.in_group.waits = true;
                    return Ok(());
                }
                Way::Ask => self.in_group.asks = true,
                Way::Apart => self.in_group.was_apart = true,
            }
            self.in_group.is_undecided = true;
        }
        let opened = self.open_own();
        if opened.is_err() {
            self.stop_asking();
        }
        opened
    }

    /// Whether it waits and has to be opened now.
    pub(in crate::io) fn may_go_on(&self) -> bool {
        self.in_group.waits && (self.endpoint.group.as_ref()).is_none_or(|group| group.may_go_on())
    }

    /// Waits until it has to be opened, if the time alone decides.
    pub(super) async fn end_of_wait(&self) {
        match self.endpoint.group.as_ref().and_then(|group| group.until()) {
            Some(until) => sleep_until(clock::instant(until)).await,
            None => pending().await,
        }
    }

    /// Handles that the transport accepts messages.
    pub(in crate::io) fn is_connected(&mut self) {
        self.up = true;
        self.count_apart();
        // A broker over inproc may be bound later, and sends a hello.
        if self.in_group.asks
            && !self.addresses.address().is_inproc()
            && let Some(group) = &self.endpoint.group
        {
            group.asked();
        }
    }

    /// Whether the number of channels that the broker supports is unknown, and needed.
    pub(in crate::io) fn is_undecided(&self) -> bool {
        self.in_group.is_undecided
    }

    /// Decides how the connection is used, if the broker supports this number of channels.
    #[cold]
    pub(in crate::io) fn decide(&mut self, channels: u16) -> Use {
        self.in_group.is_undecided = false;
        self.in_group.asks = false;
        let Some(group) = &self.endpoint.group else {
            return Use::Own;
        };
        if channels == 0 {
            group.part();
            self.count_apart();
            return Use::Own;
        }
        if group.may_join() {
            return Use::Outdated;
        }
        let Some(transport) = self.transport.take() else {
            return Use::Own;
        };
        let (shared, seat) = Shared::new(transport, self.gone, channels);
        self.transport = Some(Transport::Seat(seat));
        group.share(shared);
        Use::Shared
    }

    /// Whether both have the same group.
    pub(in crate::io) fn may_share_with(&self, other: &Connection) -> bool {
        let groups = self
            .endpoint
            .group
            .as_ref()
            .zip(other.endpoint.group.as_ref());
        groups.is_some_and(|(one, other)| one.is(other))
    }

    /// Whether it was opened when no connection could be shared, which may have changed since.
    pub(in crate::io) fn is_outdated(&self) -> bool {
        let group = self.endpoint.group.as_ref();
        self.in_group.was_apart && group.is_some_and(|group| !group.is_apart())
    }

    fn count_apart(&mut self) {
        if !self.in_group.is_apart
            && let Some(group) = &self.endpoint.group
        {
            self.in_group.is_apart = group.joined_apart();
        }
    }

    /// Handles the end of the connection.
    pub(super) fn leave_apart(&mut self) {
        if std::mem::take(&mut self.in_group.is_apart)
            && let Some(group) = &self.endpoint.group
        {
            group.left_apart();
        }
    }

    pub(super) fn stop_asking(&mut self) {
        self.in_group.is_undecided = false;
        if std::mem::take(&mut self.in_group.asks)
            && let Some(group) = &self.endpoint.group
        {
            group.not_answered();
        }
    }

    /// Closes the connection of a silent broker, for all that share it.
    pub(in crate::io) fn abandon(&mut self) {
        if let Some(Transport::Seat(seat)) = &self.transport {
            seat.abandon();
        }
        self.close();
    }
}
