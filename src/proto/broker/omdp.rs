//! Dispatches the messages of extended and 0.0.92 peers to their handlers.

use super::ends::End;
use super::workers::Worker;
use super::{Broker, Departure, mmi};
use crate::proto::Time;
use crate::wire::omdp::{ClientMessage, ToWorker, WorkerMessage, lives, tokens};
use crate::wire::{Dialect, Frame, Hello, Malformed};

impl<F: Frame> Broker<F> {
    pub(super) fn on_client(
        &mut self,
        now: Time,
        from: &[u8],
        message: ClientMessage<F>,
    ) -> Result<(), Malformed> {
        let known = self.clients.find(from);
        if let Some(client) = known.and_then(|key| self.clients.get_mut(key)) {
            client.beats.heard(now);
            client.cut_off = false;
        }
        match (message, known) {
            (ClientMessage::Hello { hello }, _) => {
                let hello = Hello::parse(&hello)?;
                self.on_hello(now, from, hello);
                if self.stopping
                    && let Some(key) = self.clients.find(from)
                {
                    self.send_on(key);
                }
            }
            (ClientMessage::Go { rids }, Some(key)) => self.on_go(now, key, &rids),
            (ClientMessage::RequestHeartbeat { rid }, Some(key)) => {
                self.pass_heartbeat(key, rid);
            }
            (ClientMessage::Cancel { rid, expired }, Some(key)) => {
                let Some(request) = self.clients.request(key, &rid, &self.requests) else {
                    // A request of its own that has just ended, or a guessed id. The two look the
                    // same.
                    self.authorizer.refusals.strays += 1;
                    return Ok(());
                };
                let end = match expired {
                    true => End::ExpiredAtClient,
                    false => End::Cancelled,
                };
                self.end(now, request, end);
            }
            (ClientMessage::Credit { rid, bytes }, Some(key)) => {
                self.on_credit(now, key, &rid, bytes);
            }
            (
                ClientMessage::Chunk {
                    rid,
                    body,
                    at,
                    last,
                },
                Some(key),
            ) => self.on_chunk(now, key, &rid, body, (at, last)),
            (ClientMessage::AskNeed { rid }, Some(key)) => self.on_ask_need(key, &rid),
            (ClientMessage::Ack(ack), Some(key)) => self.on_ack(key, ack),
            (ClientMessage::AllResumed, Some(key)) => self.on_all_resumed(now, key),
            (ClientMessage::Heard { last }, Some(key)) => self.on_heard(now, key, last),
            (ClientMessage::Where { rid }, Some(key)) => self.on_where(key, rid),
            (ClientMessage::Disconnect, Some(key)) => self.drop_client(now, key),
            // Handled by `admission`.
            (ClientMessage::Request { .. } | ClientMessage::Resume { .. }, _) => {}
            (ClientMessage::Heartbeat, _) | (_, None) => {}
        }
        Ok(())
    }

    pub(super) fn on_worker(
        &mut self,
        now: Time,
        from: &[u8],
        message: WorkerMessage<F>,
    ) -> Result<(), Malformed> {
        let known = self.workers.find(from);
        if let Some(key) = known
            && let Some(worker) = self.workers.get_mut(key)
        {
            if worker.absence.is_some_and(|absence| absence.is_usurped())
                && !matches!(message, WorkerMessage::Ready { .. })
            {
                self.send_away(from);
                return Ok(());
            }
            worker.beats.heard(now);
        }
        match (message, known) {
            (WorkerMessage::Ready { service, hello }, known) => {
                let hello = hello.map(|hello| Hello::parse(&hello)).transpose()?;
                if mmi::is_reserved(&service) {
                    if let Some(key) = known {
                        self.remove_worker(now, key, Departure::Protocol);
                    }
                    self.send_away(from);
                    self.report_bad(from, "reserved service");
                    return Ok(());
                }
                self.on_ready(now, from, known, &service, hello);
            }
            (WorkerMessage::Disconnect, None) => {}
            (_, None) => self.send_away(from),
            (
                WorkerMessage::Reply {
                    kind,
                    client,
                    rid,
                    body,
                    token,
                    pace,
                },
                Some(key),
            ) => {
                let request = match token {
                    Some(token) => self.requests.by_token(token),
                    None => self.running_of_old(key, &client, &rid),
                };
                if token.is_some() {
                    self.acknowledge(key, body.bytes.len());
                }
                if request.is_none() && kind.is_last() {
                    self.release_old_worker(now, key, &client, &rid);
                }
                self.on_reply(now, key, request, kind, body, pace);
            }
            (WorkerMessage::Heartbeat, Some(key)) => {
                if self.workers.get(key).is_some_and(|w| w.hello.is_none()) {
                    self.is_of_0_0_92(key);
                    self.beat_old_worker(key);
                }
            }
            (WorkerMessage::Return { tokens: frame }, Some(key)) => {
                self.on_return(now, key, tokens(&frame));
            }
            (
                WorkerMessage::Claim {
                    client,
                    rid,
                    ext,
                    user,
                },
                Some(key),
            ) => self.on_claim(now, key, &client, &rid, ext, user),
            (WorkerMessage::Need { token, need }, Some(key)) => {
                self.on_need(now, key, token, need);
            }
            (WorkerMessage::AllClaimed { lives: told }, Some(key)) => {
                self.end_of_claims(now, key, true);
                if let Some(told) = told {
                    self.on_lives(key, lives(&told).collect());
                }
            }
            (WorkerMessage::Denied { tokens: frame }, Some(key)) => {
                self.on_denied(now, key, tokens(&frame));
            }
            (WorkerMessage::Disconnect, Some(key)) => {
                // So that an extended worker can wait until its goodbye has arrived.
                let hears = |w: &Worker| w.hello.is_some() || w.dialect == Dialect::Pigato;
                if self.workers.get(key).is_some_and(hears) {
                    self.send_worker(key, ToWorker::Disconnect);
                }
                self.remove_worker(now, key, Departure::Goodbye);
            }
        }
        Ok(())
    }
}
