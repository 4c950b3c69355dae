//! Decoding and encoding of messages.

use crate::Path;
use crate::count::counted;
use crate::frame::Frame;
use crate::words::{DATA, Ids, OPTS, SERVICE, reply, request};
use zmq_omdp::wire::Body;
use zmq_omdp::wire::omdp::{PeerMessage, ReplyKind, RequestExtra, ToClient, ToWorker};

pub const PATHS: [Path; 4] = [
    Path {
        name: "codec: REQUEST of a client",
        items: 1,
        start: || {
            let message = request(SERVICE, Ids::new().next());
            to_broker(|frames| message.encode(frames))
        },
    },
    Path {
        name: "codec: REQUEST to a worker",
        items: 1,
        start: || to_worker(request_to_worker()),
    },
    Path {
        name: "codec: FINAL of a worker",
        items: 1,
        start: || {
            let message = reply(request_to_worker(), ReplyKind::Final);
            to_broker(|frames| message.encode(frames))
        },
    },
    Path {
        name: "codec: FINAL to a client",
        items: 1,
        start: || {
            to_client(ToClient::Reply {
                kind: ReplyKind::Final,
                rid: Ids::new().next(),
                body: Body::json(Frame::from(DATA)),
                extended: true,
            })
        },
    },
];

fn request_to_worker() -> ToWorker<Frame> {
    ToWorker::Request {
        client: Frame::from(&b"C0ffee"[..]),
        rid: Ids::new().next(),
        body: Body::json(Frame::from(DATA)),
        extra: Some(RequestExtra {
            opts: Frame::from(OPTS),
            token: 7 << 32 | 7,
            retried: 0,
            stream: false,
            left_ms: None,
            service: None,
            user: None,
        }),
    }
}

fn to_broker(encode: impl FnOnce(&mut Vec<Frame>)) -> Box<dyn FnMut()> {
    let mut frames = Vec::new();
    encode(&mut frames);
    Box::new(move || {
        counted(|| match PeerMessage::decode(&mut frames) {
            Ok(PeerMessage::Client(message)) => message.encode(&mut frames),
            Ok(PeerMessage::Worker(message)) => message.encode(&mut frames),
            Err(why) => panic!("{why}"),
        });
    })
}

fn to_worker(message: ToWorker<Frame>) -> Box<dyn FnMut()> {
    let mut frames = Vec::new();
    message.encode(&mut frames);
    Box::new(move || {
        counted(|| match ToWorker::decode(&mut frames) {
            Ok(message) => message.encode(&mut frames),
            Err(why) => panic!("{why}"),
        });
    })
}

fn to_client(message: ToClient<Frame>) -> Box<dyn FnMut()> {
    let mut frames = Vec::new();
    message.encode(&mut frames);
    Box::new(move || {
        counted(|| match ToClient::decode(&mut frames) {
            Ok(message) => message.encode(&mut frames),
            Err(why) => panic!("{why}"),
        });
    })
}
