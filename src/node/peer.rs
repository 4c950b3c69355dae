//! What the shells of the worker and the client share: who they are to their brokers, and the
//! records that both have.

use super::batch_writer::BatchWriter;
use super::core::{self, Core};
use super::crossing::Kind;
use crate::io::dealer::{Notice, Stats};
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::Dialect;
use napi_derive::napi;
use serde_json::json;
use std::ops::ControlFlow;

/// How many bytes of data a worker or client has sent and received.
#[napi(object)]
pub struct Bytes {
    /// Received.
    pub bytes_in: f64,
    /// Sent.
    pub bytes_out: f64,
}

/// The identity on the broker to one of the brokers, in the life that begins next. Two of the
/// endpoints may lead to one broker, unless the user says who is to be seen there.
pub(super) fn identity<C, N>(
    core: &Core<C, N>,
    dialect: Dialect,
    broker: usize,
    name: &str,
    generated: bool,
) -> Vec<u8> {
    if let Dialect::Mdp(_) = dialect {
        // In MDP whoever connects anew is somebody new: what was meant for the earlier one must not
        // reach it, so it has no name that outlives a connection.
        return Vec::new();
    }
    let mut identity = core.identity(name, generated);
    if generated && broker > 0 {
        identity.extend(format!("-{broker}").as_bytes());
    }
    identity
}

/// The address of a broker, and which of its services a worker has there; 0 for a client.
pub(super) type Line = (String, usize);

/// The numbers by which a driver knows its brokers, for one life: each is that of an address, or of a service there, and
/// stays so when the broker comes back. So what is told late of one is never taken for another's.
#[derive(Debug, Default)]
pub(super) struct Lines {
    numbered: Vec<Line>,
    /// Those that are there.
    present: Vec<usize>,
}

/// What has become of the lines.
pub(super) struct Change {
    pub(super) came: Vec<usize>,
    pub(super) went: Vec<usize>,
}

impl Lines {
    /// These are there from now on.
    pub(super) fn set(&mut self, lines: impl IntoIterator<Item = Line>) -> Change {
        let mut present = Vec::new();
        for line in lines {
            let known = self.numbered.iter().position(|each| *each == line);
            present.push(known.unwrap_or_else(|| {
                self.numbered.push(line);
                self.numbered.len() - 1
            }));
        }
        let old = std::mem::replace(&mut self.present, present);
        let now = self.present.iter().copied();
        Change {
            came: now.filter(|line| !old.contains(line)).collect(),
            went: old
                .iter()
                .copied()
                .filter(|line| !self.present.contains(line))
                .collect(),
        }
    }

    /// Where one leads.
    pub(super) fn address(&self, line: usize) -> &str {
        self.numbered.get(line).map_or("", |(address, _)| address)
    }

    /// Which of the services a worker has there.
    pub(super) fn service(&self, line: usize) -> usize {
        self.numbered.get(line).map_or(0, |(_, service)| *service)
    }
}

/// Makes the record of a notice, with `of_machine` for those of the role; a ping makes none.
/// `Break` is the end of the life.
pub(super) fn report<N>(
    batch: &mut BatchWriter<'_>,
    generation: u64,
    lines: &Lines,
    notice: Notice<N>,
    of_machine: impl FnOnce(&mut BatchWriter<'_>, N, usize),
) -> ControlFlow<()> {
    let endpoint_of = |broker: usize| lines.address(broker);
    match notice {
        Notice::Started => batch.json(Kind::Started, generation, "[]"),
        Notice::StartFailed(error) => return core::start_failed(batch, generation, &error),
        Notice::Stopped => return core::stopped(batch, generation),
        Notice::Refused(broker, failure) => {
            let payload = json!({ "endpoint": endpoint_of(broker), "reason": failure.as_str() });
            batch.event("refused", &payload);
        }
        Notice::Unreachable(broker, error) => {
            let payload = json!({
                "endpoint": endpoint_of(broker),
                "code": error.code,
                "reason": error.message,
            });
            batch.event("unreachable", &payload);
        }
        Notice::Ping => {}
        Notice::Stats(id, snapshot) => batch.json(Kind::Stats, id, &stats(snapshot)),
        Notice::Machine(broker, notice) => of_machine(batch, notice, broker),
    }
    ControlFlow::Continue(())
}

/// Of the losses that are for good the user hears as of an error.
pub(super) fn report_loss(batch: &mut BatchWriter<'_>, endpoint: &str, why: Loss) {
    if why == Loss::NameTaken {
        let code = Code::NameTaken.as_str();
        let payload = json!({ "endpoint": endpoint, "reason": why.as_str(), "code": code });
        batch.event("refused", &payload);
    }
}

/// What a worker or client has in its hands, as JSON.
pub(super) fn stats(stats: Stats) -> String {
    let Stats {
        connected,
        queued,
        running,
    } = stats;
    json!({ "connected": connected, "queued": queued, "running": running }).to_string()
}
