//! Messages of all dialects in one form.

mod terms;

use super::accounts::ENTRY;
use super::action::Action;
use super::requests::{Content, Routing};
use crate::proto::Terms;
use crate::wire::omdp::{self, ClientMessage, Past, Recall, WorkerMessage};
use crate::wire::{Body, Dialect, Frame, Hello, Malformed, mdp, pigato};
use terms::{ahead_of_client, read_options, read_request, retry_of};

/// A message to the broker.
#[derive(Debug)]
pub(super) enum Incoming<F> {
    /// REQUEST of any dialect, and RESUME.
    Request(IncomingRequest<F>),
    Client(ClientMessage<F>),
    Worker(WorkerMessage<F>),
    MdpWorker(mdp::Dialect, mdp::WorkerMessage<F>),
    /// Messages of PIGATO without an equivalent in OMDP.
    Pigato(pigato::PeerMessage<F>),
}

/// A request before admission.
#[derive(Debug)]
pub(super) struct IncomingRequest<F> {
    pub(super) head: RequestHead<F>,
    pub(super) content: Content<F>,
    pub(super) terms: Terms,
    /// Its constraints on workers, if any.
    pub(super) routing: Option<Box<Routing>>,
    /// For a RESUME: the client's knowledge of the request from an earlier broker.
    pub(super) past: Option<Past>,
    /// For a RESUME: the client's knowledge of the earlier broker.
    pub(super) recall: Option<Box<Recall>>,
    /// How many times it was given to another worker before its client was given up.
    pub(super) retried: u8,
}

/// The parts of a request that a reply needs.
#[derive(Debug)]
pub(super) struct RequestHead<F> {
    pub(super) dialect: Dialect,
    /// Whether it has an extension frame.
    pub(super) extended: bool,
    pub(super) service: F,
    /// Empty in a request of MDP, to which the broker assigns a number.
    pub(super) rid: F,
}

impl<F: Frame> Incoming<F> {
    /// Decodes a message and leaves `frames` empty. A message of no dialect fails as one of OMDP.
    pub(super) fn decode(dialect: Option<Dialect>, frames: &mut Vec<F>) -> Result<Self, Malformed> {
        match dialect {
            Some(Dialect::Mdp(dialect)) => Ok(match mdp::PeerMessage::decode(dialect, frames)? {
                mdp::PeerMessage::Client(request) => {
                    Incoming::Request(IncomingRequest::of_mdp(dialect, request))
                }
                mdp::PeerMessage::Worker(message) => Incoming::MdpWorker(dialect, message),
            }),
            Some(Dialect::Pigato) => Ok(Incoming::of_pigato(pigato::PeerMessage::decode(frames)?)),
            // Without `?`, which would move the message once more.
            _ => match omdp::PeerMessage::decode(frames) {
                Ok(omdp::PeerMessage::Client(message)) => Incoming::of_client(message),
                Ok(omdp::PeerMessage::Worker(message)) => Ok(Incoming::Worker(message)),
                Err(why) => Err(why),
            },
        }
    }

    #[cold]
    fn of_pigato(message: pigato::PeerMessage<F>) -> Self {
        use pigato::{ClientMessage as OfClient, PeerMessage, WorkerMessage as OfWorker};
        match message {
            PeerMessage::Client(OfClient::Request {
                service,
                rid,
                data,
                opts,
            }) => Incoming::Request(IncomingRequest::of_pigato(service, rid, data, opts)),
            PeerMessage::Client(OfClient::Heartbeat) => Incoming::Client(ClientMessage::Heartbeat),
            PeerMessage::Client(OfClient::RequestHeartbeat { rid }) => {
                Incoming::Client(ClientMessage::RequestHeartbeat { rid })
            }
            PeerMessage::Worker(OfWorker::Ready { service }) => {
                let hello = None;
                Incoming::Worker(WorkerMessage::Ready { service, hello })
            }
            PeerMessage::Worker(OfWorker::Disconnect) => {
                Incoming::Worker(WorkerMessage::Disconnect)
            }
            other => Incoming::Pigato(other),
        }
    }

    fn of_client(message: ClientMessage<F>) -> Result<Self, Malformed> {
        match message {
            ClientMessage::Request {
                service,
                rid,
                data,
                opts,
                ext,
            } => {
                let (body, terms, routing) = read_request(data, opts.as_deref(), ext)?;
                Ok(Incoming::Request(IncomingRequest {
                    head: RequestHead {
                        dialect: Dialect::Omdp,
                        extended: ext.is_some(),
                        service,
                        rid,
                    },
                    content: Content { body, opts },
                    terms,
                    routing,
                    past: None,
                    recall: None,
                    retried: ext.map_or(0, |ext| ext.started),
                }))
            }
            ClientMessage::Resume {
                service,
                rid,
                data,
                opts,
                ext,
                past,
                recall,
            } => {
                let (opts, ext) = (Some(opts), Some(ext));
                let request = ClientMessage::Request {
                    service,
                    rid,
                    data,
                    opts,
                    ext,
                };
                Self::of_resume(request, past, recall)
            }
            other => Ok(Incoming::Client(other)),
        }
    }

    #[cold]
    fn of_resume(
        request: ClientMessage<F>,
        past: Past,
        recall: Option<Box<Recall>>,
    ) -> Result<Self, Malformed> {
        let mut message = Self::of_client(request)?;
        if let Incoming::Request(request) = &mut message {
            request.past = Some(past);
            request.recall = recall;
        }
        Ok(message)
    }

    /// The action that needs permission, and its service.
    pub(super) fn wants(&self) -> Option<(Action, &F)> {
        match self {
            Incoming::Request(request) => Some((Action::Call, &request.head.service)),
            Incoming::Worker(WorkerMessage::Ready { service, hello }) => {
                let hello = hello.as_ref().and_then(|hello| Hello::parse(hello).ok());
                let action = match hello.is_some_and(|hello| hello.serving.pattern) {
                    true => Action::ServePattern,
                    false => Action::Serve,
                };
                Some((action, service))
            }
            Incoming::MdpWorker(_, mdp::WorkerMessage::Ready { service }) => {
                Some((Action::Serve, service))
            }
            _ => None,
        }
    }

    /// The bytes charged for keeping the message.
    pub(super) fn held(&self) -> usize {
        let bytes = match self {
            Incoming::Request(IncomingRequest { head, content, .. }) => {
                head.service.len() + head.rid.len() + content.size()
            }
            Incoming::Worker(WorkerMessage::Ready { service, hello }) => {
                service.len() + hello.as_ref().map_or(0, |hello| hello.len())
            }
            Incoming::MdpWorker(_, mdp::WorkerMessage::Ready { service }) => service.len(),
            // No other message is ever kept.
            Incoming::Client(_)
            | Incoming::Worker(_)
            | Incoming::MdpWorker(..)
            | Incoming::Pigato(_) => 0,
        };
        ENTRY + bytes
    }

    /// The id of the request that the message cancels.
    pub(super) fn cancels(&self) -> Option<&F> {
        match self {
            Incoming::Client(ClientMessage::Cancel { rid, .. }) => Some(rid),
            _ => None,
        }
    }

    pub(super) fn is_request(&self, name: &[u8]) -> bool {
        matches!(self, Incoming::Request(request) if *request.head.rid == *name)
    }

    pub(super) fn is_goodbye(&self) -> bool {
        matches!(
            self,
            Incoming::Client(ClientMessage::Disconnect)
                | Incoming::Worker(WorkerMessage::Disconnect)
                | Incoming::MdpWorker(_, mdp::WorkerMessage::Disconnect)
        )
    }
}

impl<F: Frame> IncomingRequest<F> {
    /// A request without terms and without what only OMDP has.
    pub(super) fn plain(head: RequestHead<F>, content: Content<F>) -> Self {
        IncomingRequest {
            head,
            content,
            terms: Terms::default(),
            routing: None,
            past: None,
            recall: None,
            retried: 0,
        }
    }

    fn of_pigato(service: F, rid: F, data: F, opts: Option<F>) -> Self {
        let (timeout, routing) = read_options(opts.as_deref(), "workerId");
        let terms = Terms {
            timeout: timeout.map(ahead_of_client),
            retry: retry_of(opts.as_deref()),
            ..Terms::default()
        };
        let head = RequestHead {
            dialect: Dialect::Pigato,
            extended: false,
            service,
            rid,
        };
        let body = pigato::body(data);
        IncomingRequest {
            terms,
            routing,
            ..Self::plain(head, Content { body, opts })
        }
    }

    fn of_mdp(dialect: mdp::Dialect, request: mdp::ClientRequest<F>) -> Self {
        let head = RequestHead {
            dialect: Dialect::Mdp(dialect),
            extended: false,
            service: request.service,
            rid: F::from(&[][..]),
        };
        let body = Body::from_frames(request.body);
        // MDP has no terms of a request. Admission fills in those of the configuration.
        Self::plain(head, Content { body, opts: None })
    }
}
