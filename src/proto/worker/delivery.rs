//! A delivery: one request in the hands of the worker, from the message that brings it to the reply,
//! or the word that nobody waits for one.

use super::input::Input;
use super::{Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::Debt;
use crate::wire::omdp::{RequestExtra, WorkerMessage};
use crate::wire::{Body, Frame};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Delivery<F> {
    pub(super) client: F,
    pub(super) rid: F,
    /// The broker's handle of it, from a broker of ours that is there.
    pub(super) token: Option<u64>,
    /// Whose request it is, as the broker said.
    pub(super) user: Option<Box<F>>,
    /// How many parts of the reply were handed to the transport.
    pub(super) sent: u32,
    /// Its broker is lost, and no other has found the client.
    pub(super) detached: bool,
    pub(super) arrived: Time,
    /// What its user has written, for a dialect without partials.
    pub(super) parts: Vec<F>,
    /// Toward a broker that knows no flow control: what its parts cost.
    pub(super) debt: Debt,
    /// What all of the parts that were sent cost, and how much credit its user was given.
    pub(super) spent: u64,
    pub(super) granted: u64,
    /// How many bytes more its user has counted than there were.
    pub(super) surplus: i64,
    /// If its data are a stream.
    pub(super) input: Option<Box<Input>>,
}

impl<F> Delivery<F> {
    /// One that begins.
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
            input: None,
        }
    }
}

impl<F: Frame> Worker<F> {
    /// `extra` is what a broker of ours says of it.
    pub(super) fn on_request(
        &mut self,
        now: Time,
        delivery: Delivery<F>,
        body: Body<F>,
        extra: Option<RequestExtra<F>>,
    ) {
        if self.draining.is_some() {
            // It crossed our decision to leave; our goodbye, or this, gives it to another worker.
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
        let stream = delivery.input.is_some();
        if let Some(token) = delivery.token {
            self.by_token.insert(token, number);
        }
        self.deliveries.insert(number, delivery);
        if self.stalled_at.is_none() {
            self.watch_for_stall(now);
        }
        let (mut opts, mut retried, mut service, mut user) = (None, 0, None, None);
        let mut left_ms = None;
        if let Some(extra) = extra {
            opts = Some(extra.opts);
            retried = extra.retried;
            left_ms = extra.left_ms;
            service = extra.service;
            user = extra.user;
        }
        self.notices.push(WorkerNotice::Request {
            delivery: number,
            body,
            opts,
            retried,
            deadline: left_ms.map(|ms| now + Duration::from_millis(ms.into())),
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
        if self.forget(number).is_some() {
            self.notices.push(WorkerNotice::Cancelled {
                delivery: number,
                code,
            });
        }
    }
}
