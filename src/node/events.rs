//! Converts the events and questions of a broker into records.

use super::batch_writer::BatchWriter;
use super::crossing::Kind;
use crate::io::ConnectionNotice;
use crate::io::zap::{AuthNotice, PeerCredentials};
use crate::proto::broker::{Action, BrokerEvent, Told};
use crate::wire::json::name_of;
use serde_json::json;

/// Appends the record of an event or a question.
pub(super) fn report(batch: &mut BatchWriter<'_>, told: &Told) {
    if let BrokerEvent::Authorize {
        id,
        user,
        metadata,
        action,
        service,
    } = &told.event
    {
        let mut question = json!({
            "user": user,
            "metadata": metadata,
            "action": action.as_str(),
            "service": name_of(service),
        });
        if *action == Action::ServePattern {
            question["pattern"] = true.into();
        }
        batch.json(Kind::Authorize, *id, &question.to_string());
    } else if let Some((name, payload)) = told.describe() {
        batch.event(name, &payload);
    }
}

/// Appends the record of an event about a connection; `missed` is the number of suppressed events
/// before it.
pub(super) fn report_connection(
    batch: &mut BatchWriter<'_>,
    notice: ConnectionNotice,
    missed: u64,
) {
    let (address, reason) = match notice {
        ConnectionNotice::NoDescriptors { connections } => {
            let event = json!({ "connections": connections });
            return batch.event("descriptorsExhausted", &event);
        }
        ConnectionNotice::Ended { address, reason } => (address, reason),
        ConnectionNotice::Failed { address, failure } => (address, failure.reason_at_broker()),
    };
    let mut event = json!({ "reason": reason });
    if !address.is_empty() {
        event["address"] = address.into();
    }
    if missed > 0 {
        event["missed"] = missed.into();
    }
    batch.event("peerRefused", &event);
}

/// Appends the record of an event or question about admission.
pub(super) fn report_authentication(batch: &mut BatchWriter<'_>, notice: AuthNotice) {
    match notice {
        AuthNotice::Refused {
            address,
            mechanism,
            name,
            reason,
            missed,
        } => {
            let mut event = json!({ "reason": reason });
            if missed > 0 {
                event["missed"] = missed.into();
            }
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
        AuthNotice::Authenticate { ticket, request } => {
            let mechanism = request.credentials.mechanism().to_ascii_lowercase();
            let mut peer = json!({ "address": request.address, "mechanism": mechanism });
            match request.credentials {
                PeerCredentials::Key(key) => peer["publicKey"] = key.to_z85().into(),
                PeerCredentials::Password { username, password } => {
                    peer["username"] = username.into();
                    peer["password"] = password.into();
                }
            }
            batch.json(Kind::Authenticate, ticket, &peer.to_string());
        }
    }
}
