//! Connections with the properties of TCP and libzmq: messages stay in order, identities can be
//! taken over, and breaks are reported to both sides, one, or none.

use super::Net;
use super::actor::{Effect, Frames};
use std::collections::VecDeque;
use std::time::Duration;

/// Time until the transport retries a refused connection.
const REDIAL: Duration = Duration::from_millis(100);

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Dealer,
    Broker,
}

/// The address of a peer's broker, and the properties of its socket.
#[derive(Debug, Clone)]
pub struct Dial {
    pub broker: usize,
    pub identity: Vec<u8>,
    /// As in 0.0.92: the socket accepts messages without a connection, and hides breaks.
    pub queues: bool,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) owner: usize,
    backlog: Vec<Frames>,
    pub(super) conn: Option<usize>,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) socket: usize,
    pub(super) broker: usize,
    identity: Vec<u8>,
    /// By [`Side`]: whether this end has not noticed a break.
    open: [bool; 2],
    /// All messages are lost.
    void: bool,
    /// The broker still handles what has arrived, and learns from what it sends that the connection is broken.
    last_words: bool,
    /// Messages that are held back by a partition; `None` is the end of the connection.
    held: VecDeque<(Side, Option<Frames>)>,
    /// By [`Side`]: the latest arrival, which no later message may precede.
    last: [crate::proto::Time; 2],
}

/// A scheduled event.
#[derive(Debug)]
pub(super) enum Event {
    Dial(usize),
    /// Arrival at this end of a connection; `None` is its end.
    Arrive(usize, Side, Option<Frames>),
}

impl Net {
    /// The peer that the event concerns.
    pub(super) fn target(&self, event: &Event) -> usize {
        match event {
            Event::Dial(socket) => self.sockets[*socket].owner,
            Event::Arrive(conn, Side::Broker, _) => self.conns[*conn].broker,
            Event::Arrive(conn, Side::Dealer, _) => self.owner(*conn),
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Dial(socket) => self.dial(socket),
            Event::Arrive(conn, side, Some(frames)) => self.arrive(conn, side, frames),
            Event::Arrive(conn, side, None) => self.break_off(conn, side),
        }
    }

    pub(super) fn carry_out(&mut self, peer: usize, effect: Effect) {
        match effect {
            Effect::Open => {
                self.sockets.push(Socket {
                    owner: peer,
                    backlog: Vec::new(),
                    conn: None,
                    closed: false,
                });
                let socket = self.sockets.len() - 1;
                self.peers[peer].socket = Some(socket);
                let at = self.now + self.way();
                self.schedule(at, Event::Dial(socket));
            }
            Effect::Close => self.close(peer),
            Effect::Send(frames) => self.send(peer, frames),
            Effect::SendTo(to, frames) => match self.peers[peer].routes.get(&to) {
                Some(&conn) if !self.conns[conn].last_words => {
                    self.transmit(conn, Side::Dealer, Some(frames));
                }
                _ => self.peers[peer].actor.gone(self.now, &to),
            },
        }
    }

    fn send(&mut self, peer: usize, frames: Frames) {
        let socket = self.peers[peer].socket.map(|s| &mut self.sockets[s]);
        let queues = self.peers[peer].dial.as_ref().is_some_and(|d| d.queues);
        match socket {
            Some(Socket {
                conn: Some(conn), ..
            }) => {
                let conn = *conn;
                self.transmit(conn, Side::Broker, Some(frames));
            }
            Some(socket) if queues => socket.backlog.push(frames),
            _ => self.peers[peer].actor.down(self.now),
        }
    }

    pub(super) fn close(&mut self, peer: usize) {
        let Some(socket) = self.peers[peer].socket.take() else {
            return;
        };
        let socket = &mut self.sockets[socket];
        socket.closed = true;
        if let Some(conn) = socket.conn.take() {
            let entry = &mut self.conns[conn];
            entry.open[Side::Dealer as usize] = false;
            // Lingering ends before any partition.
            entry.held.retain(|(to, _)| *to == Side::Dealer);
            self.transmit(conn, Side::Broker, None);
        }
    }

    /// Schedules a message, or the end of the connection.
    fn transmit(&mut self, conn: usize, to: Side, what: Option<Frames>) {
        let cut_off = self.is_cut_off(conn);
        let at = self.now + self.way();
        let entry = &mut self.conns[conn];
        if entry.void {
            return;
        }
        if cut_off {
            return entry.held.push_back((to, what));
        }
        let last = &mut entry.last[to as usize];
        *last = at.max(*last);
        let at = *last;
        self.schedule(at, Event::Arrive(conn, to, what));
    }

    fn dial(&mut self, socket: usize) {
        let Socket { owner, closed, .. } = self.sockets[socket];
        let Some(dial) = self.peers[owner].dial.clone().filter(|_| !closed) else {
            return;
        };
        let broker = &self.peers[dial.broker];
        if self.peers[owner].relayed && !broker.alive {
            self.peers[owner].actor.refused(self.now);
            return self.settle(owner);
        }
        let taken = broker.routes.contains_key(&dial.identity) && !broker.takes_over;
        let reachable = broker.alive && !broker.paused && !broker.cut_off;
        if !reachable || taken || self.peers[owner].cut_off {
            let at = self.now + REDIAL;
            return self.schedule(at, Event::Dial(socket));
        }
        self.conns.push(Conn {
            socket,
            broker: dial.broker,
            identity: dial.identity.clone(),
            open: [true; 2],
            void: false,
            last_words: false,
            held: VecDeque::new(),
            last: [self.now; 2],
        });
        let conn = self.conns.len() - 1;
        let routes = &mut self.peers[dial.broker].routes;
        if let Some(old) = routes.insert(dial.identity, conn) {
            self.conns[old].open[Side::Broker as usize] = false;
            if self.tells_displaced {
                self.transmit(old, Side::Dealer, None);
            }
        }
        self.sockets[socket].conn = Some(conn);
        for frames in std::mem::take(&mut self.sockets[socket].backlog) {
            self.transmit(conn, Side::Broker, Some(frames));
        }
        if !dial.queues {
            self.peers[owner].actor.up(self.now);
            self.settle(owner);
        }
    }

    fn arrive(&mut self, conn: usize, side: Side, frames: Frames) {
        let Conn {
            open,
            void,
            last_words,
            identity,
            broker,
            ..
        } = &self.conns[conn];
        let is_lost = *void && !(*last_words && side == Side::Broker);
        if !open[side as usize] || is_lost {
            return;
        }
        let (from, peer) = match side {
            Side::Broker => (identity.clone(), *broker),
            Side::Dealer => (Vec::new(), self.owner(conn)),
        };
        self.check_addressee(peer, &frames);
        self.peers[peer].actor.message(self.now, &from, frames);
        self.settle(peer);
    }

    fn break_off(&mut self, conn: usize, side: Side) {
        if !std::mem::take(&mut self.conns[conn].open[side as usize]) {
            return;
        }
        let Conn {
            broker,
            socket,
            void,
            ..
        } = self.conns[conn];
        let peer = match side {
            Side::Broker => {
                let identity = self.conns[conn].identity.clone();
                let (peer, now) = (&mut self.peers[broker], self.now);
                peer.routes.remove(&identity);
                match void {
                    true => peer.actor.broken(now, &identity),
                    false => peer.actor.gone(now, &identity),
                }
                broker
            }
            Side::Dealer => {
                self.sockets[socket].conn = None;
                let owner = self.owner(conn);
                if self.peers[owner].dial.as_ref().is_some_and(|d| d.queues) {
                    let at = self.now + REDIAL;
                    self.schedule(at, Event::Dial(socket));
                } else {
                    self.peers[owner].actor.down(self.now);
                }
                owner
            }
        };
        self.settle(peer);
    }

    /// The connections of a peer that at least one end considers open.
    fn conns_of(&self, peer: usize) -> Vec<usize> {
        let all = self.conns.iter().enumerate();
        all.filter(|(n, conn)| {
            conn.open != [false; 2] && (conn.broker == peer || self.owner(*n) == peer)
        })
        .map(|(n, _)| n)
        .collect()
    }

    /// Breaks all connections of a peer. Messages under way are lost, except that some have arrived at a broker that is
    /// told; only these ends are told.
    pub(super) fn sever(&mut self, peer: usize, told: &[Side]) {
        for conn in self.conns_of(peer) {
            let last_words = told.contains(&Side::Broker) && self.rng.percent(50);
            // After a message that was lost, none arrives.
            self.conns[conn].last_words |= last_words && !self.conns[conn].void;
            self.conns[conn].void = true;
            for side in told {
                let mut at = self.now + self.way();
                if *side == Side::Broker && self.conns[conn].last_words {
                    at = at.max(self.conns[conn].last[Side::Broker as usize]);
                }
                self.schedule(at, Event::Arrive(conn, *side, None));
            }
        }
    }

    /// Ends the process: its kernel closes the connections, or (silently) does not.
    pub(super) fn vanish(&mut self, peer: usize, silently: bool) {
        for conn in self.conns_of(peer) {
            let own = match self.conns[conn].broker == peer {
                true => Side::Broker,
                false => Side::Dealer,
            };
            let other = match own {
                Side::Broker => Side::Dealer,
                Side::Dealer => Side::Broker,
            };
            self.conns[conn].open[own as usize] = false;
            match silently {
                true => self.conns[conn].void = true,
                false => self.transmit(conn, other, None),
            }
        }
        if let Some(socket) = self.peers[peer].socket.take() {
            self.sockets[socket].closed = true;
            self.sockets[socket].conn = None;
        }
        self.peers[peer].routes.clear();
    }

    /// Delivers the messages that the partition held back.
    pub(super) fn release_held(&mut self) {
        for conn in 0..self.conns.len() {
            if !self.is_cut_off(conn) {
                for (to, what) in std::mem::take(&mut self.conns[conn].held) {
                    self.transmit(conn, to, what);
                }
            }
        }
    }

    /// Ends half-open connections, as the kernel does in the end.
    pub(super) fn find_void(&mut self) {
        for conn in 0..self.conns.len() {
            if self.conns[conn].void {
                for side in [Side::Dealer, Side::Broker] {
                    let at = self.now + self.way();
                    self.schedule(at, Event::Arrive(conn, side, None));
                }
            }
        }
    }

    fn is_cut_off(&self, conn: usize) -> bool {
        self.peers[self.conns[conn].broker].cut_off || self.peers[self.owner(conn)].cut_off
    }

    fn owner(&self, conn: usize) -> usize {
        self.sockets[self.conns[conn].socket].owner
    }
}
