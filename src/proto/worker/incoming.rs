//! Messages of the broker.

use super::delivery::Delivery;
use super::{Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::omdp::{RequestExtra, ToWorker};
use crate::wire::{Dialect, Frame, Hello, Malformed, pigato};

impl<F: Frame> Worker<F> {
    /// Handles a message of the broker. Leaves `frames` empty.
    pub(super) fn receive(&mut self, now: Time, frames: &mut Vec<F>) {
        // The connection has already ended.
        if !self.link.is_up() {
            return frames.clear();
        }
        if self.config.dialect == Dialect::Pigato {
            return self.on_pigato(now, frames);
        }
        let message = match self.config.dialect.decode_for_worker(frames) {
            Ok(message) => message,
            Err(why) => return self.notices.push(WorkerNotice::Fault(why)),
        };
        if !matches!(message, ToWorker::Disconnect | ToWorker::NameTaken { .. }) {
            self.heard(now);
        }
        match message {
            ToWorker::Welcome { hello } => self.on_welcome(now, &hello),
            // An extended broker sent it to an earlier life of this name. It ends these requests
            // when it receives READY.
            ToWorker::Request { extra: Some(_), .. } if self.link.peer().is_none() => {}
            // A second delivery of the same token could not be cancelled.
            ToWorker::Request {
                extra: Some(extra), ..
            } if self.by_token.contains_key(&extra.token) => {
                self.notices.push(WorkerNotice::Fault(Malformed::Extension));
            }
            ToWorker::Request {
                client,
                rid,
                body,
                extra,
            } => {
                let token = extra.as_ref().map(|extra| extra.token);
                let stream = extra.as_ref().is_some_and(|extra| extra.stream);
                let user = extra.as_ref().and_then(|extra| extra.user.clone());
                let mut delivery = Delivery::new(now, client, rid, token, user);
                delivery.data_stream = stream.then(Box::default);
                self.on_request(now, delivery, body, extra);
            }
            ToWorker::Cancel { token } => {
                if let Some(&delivery) = self.by_token.get(&token) {
                    self.cancel(delivery, Code::Aborted);
                    self.check_drained(now);
                }
            }
            // Before its hello, a broker may refer to the messages and claims of an earlier connection.
            ToWorker::Resume(_) | ToWorker::Hold { .. } | ToWorker::Ack { .. }
                if self.link.peer().is_none() => {}
            ToWorker::Resume(ext) => self.on_resume(now, ext),
            ToWorker::Hold { token } => self.on_hold(now, token),
            ToWorker::Ack { ack, stamp } => {
                self.log.acknowledge(ack.messages);
                if let Some(stamp) = stamp {
                    self.had.stamp(stamp);
                }
            }
            ToWorker::Ask { session, questions } => self.on_ask(&session, &questions),
            ToWorker::Disclaim { numbers } => self.on_disclaim(now, &numbers),
            ToWorker::Credit { token, bytes } => {
                if let Some(&number) = self.by_token.get(&token)
                    && let Some(delivery) = self.deliveries.get_mut(&number)
                {
                    self.notices.push(delivery.credit(number, bytes));
                }
            }
            ToWorker::Chunk {
                token,
                body,
                at,
                last,
            } => self.on_chunk(token, body, (at, last)),
            ToWorker::AskNeed { token } => {
                if let Some(&number) = self.by_token.get(&token) {
                    self.say_need(number, true);
                }
            }
            // A heartbeat of the client. A delivery stays active until it is cancelled.
            ToWorker::RequestHeartbeat { .. } | ToWorker::Heartbeat => {}
            ToWorker::Disconnect => self.on_disconnect(now),
            ToWorker::Ping => self.heartbeat(),
            ToWorker::NameTaken { session, asked } => self.name_taken(now, &session, asked),
        }
    }

    #[cold]
    fn on_welcome(&mut self, now: Time, hello: &[u8]) {
        match Hello::parse(hello) {
            Ok(hello) => {
                self.had.begin(&hello.session, hello.number);
                self.link.welcome(hello);
                self.claim_detached();
                self.check_drained(now);
                if self.announced != self.concurrency() {
                    self.send_ready();
                }
            }
            Err(why) => self.notices.push(WorkerNotice::Fault(why)),
        }
    }

    #[cold]
    fn on_disconnect(&mut self, now: Time) {
        if !self.connected {
            self.link.refused();
        }
        self.lose(now, Loss::Refused);
    }

    /// Handles a message of a PIGATO broker, which passes on the options of the client.
    #[cold]
    fn on_pigato(&mut self, now: Time, frames: &mut Vec<F>) {
        let (message, opts) = match pigato::ToWorker::decode(frames) {
            Ok(message) => message.into_neutral(),
            Err(why) => return self.notices.push(WorkerNotice::Fault(why)),
        };
        match message {
            ToWorker::Request {
                client, rid, body, ..
            } => {
                self.heard(now);
                let delivery = Delivery::new(now, client, rid, None, None);
                let extra = opts.map(|opts| RequestExtra {
                    opts,
                    token: 0,
                    retried: 0,
                    stream: false,
                    left_ms: None,
                    service: None,
                    user: None,
                });
                self.on_request(now, delivery, body, extra);
            }
            ToWorker::Disconnect => self.on_disconnect(now),
            _ => self.heard(now),
        }
    }
}
