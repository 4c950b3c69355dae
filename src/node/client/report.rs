//! The records of a client's notices.

use crate::io::Message;
use crate::node::batch_writer::BatchWriter;
use crate::node::crossing::{Kind, RequestPlace};
use crate::node::peer;
use crate::proto::client::ClientNotice;
use crate::wire::json::name_of;
use crate::wire::omdp::{Place, ReplyKind};
use serde_json::json;

pub(super) fn report(batch: &mut BatchWriter<'_>, notice: ClientNotice<Message>, endpoint: &str) {
    match notice {
        ClientNotice::Reply { id, kind, body } => {
            let kind = match kind {
                ReplyKind::Partial => Kind::Partial,
                ReplyKind::Final => Kind::Final,
                ReplyKind::Error | ReplyKind::OwnError | ReplyKind::Rejected => Kind::Error,
            };
            batch.body(kind, id, body);
        }
        ClientNotice::Credit { id, bytes } => batch.number(Kind::Credit, id, bytes as f64),
        ClientNotice::Attempt { id, attempt } => {
            batch.number(Kind::Attempt, id, f64::from(attempt));
        }
        ClientNotice::Enough { id } => batch.number(Kind::Enough, id, 0.0),
        ClientNotice::Failed { id, code } => batch.words(Kind::Failed, id, &code, ""),
        ClientNotice::Place { id, place, earlier } => {
            let latest = u32::from(earlier);
            match place {
                Place::NoWorker => batch.place(id, RequestPlace::NoWorker, "", latest),
                Place::Queued => batch.place(id, RequestPlace::Queued, "", latest),
                Place::Worker(name) => {
                    batch.place(id, RequestPlace::Worker, &name_of(&name), latest + 1);
                }
            }
        }
        ClientNotice::Connected => batch.words(Kind::Connect, 0, endpoint, ""),
        ClientNotice::Disconnected(why) => {
            batch.words(Kind::Disconnect, 0, endpoint, why.as_str());
            peer::report_loss(batch, endpoint, why);
        }
        ClientNotice::Fault(why) => batch.event("badMessage", &json!({ "reason": why.as_str() })),
    }
}
