//! A client, its socket, and an application that makes requests and records replies.

use super::{LinkNews, effect};
use crate::proto::client::{ClientConfig, ClientNotice, ClientTerms, RetryPolicy};
use crate::proto::flow::{self, CREDIT_STEP, WINDOW};
use crate::proto::machine::Machine;
use crate::proto::tests::net::actor::{Actor, Asks, Effect, Frames, Wakes};
use crate::proto::tests::net::{End, Seen};
use crate::proto::{Client, Terms, Time};
use crate::wire::omdp::ReplyKind;
use crate::wire::packed::pack;
use crate::wire::{Body, Malformed};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub struct ClientActor {
    pub machine: Client<Vec<u8>>,
    pub config: ClientConfig,
    life: u32,
    pub seen: Vec<Seen>,
    pub news: Vec<(Time, LinkNews)>,
    pub faults: Vec<Malformed>,
    /// Whether the application reads what arrives.
    pub reads: bool,
    /// The retry policy of the next request.
    pub policy: Option<RetryPolicy>,
    /// The streams of open requests.
    pub streams: BTreeMap<u64, Stream>,
    /// The data of requests with streams. They stay here after the end.
    pub sources: BTreeMap<u64, Source>,
    wakes: Wakes,
}

/// The data of a request with a stream.
#[derive(Default)]
pub struct Source {
    /// Chunks that are still to be submitted.
    pub parts: VecDeque<Body<Vec<u8>>>,
    /// Whether further chunks will be added.
    pub goes_on: bool,
    pub credit: i64,
    /// Number of submitted chunks.
    pub given: usize,
    pub ended: bool,
    /// Whether the worker needs no more.
    pub enough: bool,
}

/// How much of a reply is unread, has been read, and has been credited.
#[derive(Default)]
pub struct Stream {
    pub request: Vec<u8>,
    pub unread: u32,
    pub read: i64,
    owed: u32,
}

impl ClientActor {
    pub fn new(config: ClientConfig) -> Self {
        ClientActor {
            machine: Self::machine(&config, 0),
            config,
            life: 0,
            seen: Vec::new(),
            news: Vec::new(),
            faults: Vec::new(),
            reads: true,
            policy: None,
            streams: BTreeMap::new(),
            sources: BTreeMap::new(),
            wakes: Wakes::default(),
        }
    }

    pub fn cancel(&mut self, id: u64) {
        self.seen[id as usize].dropped = true;
        self.streams.remove(&id);
        self.machine.cancel(id);
    }

    pub fn ask(&mut self, now: Time, service: &str, body: Body<Vec<u8>>, terms: Terms) -> u64 {
        self.ask_more(now, service, body, terms, "")
    }

    /// A request with additional options after the timeout, such as `,"priority":1`.
    pub fn ask_more(
        &mut self,
        now: Time,
        service: &str,
        body: Body<Vec<u8>>,
        mut terms: Terms,
        more: &str,
    ) -> u64 {
        terms.routed |= !more.is_empty();
        let id = self.seen.len() as u64;
        self.seen.push(Seen::new(body.clone(), terms.timeout));
        let opts = match terms.timeout {
            Some(timeout) => format!(r#"{{"timeout":{}{more}}}"#, timeout.as_millis()),
            None => format!(r#"{{"timeout":-1{more}}}"#),
        };
        let stream = Stream {
            request: body.bytes.clone(),
            ..Stream::default()
        };
        self.streams.insert(id, stream);
        let service = service.as_bytes().to_vec();
        let terms = ClientTerms {
            terms,
            policy: self.policy.take().map(Box::new),
        };
        self.machine
            .request(now, id, service, body, opts.into_bytes(), terms);
        id
    }

    /// A request whose data are a stream of these parts.
    pub fn ask_stream(
        &mut self,
        now: Time,
        service: &str,
        parts: Vec<Body<Vec<u8>>>,
        terms: Terms,
    ) -> u64 {
        self.ask_stream_of(now, service, Body::json(Vec::new()), parts, terms)
    }

    /// As `ask_stream`, with a body that tells the requests apart.
    pub fn ask_stream_of(
        &mut self,
        now: Time,
        service: &str,
        body: Body<Vec<u8>>,
        parts: Vec<Body<Vec<u8>>>,
        terms: Terms,
    ) -> u64 {
        let stream = true;
        let id = self.ask(now, service, body, Terms { stream, ..terms });
        let parts = parts.into();
        self.sources.insert(
            id,
            Source {
                parts,
                ..Source::default()
            },
        );
        id
    }

    /// Submits chunks of a request's data as far as permitted.
    pub fn feed(&mut self, now: Time, id: u64) {
        let Some(source) = self.sources.get_mut(&id) else {
            return;
        };
        while source.credit > 0
            && !source.enough
            && let Some(body) = source.parts.pop_front()
        {
            let counted = flow::cost(&body);
            source.credit -= i64::from(counted);
            source.given += 1;
            self.machine.chunk(now, id, body, counted);
        }
        let begun = source.given > 0 || source.credit > 0;
        if source.parts.is_empty() && !source.goes_on && !source.ended && begun {
            source.ended = true;
            self.machine.end_input(now, id);
        }
    }

    /// Stops the client as its application would, which ends all requests itself.
    pub fn stop(&mut self) {
        self.drop_all();
        self.machine.stop();
    }

    /// Sets whether the application reads; if so, it first reads what has arrived.
    pub fn set_reading(&mut self, now: Time, reads: bool) {
        self.reads = reads;
        let ids: Vec<u64> = self.streams.keys().copied().collect();
        for id in ids.into_iter().filter(|_| reads) {
            self.read(now, id);
        }
    }

    fn read(&mut self, now: Time, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.read += i64::from(stream.unread);
        stream.owed += std::mem::take(&mut stream.unread);
        if stream.owed >= CREDIT_STEP {
            let bytes = std::mem::take(&mut stream.owed);
            self.machine.credit(now, id, bytes);
        }
    }

    fn drop_all(&mut self) {
        self.streams.clear();
        for seen in self.seen.iter_mut().filter(|seen| seen.end.is_none()) {
            seen.dropped = true;
        }
    }

    fn machine(config: &ClientConfig, life: u32) -> Client<Vec<u8>> {
        let mut config = config.clone();
        config.session = format!("{}.{life}-", config.session);
        Client::new(config)
    }

    fn note(&mut self, now: Time, notice: ClientNotice<Vec<u8>>) {
        match notice {
            ClientNotice::Reply { id, kind, body } => {
                let seen = &mut self.seen[id as usize];
                if kind.is_last() {
                    self.streams.remove(&id);
                }
                match kind {
                    ReplyKind::Partial => {
                        if let Some(stream) = self.streams.get_mut(&id) {
                            stream.unread += flow::cost(&body);
                        }
                        seen.partial(body);
                        if self.reads {
                            self.read(now, id);
                        }
                    }
                    ReplyKind::Final => seen.end(now, End::Final(body)),
                    ReplyKind::Error => seen.end(now, End::Error(body)),
                    ReplyKind::OwnError | ReplyKind::Rejected => {
                        unreachable!(
                            "codes of ours are `Failed`, and no client hears of rejections"
                        )
                    }
                }
            }
            ClientNotice::Credit { id, bytes } => {
                assert!(bytes > 0);
                if let Some(source) = self.sources.get_mut(&id) {
                    source.credit += i64::try_from(bytes).expect("a small number");
                    assert!(source.credit <= WINDOW.into(), "more than the window");
                }
                self.feed(now, id);
            }
            ClientNotice::Enough { id } => {
                if let Some(source) = self.sources.get_mut(&id) {
                    assert!(!std::mem::replace(&mut source.enough, true), "told once");
                }
            }
            ClientNotice::Attempt { id, attempt } => {
                let seen = &mut self.seen[id as usize];
                assert!(seen.is_open(), "an attempt after the end of {seen:?}");
                assert_eq!(attempt, seen.attempts + 1, "each is told");
                seen.attempts = attempt;
            }
            ClientNotice::Failed { id, code } => {
                self.streams.remove(&id);
                self.seen[id as usize].end(now, End::Failed(code));
            }
            ClientNotice::Place { id, place, earlier } => {
                let seen = &mut self.seen[id as usize];
                assert!(seen.is_open(), "a place after the end of {seen:?}");
                seen.place = Some(place);
                seen.earlier = earlier;
            }
            ClientNotice::Connected => self.news.push((now, LinkNews::Connected)),
            ClientNotice::Disconnected(why) => self.news.push((now, LinkNews::Lost(why))),
            ClientNotice::Fault(why) => self.faults.push(why),
        }
    }
}

impl Actor for ClientActor {
    fn start(&mut self, _now: Time) {
        // Requests from before the start wait in the machine.
        self.machine.start();
    }

    fn crash(&mut self) {
        self.drop_all();
        self.life += 1;
        self.machine = Self::machine(&self.config, self.life);
    }

    fn up(&mut self, now: Time) {
        self.machine.handle_up(0, now);
    }

    fn refused(&mut self, now: Time) {
        self.machine.handle_refused(0, now);
    }

    fn down(&mut self, now: Time) {
        self.machine.handle_down(0, now);
    }

    fn message(&mut self, now: Time, _from: &[u8], mut frames: Frames) {
        self.machine.handle_message(0, now, &mut frames);
        assert!(frames.is_empty(), "the frames are reused");
    }

    fn deadline(&self) -> Option<Time> {
        self.machine.next_deadline()
    }

    fn timeout(&mut self, now: Time) {
        self.machine.handle_timeout(now);
        self.wakes.count(now, self.machine.next_deadline());
    }

    fn drain(&mut self, now: Time, effects: &mut Vec<Effect>) {
        // First, because reading may produce messages.
        let notices: Vec<_> = self.machine.take_notices().collect();
        for notice in notices {
            self.note(now, notice);
        }
        let form = self.machine.form();
        self.machine.take_messages(|message| {
            let mut frames = Vec::new();
            form.encode_of_client(message, &mut frames);
            if form.packed {
                pack(&mut frames, 0);
            }
            if !frames.is_empty() {
                effects.push(Effect::Send(frames));
            }
        });
        effects.extend(self.machine.poll_action(0).map(effect));
    }

    fn audit(&self) {
        self.machine.audit();
        let open = self.seen.iter().filter(|seen| seen.is_open()).count();
        assert_eq!(
            self.machine.outstanding(),
            open,
            "requests held, and requests open"
        );
    }

    fn asks(&mut self) -> &mut dyn Asks {
        self
    }
}

impl Asks for ClientActor {
    fn request(
        &mut self,
        now: Time,
        service: &str,
        body: Body<Vec<u8>>,
        timeout_ms: Option<u64>,
    ) -> u64 {
        let timeout = timeout_ms.map(Duration::from_millis);
        self.ask(now, service, body, timeout.into())
    }

    fn seen(&self) -> &[Seen] {
        &self.seen
    }
}
