//! The notices of a worker as records.

use crate::io::{Message, now};
use crate::node::batch_writer::{BatchWriter, RequestFields};
use crate::node::crossing::Kind;
use crate::node::peer::{self, Destinations};
use crate::proto::Time;
use crate::proto::worker::WorkerNotice;
use serde_json::json;

pub(super) fn report(
    batch: &mut BatchWriter<'_>,
    notice: WorkerNotice<Message>,
    destinations: &Destinations,
    number: usize,
) {
    match notice {
        WorkerNotice::Request {
            delivery,
            body,
            opts,
            retried,
            deadline,
            stream,
            service,
            user,
            ..
        } => {
            let fields = RequestFields {
                options: opts.as_deref().unwrap_or_default(),
                service: service.as_deref().map(|name| &**name),
                user: user.as_deref().map(|user| &**user).unwrap_or_default(),
                attempt: u32::from(retried) + 1,
                of_service: destinations.service(number),
                stream,
                left_ms: (deadline != Time::NEVER).then(|| deadline.ms_since(now())),
            };
            batch.request(delivery, body, &fields);
        }
        WorkerNotice::Cancelled { delivery, code } => {
            batch.words(Kind::Cancelled, delivery, code.as_str(), "");
        }
        WorkerNotice::Credit { delivery, bytes } => {
            batch.number(Kind::Credit, delivery, bytes as f64);
        }
        WorkerNotice::Chunk { delivery, body, .. } => batch.body(Kind::Chunk, delivery, body),
        WorkerNotice::ChunkEnd { delivery } => batch.number(Kind::ChunkEnd, delivery, 0.0),
        WorkerNotice::Connected => batch.words(Kind::Connect, 0, destinations.endpoint(number), ""),
        WorkerNotice::Disconnected(why) => {
            let endpoint = destinations.endpoint(number);
            batch.words(Kind::Disconnect, 0, endpoint, why.as_str());
            peer::report_loss(batch, endpoint, why);
        }
        WorkerNotice::Fault(why) => batch.event("badMessage", &json!({ "reason": why.as_str() })),
        // The end of the run follows.
        WorkerNotice::Drained => {}
    }
}
