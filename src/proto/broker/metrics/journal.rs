//! The latest events, for queries by MMI. A query returns the events after the last one that the caller knows.

use crate::proto::Time;
use crate::proto::broker::addresses::View;
use crate::proto::broker::{BrokerEvent, Payload, Told};
use crate::proto::time::ms;
use serde::Serialize;
use std::collections::VecDeque;

/// Maximum of events that are kept.
const MAX_EVENTS: usize = 256;

/// The events after a number.
#[derive(Serialize)]
pub(in crate::proto::broker) struct Since<'a> {
    /// The number of the latest event.
    last: u64,
    /// How many of them are no longer kept.
    missed: u64,
    events: Vec<Noted<'a>>,
}

#[derive(Serialize)]
struct Noted<'a> {
    event: &'static str,
    payload: Payload<'a>,
    /// Time since the event, in ms. The machine has no calendar.
    since: f64,
}

#[derive(Debug, Default)]
pub(in crate::proto::broker) struct Journal {
    events: VecDeque<(Time, Told)>,
    /// The number of the latest event. The first event has the number 1.
    noted: u64,
}

impl Journal {
    pub(in crate::proto::broker) fn note(&mut self, now: Time, told: &Told) {
        // An authorization question is for the authorizer only. The end of a request is too frequent: it would push
        // all other events out.
        if let BrokerEvent::Authorize { .. } | BrokerEvent::RequestEnded(_) = told.event {
            return;
        }
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back((now, told.clone()));
        self.noted += 1;
    }

    /// The number of the latest event.
    pub(in crate::proto::broker) fn last(&self) -> u64 {
        self.noted
    }

    /// The events after number `since` that pass `is_told`; without `since` none, only the number of the latest
    /// event.
    pub(in crate::proto::broker) fn since(
        &self,
        now: Time,
        since: Option<u64>,
        view: &View<'_>,
        is_told: impl Fn(&BrokerEvent) -> bool,
    ) -> Since<'_> {
        let first = self.noted - self.events.len() as u64 + 1;
        // A number greater than the latest was given by an earlier broker.
        let since = since.map(|since| if since > self.noted { 0 } else { since });
        let from = since.unwrap_or(self.noted) + 1;
        let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        let events = self.events.iter().skip(skipped);
        let events = events.filter(|(_, told)| is_told(&told.event));
        let noted = events.filter_map(|(at, told)| {
            let (event, payload) = told.describe_to(view)?;
            let since = ms(now.since(*at));
            Some(Noted {
                event,
                payload,
                since,
            })
        });
        Since {
            last: self.noted,
            missed: first.saturating_sub(from),
            events: noted.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: Time = Time::from_micros(5_000);

    fn since(journal: &Journal, number: Option<u64>) -> Value {
        let since = journal.since(NOW, number, &View::WHOLE, |_| true);
        serde_json::to_value(since).expect("JSON")
    }

    fn bad(n: usize) -> Told {
        let event = BrokerEvent::BadMessage {
            peer: n.to_string().as_bytes().into(),
            why: "test",
        };
        let address = None;
        Told { event, address }
    }

    #[test]
    fn whoever_asks_is_told_what_came_since() {
        let mut journal = Journal::default();
        assert_eq!(
            since(&journal, None),
            json!({ "last": 0, "missed": 0, "events": [] })
        );
        (1..=3).for_each(|n| journal.note(Time::from_micros(n * 1500), &bad(n as usize)));
        assert_eq!(since(&journal, None)["events"], json!([]));
        let told = since(&journal, Some(2));
        assert_eq!((&told["last"], &told["missed"]), (&json!(3), &json!(0)));
        assert_eq!(
            told["events"],
            json!([{ "event": "badMessage", "payload": { "peer": "3", "reason": "test" }, "since": 0.5 }])
        );
        assert_eq!(
            since(&journal, Some(9))["events"].as_array().map(Vec::len),
            Some(3)
        );
    }

    #[test]
    fn the_oldest_are_forgotten_and_counted() {
        let mut journal = Journal::default();
        (1..=MAX_EVENTS + 10).for_each(|n| journal.note(NOW, &bad(n)));
        let told = since(&journal, Some(4));
        assert_eq!(told["missed"], json!(6));
        assert_eq!(told["events"].as_array().map(Vec::len), Some(MAX_EVENTS));
    }
}
