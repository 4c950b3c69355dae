//! Dispatches the messages of extended and 0.0.92 peers to their handlers.

use super::context::Context;
use super::keys::{ClientKey, WorkerKey};
use super::outcome::End;
use super::unparking::Released;
use super::workers::Worker;
use super::{Broker, Departure, mmi};
use crate::wire::omdp::{ClientMessage, ToWorker, WorkerMessage, lives, tokens};
use crate::wire::{Dialect, Frame, Hello, Malformed};

impl<F: Frame> Context<F> {
    /// Notes a sign of life. Returns false if another connection has taken the worker's name over, so that the worker
    /// has to start over.
    #[inline]
    fn hears(&mut self, key: WorkerKey, message: &WorkerMessage<F>) -> bool {
        if let Some(worker) = self.workers.get_mut(key) {
            if worker.absence.is_some_and(|absence| absence.is_displaced())
                && !matches!(message, WorkerMessage::Ready { .. })
            {
                return false;
            }
            worker.beats.heard(self.now);
        }
        true
    }

    fn on_worker_beat(&mut self, key: WorkerKey) {
        if self.workers.get(key).is_some_and(|w| w.hello.is_none()) {
            self.note_sign_of_0_0_92(key);
            self.beat_old_worker(key);
        }
    }
}

impl<F: Frame> Broker<F> {
    pub(super) fn on_client(
        &mut self,
        from: &[u8],
        message: ClientMessage<F>,
    ) -> Result<(), Malformed> {
        let known = self.cx.clients.find(from);
        if let Some(client) = known.and_then(|key| self.cx.clients.get_mut(key)) {
            client.beats.heard(self.cx.now);
            client.cut_off = false;
        }
        match (message, known) {
            (ClientMessage::Hello { hello }, _) => {
                self.on_hello(from, Hello::parse(&hello)?);
                if self.phase.is_stopping()
                    && let Some(key) = self.cx.clients.find(from)
                {
                    self.cx.send_on(key);
                }
            }
            (ClientMessage::Go { rids }, Some(key)) => self.on_go(key, &rids),
            (ClientMessage::RequestHeartbeat { rid }, Some(key)) => {
                self.cx.pass_heartbeat(key, rid);
            }
            (ClientMessage::Cancel { rid, expired }, Some(key)) => {
                self.on_cancel(key, &rid, expired);
            }
            (ClientMessage::Credit { rid, bytes }, Some(key)) => {
                self.cx.on_credit(key, &rid, bytes);
            }
            (
                ClientMessage::Chunk {
                    rid,
                    body,
                    at,
                    last,
                },
                Some(key),
            ) => {
                if let Some((request, code)) = self.cx.pass_chunk(key, &rid, body, (at, last)) {
                    self.end(request, End::Failed(code));
                }
            }
            (ClientMessage::AskNeed { rid }, Some(key)) => self.cx.on_ask_need(key, &rid),
            (ClientMessage::Ack(ack), Some(key)) => {
                self.replies.acknowledge(&mut self.cx, key, ack);
                if !self.cx.on_hold.is_empty() {
                    self.take_up(key);
                }
            }
            (ClientMessage::AllResumed, Some(key)) => self.on_all_resumed(key),
            (ClientMessage::Heard { last }, Some(key)) => self.on_heard(key, last),
            (ClientMessage::Where { rid }, Some(key)) => self.cx.tell_place(key, rid),
            (ClientMessage::Disconnect, Some(key)) => self.drop_client(key),
            // Handled by `admission`.
            (ClientMessage::Request { .. } | ClientMessage::Resume { .. }, _) => {}
            (ClientMessage::Heartbeat, _) | (_, None) => {}
        }
        Ok(())
    }

    fn on_go(&mut self, client: ClientKey, frame: &[u8]) {
        let (parking, cx) = (&mut self.parking, &mut self.cx);
        let Released { services, back } = parking.release(cx, client, frame);
        self.cx.count_work(frame.len() / 64);
        self.put_back(back);
        for service in services {
            self.dispatch(service);
        }
    }

    fn on_heard(&mut self, key: ClientKey, last: u64) {
        let confirmed = self.roster.heard(&mut self.cx, key, last);
        if confirmed.releases {
            let kept_back = self.cx.kept_back(key);
            self.put_back(kept_back);
        }
        for worker in confirmed.begin {
            self.put_to_work(worker);
        }
    }

    fn on_cancel(&mut self, client: ClientKey, rid: &[u8], expired: bool) {
        let Some(request) = self.cx.clients.request(client, rid, &self.cx.requests) else {
            // A request of its own that has just ended, or a guessed id. The two look the same.
            self.cx.refusals.strays += 1;
            return;
        };
        let end = match expired {
            true => End::ExpiredAtClient,
            false => End::Cancelled,
        };
        self.end(request, end);
    }

    pub(super) fn on_worker(
        &mut self,
        from: &[u8],
        message: WorkerMessage<F>,
    ) -> Result<(), Malformed> {
        let Some(key) = self.cx.workers.find(from) else {
            return self.on_stranger(from, message);
        };
        if !self.cx.hears(key, &message) {
            self.cx.send_away(from);
            return Ok(());
        }
        match message {
            WorkerMessage::Ready { service, hello } => {
                return self.on_ready_message(from, Some(key), service, hello);
            }
            WorkerMessage::Reply {
                kind,
                client,
                rid,
                body,
                token,
                pace,
            } => {
                let request = match token {
                    Some(token) => self.cx.requests.by_token(token),
                    None => self.cx.running_of_old(key, &client, &rid),
                };
                let bytes = body.bytes.len();
                if request.is_none() && kind.is_last() {
                    self.release_old_worker(key, &client, &rid);
                }
                self.on_reply(key, request, kind, body, pace);
                // After HOLD, if the reply was put on hold.
                if token.is_some() {
                    self.cx.acknowledge(key, bytes);
                }
            }
            WorkerMessage::Heartbeat => self.cx.on_worker_beat(key),
            WorkerMessage::Return { tokens: frame } => {
                self.on_return(key, tokens(&frame));
            }
            WorkerMessage::Claim {
                client,
                rid,
                ext,
                user,
            } => self.on_claim(key, &client, &rid, ext, user),
            WorkerMessage::Need { token, need } => {
                self.cx.on_need(key, token, need);
            }
            WorkerMessage::AllClaimed { lives } => self.on_all_claimed(key, lives),
            WorkerMessage::Denied { tokens: frame } => {
                self.on_denied(key, tokens(&frame));
            }
            WorkerMessage::Disconnect => self.on_goodbye(key),
        }
        Ok(())
    }

    /// Handles a message of a worker that is not registered.
    #[inline(never)]
    fn on_stranger(&mut self, from: &[u8], message: WorkerMessage<F>) -> Result<(), Malformed> {
        match message {
            WorkerMessage::Ready { service, hello } => {
                return self.on_ready_message(from, None, service, hello);
            }
            WorkerMessage::Disconnect => {}
            _ => self.cx.send_away(from),
        }
        Ok(())
    }

    fn on_all_claimed(&mut self, key: WorkerKey, told: Option<F>) {
        self.end_of_claims(key, true);
        if let Some(told) = told {
            self.on_lives(key, lives(&told).collect());
        }
    }

    fn on_goodbye(&mut self, key: WorkerKey) {
        // So that an extended worker can wait until its goodbye has arrived.
        let hears = |w: &Worker| w.hello.is_some() || w.dialect == Dialect::Pigato;
        if self.cx.workers.get(key).is_some_and(hears) {
            self.cx.send_worker(key, ToWorker::Disconnect);
        }
        self.remove_worker(key, Departure::Goodbye);
    }

    fn on_ready_message(
        &mut self,
        from: &[u8],
        known: Option<WorkerKey>,
        service: F,
        hello: Option<F>,
    ) -> Result<(), Malformed> {
        let hello = hello.map(|hello| Hello::parse(&hello)).transpose()?;
        if mmi::is_reserved(&service) {
            if let Some(key) = known {
                self.remove_worker(key, Departure::Protocol);
            }
            self.cx.send_away(from);
            self.cx.report_bad(from, "reserved service");
            return Ok(());
        }
        self.on_ready(from, known, &service, hello);
        Ok(())
    }
}
