//! The words in which tests speak for the users of a network.

use super::actor::{Handler, Hears};
use super::*;
use crate::proto::Terms;
use crate::wire::omdp::testing::frames;
use std::ops::Range;
use std::rc::Rc;

impl Net {
    /// Sends the frames that the text describes: `W|1|echo`.
    pub fn say(&mut self, raw: Id<RawDealer>, text: &str) {
        self.act(raw, |raw, _| raw.say(frames(text)));
    }

    pub fn tell(&mut self, raw: Id<RawBroker>, to: &str, text: &str) {
        self.act(raw, |raw, _| raw.tell(to.as_bytes(), frames(text)));
    }

    /// What it heard since it was asked last.
    pub fn take<T: Hears>(&mut self, raw: Id<T>) -> Vec<String> {
        self.act(raw, |raw, _| raw.take())
    }

    /// The same, with what is on its way.
    pub fn heard<T: Hears>(&mut self, raw: Id<T>) -> Vec<String> {
        self.run(ms(10));
        self.take(raw)
    }

    /// How this worker, of whatever age, answers from now on.
    pub fn serve<T>(&mut self, worker: Id<T>, handler: impl Fn(&Body<Vec<u8>>) -> Job + 'static) {
        let handler: Handler = Rc::new(handler);
        self.peers[worker.0].actor.serves().set_handler(handler);
    }

    /// The bodies that this worker began to work on.
    pub fn bodies<T>(&mut self, worker: Id<T>) -> Vec<Body<Vec<u8>>> {
        self.peers[worker.0].actor.serves().started().to_vec()
    }

    /// The same as text.
    pub fn started<T>(&mut self, worker: Id<T>) -> Vec<String> {
        let started = self.peers[worker.0].actor.serves().started();
        let text = |body: &Body<Vec<u8>>| String::from_utf8_lossy(&body.bytes).into_owned();
        started.iter().map(text).collect()
    }

    /// Asks with the usual timeout of a minute.
    pub fn request<T>(&mut self, client: Id<T>, service: &str, text: &str) -> u64 {
        self.request_with(client, service, json(text), Some(60_000))
    }

    /// Asks for each of these numbers, without a pause.
    pub fn requests<T>(&mut self, client: Id<T>, numbers: Range<usize>) -> Vec<u64> {
        numbers
            .map(|n| self.request(client, "echo", &n.to_string()))
            .collect()
    }

    pub fn request_with<T>(
        &mut self,
        client: Id<T>,
        service: &str,
        body: Body<Vec<u8>>,
        timeout_ms: Option<u64>,
    ) -> u64 {
        let now = self.now;
        let asks = self.peers[client.0].actor.asks();
        let id = asks.request(now, service, body, timeout_ms);
        self.settle(client.0);
        id
    }

    /// Asks a client of ours.
    pub fn request_on(
        &mut self,
        client: Id<ClientActor>,
        service: &str,
        body: Body<Vec<u8>>,
        terms: Terms,
    ) -> u64 {
        self.act(client, |client, now| client.ask(now, service, body, terms))
    }

    /// The same, with these options beside the timeout of a minute: `"priority":1`.
    pub fn request_more(
        &mut self,
        client: Id<ClientActor>,
        service: &str,
        text: &str,
        more: &str,
    ) -> u64 {
        let terms = Terms::from(Some(secs(60)));
        self.request_on_more(client, service, json(text), terms, more)
    }

    pub fn request_on_more(
        &mut self,
        client: Id<ClientActor>,
        service: &str,
        body: Body<Vec<u8>>,
        terms: Terms,
        more: &str,
    ) -> u64 {
        let more = match more {
            "" => String::new(),
            more => format!(",{more}"),
        };
        self.act(client, |client, now| {
            client.ask_more(now, service, body, terms, &more)
        })
    }

    pub fn seen<T>(&mut self, client: Id<T>, request: u64) -> &Seen {
        &self.peers[client.0].actor.asks().seen()[request as usize]
    }

    pub fn end<T>(&mut self, client: Id<T>, request: u64) -> Option<End> {
        self.seen(client, request).end.clone()
    }

    pub fn ends<T>(&mut self, client: Id<T>, requests: &[u64]) -> Vec<Option<End>> {
        requests.iter().map(|&r| self.end(client, r)).collect()
    }

    /// Asks, and waits for the end.
    #[track_caller]
    pub fn call<T>(&mut self, client: Id<T>, service: &str, text: &str) -> End {
        let request = self.request(client, service, text);
        self.run_until(secs(10), |net| net.end(client, request).is_some());
        self.end(client, request).expect("it ended")
    }
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// So many ms after the beginning.
pub fn at(n: u64) -> Time {
    Time::ZERO + ms(n)
}

pub fn json(text: &str) -> Body<Vec<u8>> {
    Body::json(text.as_bytes().to_vec())
}

/// The end that a final with this text is.
pub fn done(text: &str) -> Option<End> {
    Some(End::Final(json(text)))
}

/// The end that an error value with this text is.
pub fn error(text: &str) -> Option<End> {
    Some(End::Error(json(text)))
}

/// The end that a code of ours is.
pub fn failed(code: &str) -> Option<End> {
    Some(End::Failed(code.into()))
}
