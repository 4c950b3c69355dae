//! Entries of the lists for MMI. They are written directly as JSON, because a list has hundreds of entries and is
//! created on the broker's thread.

use super::metrics::Meter;
use super::stats::ms;
use crate::proto::Time;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

/// The JSON of a list.
pub(super) fn list_of<T: Serialize>(entries: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut json = vec![b'['];
    for entry in entries {
        if json.len() > 1 {
            json.push(b',');
        }
        // Writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut json, &entry);
    }
    json.push(b']');
    json
}

/// Bytes as text, with replacement characters where they are not UTF-8.
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let text: Cow<'_, str> = String::from_utf8_lossy(self.0);
        out.serialize_str(&text)
    }
}

/// The entry of a service.
pub(super) struct ServiceEntry<'a> {
    pub(super) now: Time,
    pub(super) name: &'a [u8],
    pub(super) meter: &'a Meter,
    pub(super) workers: usize,
    pub(super) queued: usize,
    pub(super) running: usize,
    /// When the earliest of its workers registered.
    pub(super) since: Option<Time>,
    /// Whether the latest error value is included.
    pub(super) values: bool,
}

impl Serialize for ServiceEntry<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("errors", &self.meter.errors())?;
        map.serialize_entry("lastError", &self.meter.last_error(self.now, self.values))?;
        map.serialize_entry("name", &Text(self.name))?;
        map.serialize_entry("queued", &self.queued)?;
        map.serialize_entry("requests", &self.meter.requests)?;
        map.serialize_entry("running", &self.running)?;
        let since = self.since.map(|since| ms(self.now - since));
        map.serialize_entry("since", &since)?;
        map.serialize_entry("time", &self.meter.times())?;
        map.serialize_entry("workers", &self.workers)?;
        map.end()
    }
}

/// The name of a worker in a list.
pub(super) enum Called<'a> {
    Id(&'a [u8]),
    Number(u64),
}

/// The entry of a worker.
pub(super) struct WorkerEntry<'a> {
    pub(super) called: Called<'a>,
    pub(super) service: &'a [u8],
    pub(super) dialect: &'static str,
    pub(super) address: Option<&'a str>,
    pub(super) running: usize,
    pub(super) ended: u64,
    pub(super) failed: u64,
    pub(super) since: f64,
    pub(super) silent: f64,
}

impl Serialize for WorkerEntry<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        if let Some(address) = self.address {
            map.serialize_entry("address", address)?;
        }
        map.serialize_entry("dialect", self.dialect)?;
        map.serialize_entry("ended", &self.ended)?;
        map.serialize_entry("failed", &self.failed)?;
        match self.called {
            Called::Id(id) => map.serialize_entry("id", &Text(id))?,
            Called::Number(number) => map.serialize_entry("id", &number)?,
        }
        map.serialize_entry("running", &self.running)?;
        map.serialize_entry("service", &Text(self.service))?;
        map.serialize_entry("silent", &self.silent)?;
        map.serialize_entry("since", &self.since)?;
        map.end()
    }
}
