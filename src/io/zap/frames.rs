//! The codec of ZAP's requests and replies.

use super::request::{PeerCredentials, ZapRequest};
use crate::io::Message;
use crate::io::security::Key;
use crate::proto::broker::Principal;

const VERSION: &[u8] = b"1.0";

/// The message property that holds the sender's principal.
pub(in crate::io) const PRINCIPAL: &std::ffi::CStr = c"Omdp-Principal";

/// The receiver of a reply.
pub(super) struct ReplyTo {
    /// libzmq's id of the connection.
    routing_id: Message,
    request_id: Message,
}

/// A request for the authenticator of a domain.
pub(super) struct Request {
    pub(super) domain: String,
    pub(super) request: ZapRequest,
}

/// Parses `∅ version request-id domain address identity mechanism credentials…` after the routing
/// id. The request is `None` if it has to be refused; the result is `None` if no reply is possible.
pub(super) fn parse(frames: &mut Vec<Message>) -> Option<(ReplyTo, Option<Request>)> {
    let mut frames = frames.drain(..);
    let mut next = || frames.next();
    let (routing_id, _, version, request_id) = (next()?, next()?, next()?, next()?);
    let reply_to = ReplyTo {
        routing_id,
        request_id,
    };
    let request = (|| {
        let (domain, address, _, mechanism) = (next()?, next()?, next()?, next()?);
        let credentials = match (&*mechanism, next(), next()) {
            (b"CURVE", Some(key), None) => {
                PeerCredentials::Key(Key(<[u8; 32]>::try_from(&*key).ok()?))
            }
            (b"PLAIN", Some(username), Some(password)) => PeerCredentials::Password {
                username: text(&username),
                password: text(&password),
            },
            _ => return None,
        };
        (*version == *VERSION).then(|| Request {
            domain: text(&domain),
            request: ZapRequest {
                // The prefix is that of a socket that listens on both families.
                address: text(address.strip_prefix(b"::ffff:").unwrap_or(&address)),
                credentials,
            },
        })
    })();
    Some((reply_to, request))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The peer gets no further detail. With status 300, or without a reply, it would wait for ever.
pub(super) fn refusal(to: ReplyTo) -> Vec<Message> {
    reply(to, b"400", b"not admitted", b"", &[])
}

pub(super) fn admission(to: ReplyTo, principal: &Principal) -> Vec<Message> {
    let mut metadata = Vec::new();
    let name = PRINCIPAL.to_bytes();
    let value = principal.to_text();
    metadata.push(name.len() as u8);
    metadata.extend(name);
    metadata.extend((value.len() as u32).to_be_bytes());
    metadata.extend(value.as_bytes());
    reply(to, b"200", b"OK", principal.user.as_bytes(), &metadata)
}

fn reply(to: ReplyTo, status: &[u8], text: &[u8], user: &[u8], metadata: &[u8]) -> Vec<Message> {
    let mut frames = vec![to.routing_id, Message::default(), Message::from(VERSION)];
    frames.push(to.request_id);
    frames.extend([status, text, user, metadata].map(Message::from));
    frames
}
