//! Functions by which tests act as the applications of a network.

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

    /// Removes and returns the messages since the last call.
    pub fn take<T: Hears>(&mut self, raw: Id<T>) -> Vec<String> {
        self.act(raw, |raw, _| raw.take())
    }

    /// As `take`, including messages that are under way.
    pub fn heard<T: Hears>(&mut self, raw: Id<T>) -> Vec<String> {
        self.run(ms(10));
        self.take(raw)
    }

    /// Sets the handler of a worker of any age.
    pub fn serve<T>(&mut self, worker: Id<T>, handler: impl Fn(&Body<Vec<u8>>) -> Job + 'static) {
        let handler: Handler = Rc::new(handler);
        self.peers[worker.0].actor.serves().set_handler(handler);
    }

    /// The bodies of the requests that this worker started.
    pub fn bodies<T>(&mut self, worker: Id<T>) -> Vec<Body<Vec<u8>>> {
        self.peers[worker.0].actor.serves().started().to_vec()
    }

    /// As `bodies`, as text.
    pub fn started<T>(&mut self, worker: Id<T>) -> Vec<String> {
        let started = self.peers[worker.0].actor.serves().started();
        let text = |body: &Body<Vec<u8>>| String::from_utf8_lossy(&body.bytes).into_owned();
        started.iter().map(text).collect()
    }

    /// A request with the usual timeout of a minute.
    pub fn request<T>(&mut self, client: Id<T>, service: &str, text: &str) -> u64 {
        self.request_with(client, service, json(text), Some(60_000))
    }

    /// A request for each of these numbers, without a pause.
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

    /// A request of a 1.x client.
    pub fn request_on(
        &mut self,
        client: Id<ClientActor>,
        service: &str,
        body: Body<Vec<u8>>,
        terms: Terms,
    ) -> u64 {
        self.act(client, |client, now| client.ask(now, service, body, terms))
    }

    /// As `request`, with additional options such as `"priority":1`.
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

    /// Makes a request, and waits for its end.
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

/// This many ms after the beginning.
pub fn at(n: u64) -> Time {
    Time::ZERO + ms(n)
}

pub fn json(text: &str) -> Body<Vec<u8>> {
    Body::json(text.as_bytes().to_vec())
}

/// The end by a final with this text.
pub fn done(text: &str) -> Option<End> {
    Some(End::Final(json(text)))
}

/// The end by an error value with this text.
pub fn error(text: &str) -> Option<End> {
    Some(End::Error(json(text)))
}

/// The end by an own code.
pub fn failed(code: &str) -> Option<End> {
    Some(End::Failed(code.into()))
}
