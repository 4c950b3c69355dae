//! The events of a broker, and its questions, as records for JavaScript.

use super::batch_writer::BatchWriter;
use super::crossing::Kind;
use crate::io::zap::{GateNotice, Shown};
use crate::proto::broker::BrokerEvent;
use serde_json::json;

/// Puts what the broker tells or asks into a batch.
pub(super) fn report(batch: &mut BatchWriter<'_>, event: &BrokerEvent) {
    // Identities and names are bytes; where they are text they are shown as such.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match event {
        BrokerEvent::WorkerReady { worker, service } => batch.event(
            "workerReady",
            &json!({ "worker": text(worker), "service": text(service) }),
        ),
        BrokerEvent::WorkerGone {
            worker,
            service,
            why,
            lost,
        } => batch.event(
            "workerGone",
            &json!({
                "worker": text(worker),
                "service": text(service),
                "reason": why.as_str(),
                "lost": lost,
            }),
        ),
        BrokerEvent::ClientGone { client, why, lost } => batch.event(
            "clientGone",
            &json!({ "client": text(client), "reason": why.as_str(), "lost": lost }),
        ),
        BrokerEvent::RequestExpired { service, running } => batch.event(
            "requestExpired",
            &json!({ "service": text(service), "running": running }),
        ),
        BrokerEvent::QueueFull {
            service,
            requests,
            bytes,
            total,
        } => batch.event(
            "queueFull",
            &json!({
                "service": text(service),
                "queued": requests,
                "queuedBytes": bytes,
                "total": total,
            }),
        ),
        BrokerEvent::Denied {
            peer,
            user,
            action,
            service,
        } => batch.event(
            "denied",
            &json!({
                "peer": text(peer),
                "user": user,
                "action": action.as_str(),
                "service": text(service),
            }),
        ),
        BrokerEvent::Authorize {
            id,
            user,
            metadata,
            action,
            service,
        } => {
            let question = json!({
                "user": user,
                "metadata": metadata,
                "action": action.as_str(),
                "service": text(service),
            });
            batch.json(Kind::Authorize, *id, &question.to_string());
        }
        BrokerEvent::BadMessage { peer, why } => {
            batch.event("badMessage", &json!({ "peer": text(peer), "reason": why }));
        }
    }
}

/// The same of who is let in.
pub(super) fn report_gate(batch: &mut BatchWriter<'_>, notice: GateNotice) {
    match notice {
        GateNotice::Refused {
            address,
            mechanism,
            name,
            reason,
        } => {
            let mut event = json!({ "reason": reason });
            if !mechanism.is_empty() {
                let who = if mechanism == "CURVE" {
                    "publicKey"
                } else {
                    "username"
                };
                event["address"] = address.into();
                event["mechanism"] = mechanism.to_ascii_lowercase().into();
                event[who] = name.into();
            }
            batch.event("peerRefused", &event);
        }
        GateNotice::Authenticate { ticket, knock } => {
            let mechanism = knock.credentials.mechanism().to_ascii_lowercase();
            let mut peer = json!({ "address": knock.address, "mechanism": mechanism });
            match knock.credentials {
                Shown::Key(key) => peer["publicKey"] = key.to_z85().into(),
                Shown::Password { username, password } => {
                    peer["username"] = username.into();
                    peer["password"] = password.into();
                }
            }
            batch.json(Kind::Authenticate, ticket, &peer.to_string());
        }
    }
}
