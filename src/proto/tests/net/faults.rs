//! Faults of peers and connections.

use super::transport::Side;
use super::{Id, Net};

impl Net {
    pub fn start<T>(&mut self, id: Id<T>) {
        self.peers[id.0].alive = true;
        self.peers[id.0].actor.start(self.now);
        self.settle(id.0);
    }

    /// Ends the process; its kernel closes the connections.
    pub fn kill<T>(&mut self, id: Id<T>) {
        self.die(id.0, false);
    }

    /// Powers the computer off; no connection is closed.
    pub fn power_off<T>(&mut self, id: Id<T>) {
        self.die(id.0, true);
    }

    fn die(&mut self, peer: usize, silently: bool) {
        self.vanish(peer, silently);
        let entry = &mut self.peers[peer];
        entry.actor.crash();
        entry.alive = false;
        entry.paused = false;
        entry.inbox.clear();
    }

    pub fn restart<T>(&mut self, id: Id<T>) {
        self.kill(id);
        self.start(id);
    }

    /// Resets all connections of the peer; only these ends are told.
    pub fn cut<T>(&mut self, id: Id<T>, told: &[Side]) {
        self.sever(id.0, told);
    }

    /// Puts a relay in front of the peer, which takes connections although there is no broker.
    pub fn relay<T>(&mut self, id: Id<T>) {
        self.peers[id.0].relayed = true;
    }

    /// Cuts the peer off: its messages, in both directions, are delivered after the healing.
    pub fn partition<T>(&mut self, id: Id<T>) {
        self.peers[id.0].cut_off = true;
    }

    pub fn heal<T>(&mut self, id: Id<T>) {
        self.peers[id.0].cut_off = false;
        self.release_held();
    }

    /// SIGSTOP.
    pub fn pause<T>(&mut self, id: Id<T>) {
        self.peers[id.0].paused = true;
    }

    /// SIGCONT: messages that arrived meanwhile are handled before any deadline.
    pub fn resume<T>(&mut self, id: Id<T>) {
        self.peers[id.0].paused = false;
        for event in std::mem::take(&mut self.peers[id.0].inbox) {
            self.happen(event);
        }
        self.tick(id.0);
    }

    /// The kernels detect dead connections.
    pub fn find_dead_connections(&mut self) {
        self.find_void();
    }
}
