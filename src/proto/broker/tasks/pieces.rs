//! The pieces of the tasks.

use super::{Cancellation, PIECE, Piece, Task};
use crate::proto::broker::clients::Client;
use crate::proto::broker::context::Context;
use crate::proto::broker::keys::RequestKey;
use crate::proto::broker::outcome::End;
use crate::proto::broker::rids::Rids;
use crate::proto::broker::{Broker, Timer};
use crate::wire::Frame;
use std::time::Duration;

impl<F: Frame> Broker<F> {
    /// Does the first piece of a task, and the rest in later turns.
    pub(in crate::proto::broker) fn start(&mut self, mut task: Task) {
        if self.do_piece(&mut task) {
            self.put_off(task);
        }
    }

    /// Does a task in later turns.
    pub(in crate::proto::broker) fn put_off(&mut self, task: Task) {
        self.tasks.add(task);
        self.arm_tasks();
    }

    fn arm_tasks(&mut self) {
        if self.tasks.timer.is_none() && self.tasks.len() > 0 {
            // The next turn handles the messages that arrived meanwhile first.
            let at = self.cx.now + Duration::from_micros(1);
            self.tasks.timer = Some(self.cx.deadlines.set(at, Timer::Tasks));
        }
    }

    /// Does a piece of a task that was put off.
    pub(in crate::proto::broker) fn tasks_due(&mut self) {
        self.tasks.timer = None;
        self.cx.count_work(PIECE);
        let Some(mut task) = self.tasks.next() else {
            return;
        };
        if self.do_piece(&mut task) {
            self.tasks.add(task);
        }
        self.arm_tasks();
    }

    /// Does a piece of a task. Returns false after the last one.
    fn do_piece(&mut self, task: &mut Task) -> bool {
        let mut piece = Piece::new(self.cx.work);
        match task {
            Task::Gone(rest) => self.end_gone(rest),
            Task::GraceEnd(look) => self.look_at_ending(look),
            Task::Dismissed {
                client,
                requests,
                since,
                code,
            } => {
                while piece.has_room(self.cx.work)
                    && let Some(key) = requests.pop()
                {
                    let request = self.cx.requests.get(key);
                    if request.is_some_and(|r| r.client == *client && r.arrived <= *since) {
                        self.end(key, End::Failed(*code));
                    }
                }
                !requests.is_empty()
            }
            Task::Withdrawn {
                client,
                requests,
                since,
                running,
            } => {
                let entry = self.cx.clients.get(*client);
                if entry.is_none_or(|client| client.absence.is_none()) {
                    return false;
                }
                while piece.has_room(self.cx.work)
                    && let Some(key) = requests.pop()
                {
                    let request = self.cx.requests.get(key);
                    if request.is_some_and(|r| {
                        let is_meant = *running || r.has_never_started();
                        r.client == *client && r.arrived <= *since && is_meant
                    }) {
                        self.end(key, End::Cancelled);
                    }
                }
                !requests.is_empty()
            }
            Task::Unresumed { rest, returned } => self.end_unresumed(rest, *returned),
            Task::Ends { tokens, ending } => {
                while piece.has_room(self.cx.work)
                    && let Some(token) = tokens.pop()
                {
                    self.end_one_of(token, *ending);
                }
                !tokens.is_empty()
            }
            Task::Back { tokens, cursors } => {
                self.put_back_some(tokens, cursors);
                !tokens.is_empty()
            }
            Task::FanOut(fan_out) => self.fan_out(fan_out),
            Task::Relocation(relocation) => self.relocate_more(relocation),
            Task::Survey => self.survey_more(),
            Task::Look { service, name } => {
                self.look_on(*service, name);
                false
            }
        }
    }

    /// Ends some requests of a client that is gone, and removes the client after the last one.
    fn end_gone(&mut self, rest: &mut Cancellation) -> bool {
        let client = rest.client;
        let is_own = |cx: &Context<F>, key| {
            let request = cx.requests.get(key);
            request.is_some_and(|request| request.client == client)
        };
        let is_left = self.cancel_some(rest, |client| &client.requests, is_own);
        if !is_left {
            let client = self.cx.clients.remove(client);
            self.close_client(client);
        }
        is_left
    }

    /// Cancels some requests of a client to which this still applies. `all` has those that are left. Returns false after
    /// the last one.
    pub(in crate::proto::broker) fn cancel_some(
        &mut self,
        rest: &mut Cancellation,
        all: impl Fn(&Client) -> &Rids,
        applies: impl Fn(&Context<F>, RequestKey) -> bool,
    ) -> bool {
        let mut piece = Piece::new(self.cx.work);
        let are_waiting = !rest.requests.is_empty();
        while piece.has_room(self.cx.work)
            && let Some(key) = rest.requests.pop()
        {
            if !applies(&self.cx, key) {
                continue;
            }
            match self.cx.requests.worker(key) {
                Some(_) => rest.running.push(self.cx.requests.token(key)),
                None => self.end(key, End::Cancelled),
            }
        }
        if !rest.requests.is_empty() {
            return true;
        }
        if are_waiting {
            rest.running.sort_unstable();
        }
        while piece.has_room(self.cx.work)
            && let Some(token) = rest.running.pop()
        {
            let key = self.cx.requests.by_token(token);
            if let Some(key) = key.filter(|&key| applies(&self.cx, key)) {
                self.end(key, End::Cancelled);
            }
        }
        if !rest.running.is_empty() {
            return true;
        }
        // Further attempts renew tokens, and a fan-out may have got more copies.
        let left = self.cx.clients.get(rest.client).map(all);
        rest.requests.extend(left.into_iter().flat_map(Rids::iter));
        rest.requests.retain(|&key| applies(&self.cx, key));
        !rest.requests.is_empty()
    }
}
