//! A delivery: one request at the worker, from its arrival to the end of the reply or its cancellation.

use super::data_stream::DataStream;
use super::{Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::Debt;
use crate::proto::request_id::end_of;
use crate::wire::omdp::{RequestExtra, WorkerMessage};
use crate::wire::{Body, Frame};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Delivery<F> {
    pub(super) client: F,
    pub(super) rid: F,
    /// The token of the request; only from an extended broker that is connected.
    pub(super) token: Option<u64>,
    /// The user of the request, as stated by the broker.
    pub(super) user: Option<Box<F>>,
    /// Number of parts of the reply that were handed to the transport.
    pub(super) sent: u32,
    /// Whether its broker is lost and no other broker has resumed it.
    pub(super) detached: bool,
    pub(super) arrived: Time,
    /// Collected partials, for a dialect without partials.
    pub(super) parts: Vec<F>,
    /// Cost of its partials, for a broker without flow control.
    pub(super) debt: Debt,
    /// Cost of all partials that were sent, and the credit that the application was given.
    pub(super) spent: u64,
    pub(super) granted: u64,
    /// The excess of the cost as counted by the application.
    pub(super) surplus: i64,
    /// Present if its data are a stream.
    pub(super) data_stream: Option<Box<DataStream>>,
}

impl<F> Delivery<F> {
    /// Creates a delivery that has just arrived.
    pub(super) fn new(
        now: Time,
        client: F,
        rid: F,
        token: Option<u64>,
        user: Option<Box<F>>,
    ) -> Self {
        Delivery {
            client,
            rid,
            token,
            user,
            sent: 0,
            detached: false,
            arrived: now,
            parts: Vec::new(),
            debt: Debt::default(),
            spent: 0,
            granted: 0,
            surplus: 0,
            data_stream: None,
        }
    }
}

impl<F: Frame> Worker<F> {
    /// `extra` is present for requests of an extended broker.
    pub(super) fn on_request(
        &mut self,
        now: Time,
        delivery: Delivery<F>,
        body: Body<F>,
        extra: Option<RequestExtra<F>>,
    ) {
        if self.draining.is_some() {
            // The request and the decision to leave have crossed. RETURN, or else the goodbye, gives it to another
            // worker.
            if let Some(token) = delivery.token.filter(|_| !self.said_goodbye()) {
                self.transmits.push(WorkerMessage::Return {
                    tokens: F::from(&token.to_be_bytes()[..]),
                });
            }
            return;
        }
        if self.paused && self.give_back(delivery.token) {
            return;
        }
        self.last_delivery += 1;
        let number = self.last_delivery;
        let returnable = delivery.token.is_some();
        let stream = delivery.data_stream.is_some();
        let id_end = end_of(&delivery.rid);
        if let Some(token) = delivery.token {
            self.by_token.insert(token, number);
        }
        self.deliveries.insert(number, delivery);
        if self.stalled_at.is_none() {
            self.watch_for_stall(now);
        }
        let (mut opts, mut retried, mut service, mut user) = (None, 0, None, None);
        let mut deadline = Time::NEVER;
        if let Some(extra) = extra {
            opts = Some(extra.opts);
            retried = extra.retried;
            if let Some(ms) = extra.left_ms {
                deadline = now + Duration::from_millis(ms.into());
            }
            service = extra.service;
            user = extra.user;
        }
        self.notices.push(WorkerNotice::Request {
            delivery: number,
            id_end,
            body,
            opts,
            retried,
            deadline,
            stream,
            service,
            user,
            returnable,
        });
    }

    pub(super) fn forget(&mut self, number: u64) -> Option<Delivery<F>> {
        let delivery = self.deliveries.remove(&number)?;
        if let Some(token) = delivery.token {
            self.by_token.remove(&token);
        }
        Some(delivery)
    }

    pub(super) fn cancel(&mut self, number: u64, code: Code) {
        self.detached.take(number);
        self.cancel_handler(number, code);
    }

    /// Cancels a delivery, and keeps what is detached of it.
    pub(super) fn cancel_handler(&mut self, number: u64, code: Code) {
        if let Some(delivery) = self.forget(number) {
            self.had.note(&delivery.client, &delivery.rid);
            self.notices.push(WorkerNotice::Cancelled {
                delivery: number,
                code,
            });
        }
    }
}
