//! The end of the grace time of detached peers, and what happens to their requests before.

use super::absence::{Absence, LINGER};
use super::forgotten::started_among;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::tasks::{PIECE, Task};
use super::workers::Worker;
use super::{Broker, Departure};
use crate::wire::Frame;

impl<F: Frame> Broker<F> {
    /// Gives the requests with `retry` of a detached worker to another worker, if there is one. Replies of the
    /// detached worker to these requests are ignored if it returns.
    pub(super) fn retry_early(&mut self, key: WorkerKey) {
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        if let Some(absence) = &mut worker.absence {
            absence.retries_at = None;
        }
        let service = worker.service;
        let running: Vec<RequestKey> = worker.running.iter().collect();
        let is_other = |other: &Worker| other.service == service && other.absence.is_none();
        if self.stopping || !self.cx.workers.iter().any(is_other) {
            return;
        }
        if running.len() > PIECE {
            let retried = running.into_iter();
            let retried = retried.filter(|&request| self.cx.may_retry(request));
            let retried = retried.map(|request| (request, true)).collect();
            let task = self.take_back(key, retried);
            return self.put_off(task);
        }
        // In reverse, so that the first request ends up at the front.
        for request in running.into_iter().rev() {
            if self.cx.may_retry(request) {
                self.cx.free_slot(key, request);
                self.retry(request);
            }
        }
        self.dispatch(service);
    }

    /// Removes a detached worker at the end of the grace time.
    pub(super) fn worker_did_not_return(&mut self, key: WorkerKey) {
        if let Some(worker) = self.cx.workers.get(key)
            && let Some(Absence { why, .. }) = worker.absence
        {
            let id = worker.id.clone();
            self.remove_worker(key, why);
            self.forget_peer(&id);
        }
    }

    /// Lets requests of an absent client go on at the end of its grace time, and withdraws the others. Returns false if
    /// nothing goes on.
    ///
    /// The process of a silent client has not ended, or the end of the connection would have been reported: all that may
    /// have started go on. So they do if the connection was reset, until the client has noticed it. If the connection was
    /// closed, those go on whose worker is absent as well: nobody who is connected would hear of their end.
    pub(super) fn extend_absence(&mut self, key: ClientKey) -> bool {
        let now = self.cx.now;
        let Some(client) = self.cx.clients.get_mut(key) else {
            return false;
        };
        let hello = client.hello.as_ref();
        let config = &self.cx.config;
        let (may_live, span) = match client.absence.map(|absence| absence.why) {
            Some(Departure::Silence) => (true, LINGER),
            Some(why @ Departure::Broken) => {
                let span = config.blindness(why, hello) + config.reconnect_grace;
                (true, span)
            }
            Some(Departure::Connection) => {
                let late = config.delay(Departure::Silence, hello);
                let span = config.patience(hello) + late + config.reconnect_grace;
                // The heartbeat of a hello may be of any length.
                (false, span.min(LINGER.max(config.reconnect_grace)))
            }
            _ => return false,
        };
        let (requests, workers) = (&self.cx.requests, &self.cx.workers);
        let is_away = |key| {
            workers
                .get(key)
                .is_some_and(|worker| worker.absence.is_some())
        };
        let ends = |&key: &RequestKey| {
            requests.get(key).is_some_and(|request| match may_live {
                true => request.has_never_started(),
                false => !request.worker().is_some_and(is_away),
            })
        };
        // The connection of a client with very many that end has ended for all of them.
        let most = if may_live { usize::MAX } else { PIECE + 1 };
        let ending = client.requests.iter().filter(ends).take(most);
        let mut ending: Vec<RequestKey> = ending.collect();
        let has_replies = may_live && self.replies.logs.rids(key).next().is_some();
        let nothing_goes_on = ending.len() == client.requests.len() && !has_replies;
        if nothing_goes_on || !may_live && ending.len() > PIECE {
            return false;
        }
        if !client.absence.as_mut().is_some_and(|a| a.linger(now, span)) {
            return false;
        }
        if !client.log_is_incomplete {
            let started = client.started.get_or_insert_default();
            started.extend(started_among(requests, ending.iter().copied()));
        }
        self.cx.count_work(ending.len().min(PIECE));
        self.cx.requests.sort_to_end(&mut ending);
        self.start(Task::Withdrawn {
            client: key,
            requests: ending,
            since: now,
            running: !may_live,
        });
        true
    }

    /// Removes a detached client at the end of the grace time.
    pub(super) fn client_did_not_return(&mut self, key: ClientKey) {
        if let Some(client) = self.cx.clients.get(key)
            && let Some(Absence { why, .. }) = client.absence
        {
            let id = client.id.clone();
            self.lose_client(key, why);
            self.forget_peer(&id);
        }
    }
}
