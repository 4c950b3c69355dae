//! The pieces of the tasks.

use super::answers::Surveyed;
use super::clients::Client;
use super::context::Context;
use super::fanout::{Copies, FanOut};
use super::keys::RequestKey;
use super::outcome::End;
use super::piece::{Earlier, PIECE, Piece};
use super::requests::Request;
use super::rids::Rids;
use super::survey::Asker;
use super::tasks::{Cancellation, Ending, Task};
use super::{Broker, Timer};
use crate::wire::{Body, Frame};
use std::time::Duration;

impl<F: Frame> Broker<F> {
    /// Does the first piece of a task, and the rest in later turns.
    pub(super) fn start(&mut self, mut task: Task) {
        if self.do_piece(&mut task) {
            self.put_off(task);
        }
    }

    /// Does a task in later turns.
    pub(super) fn put_off(&mut self, task: Task) {
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
    pub(super) fn tasks_due(&mut self) {
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
        match task {
            Task::Gone(rest) => self.end_gone(rest),
            Task::GraceEnd(look) => self.look_at_ending(look),
            Task::Dismissed { all, code } => {
                self.end_those(all, |_| true, || End::Failed(*code));
                !all.requests.is_empty()
            }
            Task::Withdrawn { all, running } => {
                let client = self.cx.clients.get(all.client);
                if client.is_none_or(|client| client.absence.is_none()) {
                    return false;
                }
                let is_meant = |request: &Request<F>| *running || request.has_never_started();
                self.end_those(all, is_meant, || End::Cancelled);
                !all.requests.is_empty()
            }
            Task::Unresumed { rest, returned } => self.end_unresumed(rest, *returned),
            Task::Ends { tokens, ending } => {
                let mut piece = Piece::new(self.cx.work);
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
            Task::Ask(asking) => self.recalls.go_on(&mut self.cx, asking),
            Task::Survey => self.survey_more(),
            Task::Look { service, name } => {
                self.look_on(*service, name);
                false
            }
        }
    }

    /// Ends some of the requests that a client had at a time.
    fn end_those(
        &mut self,
        all: &mut Earlier,
        is_meant: impl Fn(&Request<F>) -> bool,
        end: impl Fn() -> End<F>,
    ) {
        let mut piece = Piece::new(self.cx.work);
        while piece.has_room(self.cx.work)
            && let Some(key) = all.requests.pop()
        {
            let request = self.cx.requests.get(key);
            if request.is_some_and(|request| all.has(request) && is_meant(request)) {
                self.end(key, end());
            }
        }
    }

    /// Makes a piece of an answer of MMI, and sends the answer after the last one.
    fn survey_more(&mut self) -> bool {
        let mut answers = std::mem::take(&mut self.answers);
        let surveyed = answers.go_on(&self.reader(self.cx.now));
        self.answers = answers;
        let Surveyed::Made(answer, askers) = surveyed else {
            return matches!(surveyed, Surveyed::GoesOn);
        };
        for Asker { from, head, .. } in askers {
            self.answer_own(&from, head, Body::json(answer.clone()));
        }
        false
    }

    /// Gives some workers their copies of a fan-out. Returns false if there is no more to do.
    fn fan_out(&mut self, rest: &mut FanOut) -> bool {
        let Copies {
            addressed,
            unserved,
        } = rest.go_on(&mut self.cx);
        for token in unserved {
            self.end_one_of(token, Ending::WorkerLost);
        }
        for worker in addressed {
            self.line_up(worker);
        }
        self.end_dependents();
        if !rest.is_left()
            && let Some(whole) = rest.close(&mut self.cx)
        {
            self.end_gathering(whole);
        }
        rest.is_left()
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

    /// Ends some requests that a client has not resumed. Returns false if none is left.
    fn end_unresumed(&mut self, rest: &mut Cancellation, returned: u64) -> bool {
        let client = rest.client;
        let entry = self.cx.clients.get(client);
        if entry.is_none_or(|client| client.returned != returned) {
            return false;
        }
        let is_unresumed = |cx: &Context<F>, key| {
            let request = cx.requests.get(key);
            request.is_some_and(|request| request.client == client)
                && cx.clients.is_unresumed(key, &cx.requests)
        };
        let is_left = self.cancel_some(rest, |client| &client.unresumed, is_unresumed);
        if !is_left && let Some(client) = self.cx.clients.get_mut(client) {
            client.unresumed = Rids::default();
        }
        is_left
    }

    /// Cancels some requests of a client to which this still applies. `all` has those that are left. Returns false after
    /// the last one.
    fn cancel_some(
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
