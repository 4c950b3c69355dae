//! The payloads of events, as far as a view shows them.

use super::addresses::View;
use super::event::{BrokerEvent, Told};
use serde::Serialize;
use std::borrow::Cow;

/// The payload of an event.
#[derive(Debug, Serialize)]
pub struct Payload<'a> {
    #[serde(flatten)]
    event: Cow<'a, BrokerEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

impl Told {
    /// The name and the payload of the event for JavaScript; `None` for a question.
    pub fn describe(&self) -> Option<(&'static str, Payload<'_>)> {
        self.describe_to(&View::WHOLE)
    }

    /// As [`describe`](Self::describe), limited to `view`.
    pub(super) fn describe_to(&self, view: &View<'_>) -> Option<(&'static str, Payload<'_>)> {
        let name = self.event.name()?;
        if view.is_whole() {
            let event = Cow::Borrowed(&self.event);
            let address = self.address.as_deref();
            return Some((name, Payload { event, address }));
        }
        let mut event = self.event.clone();
        if let Some(identity) = event.identity_mut() {
            *identity = view.name(identity).as_bytes().into();
        }
        let event = Cow::Owned(event);
        let address = None;
        Some((name, Payload { event, address }))
    }
}
