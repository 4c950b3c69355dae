//! The hello: how a 1.x peer says that it is one, and at what pace its heart beats.
//!
//! It travels where 0.0.92 never looks: as a trailing frame of a worker's READY, as a client
//! command that the 0.0.92 broker ignores, and as the broker's answer to either, which only a peer
//! that announced itself is given. Unknown members are ignored, so that a later version may add.

use super::{Frame, Malformed};
use serde_json::{Map, Value};

/// The version of the extension that this crate speaks.
pub const VERSION: u64 = 1;

/// What one side tells the other once a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The extension's version; a receiver takes any that is 1 or more.
    pub version: u64,
    /// Milliseconds between two heartbeats of the sender.
    pub heartbeat_ms: u64,
    /// How many silent intervals the sender grants the receiver.
    pub liveness: u32,
    /// Differs from one connection of an identity to the next, so that the broker can tell a peer
    /// that begins anew from one that adds to what it said. A broker's differs from one process, or
    /// start, to the next.
    pub session: String,
    /// Workers only: how many requests it works on at once; -1 is without limit, 0 is for a worker
    /// that is leaving and takes no more.
    pub concurrency: Option<i64>,
    /// Workers only: how many requests beyond those it may be given ahead of need. A worker that
    /// says so gives back, by RETURN, what it could not start soon.
    pub prefetch: Option<u32>,
    /// Clients only: whether requests that wait for long may be parked with it.
    pub parks: bool,
    /// Whether it keeps to the windows of streams, see `proto::flow`.
    pub flow: bool,
    /// Whether the sender understands [`packed`](super::packed) frames.
    pub packs: bool,
}

impl Hello {
    pub fn new(heartbeat_ms: u64, liveness: u32) -> Self {
        Hello {
            version: VERSION,
            heartbeat_ms,
            liveness,
            session: String::new(),
            concurrency: None,
            prefetch: None,
            parks: false,
            flow: false,
            packs: true,
        }
    }

    /// One JSON object, members in alphabetical order.
    pub fn to_frame<F: Frame>(&self) -> F {
        let mut map = Map::new();
        if let Some(n) = self.concurrency {
            map.insert("concurrency".into(), n.into());
        }
        if self.flow {
            map.insert("flow".into(), VERSION.into());
        }
        map.insert("heartbeat".into(), self.heartbeat_ms.into());
        map.insert("liveness".into(), self.liveness.into());
        map.insert("omdp".into(), self.version.into());
        if self.packs {
            map.insert("packed".into(), true.into());
        }
        if self.parks {
            map.insert("parks".into(), true.into());
        }
        if let Some(n) = self.prefetch {
            map.insert("prefetch".into(), n.into());
        }
        if !self.session.is_empty() {
            map.insert("session".into(), self.session.as_str().into());
        }
        F::from(Value::Object(map).to_string().into_bytes())
    }

    /// Reads a hello. Numbers out of range are the sender's fault: a heartbeat of zero would have
    /// us send without end, one of centuries would never notice a death.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| Malformed::Hello)?;
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let version = number("omdp").filter(|v| *v >= 1).ok_or(Malformed::Hello)?;
        let heartbeat_ms = number("heartbeat")
            .filter(|ms| (1..=MAX_HEARTBEAT_MS).contains(ms))
            .ok_or(Malformed::Hello)?;
        let liveness = number("liveness")
            .filter(|n| (1..=MAX_LIVENESS).contains(n))
            .ok_or(Malformed::Hello)? as u32;
        let concurrency = match value.get("concurrency") {
            None => None,
            Some(n) => match n.as_i64() {
                Some(n) if n >= -1 => Some(n),
                _ => return Err(Malformed::Hello),
            },
        };
        let prefetch = match value.get("prefetch") {
            None => None,
            Some(n) => {
                let n = n.as_u64().and_then(|n| u32::try_from(n).ok());
                Some(n.ok_or(Malformed::Hello)?)
            }
        };
        let flow = match value.get("flow") {
            None => false,
            Some(flow) => flow.as_u64().ok_or(Malformed::Hello)? >= 1,
        };
        let session = match value.get("session") {
            None => "",
            Some(session) => session.as_str().ok_or(Malformed::Hello)?,
        };
        Ok(Hello {
            version,
            heartbeat_ms,
            liveness,
            session: session.into(),
            concurrency,
            prefetch,
            parks: value.get("parks").and_then(Value::as_bool) == Some(true),
            flow,
            packs: value.get("packed").and_then(Value::as_bool) == Some(true),
        })
    }
}

/// 2^31 - 1 ms, the longest delay of a Node timer and so of any option given in ms.
pub const MAX_HEARTBEAT_MS: u64 = i32::MAX as u64;
const MAX_LIVENESS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::corpus::seed;

    #[test]
    fn golden() {
        let mut hello = Hello::new(2500, 3);
        let frame: Vec<u8> = hello.to_frame();
        assert_eq!(
            frame,
            br#"{"heartbeat":2500,"liveness":3,"omdp":1,"packed":true}"#
        );
        seed("hello", &frame);
        assert_eq!(Hello::parse(&frame).unwrap(), hello);
        hello.packs = false;
        hello.parks = true;
        hello.concurrency = Some(-1);
        hello.prefetch = Some(9);
        hello.flow = true;
        hello.session = "s1".into();
        let frame: Vec<u8> = hello.to_frame();
        assert_eq!(
            frame,
            br#"{"concurrency":-1,"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"parks":true,"prefetch":9,"session":"s1"}"#
        );
        seed("hello", &frame);
        assert_eq!(Hello::parse(&frame).unwrap(), hello);
    }

    #[test]
    fn unknown_members_are_left_alone() {
        let hello = Hello::parse(br#"{"omdp":7,"heartbeat":1,"liveness":1,"new":[{}]}"#).unwrap();
        assert_eq!((hello.version, hello.heartbeat_ms), (7, 1));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            "\u{0}",
            r#"{"omdp":0,"heartbeat":1,"liveness":1}"#,
            r#"{"omdp":1,"heartbeat":0,"liveness":1}"#,
            r#"{"omdp":1,"heartbeat":-5,"liveness":1}"#,
            r#"{"omdp":1,"heartbeat":1e300,"liveness":1}"#,
            r#"{"omdp":1,"heartbeat":2147483648,"liveness":1}"#,
            r#"{"omdp":1,"heartbeat":"2500","liveness":3}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":0}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"concurrency":-2}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"concurrency":"all"}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"flow":true}"#,
        ] {
            seed("hello", text.as_bytes());
            assert_eq!(
                Hello::parse(text.as_bytes()),
                Err(Malformed::Hello),
                "{text}"
            );
        }
    }
}
