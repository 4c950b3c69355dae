//! The JSON of a hello.

use super::{Hello, MAX_HEARTBEAT_MS, VERSION};
use crate::wire::members::{Scalar, members};
use crate::wire::serving::{Balance, MAX_RATE, MAX_WEIGHT, Rate};
use crate::wire::sizes::{MAX_DESCRIPTION, MAX_HELLO, MAX_ID, MAX_METADATA};
use crate::wire::{Frame, Malformed};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

const MAX_LIVENESS: u64 = 1000;

impl Hello {
    /// Encodes one JSON object, members in alphabetical order.
    pub fn to_frame<F: Frame>(&self) -> F {
        let mut map = Map::new();
        if let Some(balance) = self.serving.balance {
            map.insert("balance".into(), balance.as_str().into());
        }
        if let Some(weight) = self.serving.weight {
            map.insert("weight".into(), weight.into());
        }
        if let Some(rate) = self.serving.rate {
            map.insert("rateMax".into(), rate.max.into());
            map.insert("rateInterval".into(), rate.interval_ms.into());
        }
        if let Some(n) = self.concurrency {
            map.insert("concurrency".into(), n.into());
        }
        if self.channels > 0 {
            map.insert("channels".into(), self.channels.into());
        }
        if self.deadlines {
            map.insert("deadlines".into(), true.into());
        }
        if let Some(about) = &self.about {
            for (name, text) in [
                ("description", &about.description),
                ("metadata", &about.metadata),
            ] {
                if !text.is_empty() {
                    map.insert(name.into(), text.as_str().into());
                }
            }
        }
        if self.flow {
            map.insert("flow".into(), VERSION.into());
        }
        map.insert("heartbeat".into(), self.heartbeat_ms.into());
        if self.leaves {
            map.insert("leaves".into(), true.into());
        }
        map.insert("liveness".into(), self.liveness.into());
        if let Some(max) = self.max_message {
            map.insert("maxMessage".into(), max.into());
        }
        if let Some(name) = &self.name {
            map.insert("name".into(), name.as_str().into());
        }
        if let Some(number) = self.number {
            map.insert("number".into(), number.into());
        }
        map.insert("omdp".into(), self.version.into());
        if self.packs {
            map.insert("packed".into(), true.into());
        }
        if self.parks {
            map.insert("parks".into(), true.into());
        }
        if self.serving.pattern {
            map.insert("pattern".into(), true.into());
        }
        if self.pings {
            map.insert("pings".into(), true.into());
        }
        if self.places {
            map.insert("places".into(), true.into());
        }
        if let Some(n) = self.prefetch {
            map.insert("prefetch".into(), n.into());
        }
        if self.roster {
            map.insert("roster".into(), true.into());
        }
        if !self.session.is_empty() {
            map.insert("session".into(), self.session.as_str().into());
        }
        if self.streams {
            map.insert("streams".into(), true.into());
        }
        F::from(Value::Object(map).to_string().into_bytes())
    }

    /// Parses a hello. Numbers out of range are the sender's error: a heartbeat interval of zero
    /// would require endless sending, and one of centuries would never detect a death.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_HELLO {
            return Err(Malformed::Size);
        }
        let mut hello = Hello {
            packs: false,
            ..Hello::new(0, 0)
        };
        hello.version = 0;
        let mut fits = true;
        let is_object = members(bytes, |name, value| fits &= hello.set(name, value));
        let complete = hello.version >= 1 && hello.heartbeat_ms >= 1 && hello.liveness >= 1;
        if hello
            .serving
            .rate
            .is_some_and(|rate| rate.max == 0 || rate.interval_ms == 0)
        {
            // The rate has only one of its two members.
            return Err(Malformed::Hello);
        }
        match is_object && fits && complete {
            true => Ok(hello),
            false => Err(Malformed::Hello),
        }
    }

    fn rate(&mut self) -> &mut Rate {
        self.serving.rate.get_or_insert(Rate {
            max: 0,
            interval_ms: 0,
        })
    }

    /// Sets one member. Returns false if the value is invalid.
    fn set(&mut self, name: &str, value: Scalar) -> bool {
        let number = value.as_u64();
        let within = |max: u64| number.filter(|n| (1..=max).contains(n));
        match name {
            "omdp" => within(u64::MAX).map(|n| self.version = n).is_some(),
            "heartbeat" => within(MAX_HEARTBEAT_MS)
                .map(|n| self.heartbeat_ms = n)
                .is_some(),
            "liveness" => within(MAX_LIVENESS)
                .map(|n| self.liveness = n as u32)
                .is_some(),
            "concurrency" => {
                self.concurrency = value.as_i64().filter(|n| *n >= -1);
                self.concurrency.is_some()
            }
            "prefetch" => {
                self.prefetch = number.and_then(|n| u32::try_from(n).ok());
                self.prefetch.is_some()
            }
            "maxMessage" => {
                self.max_message = within(u64::MAX);
                self.max_message.is_some()
            }
            "number" => {
                self.number = number;
                self.number.is_some()
            }
            "name" => match value {
                Scalar::Text(name)
                    if (1..=MAX_ID).contains(&name.len()) && !name.starts_with('\0') =>
                {
                    self.name = Some(name);
                    true
                }
                _ => false,
            },
            "channels" => within(u16::MAX.into())
                .map(|n| self.channels = n as u16)
                .is_some(),
            "leaves" => {
                self.leaves = value == Scalar::Bool(true);
                true
            }
            "roster" => {
                self.roster = value == Scalar::Bool(true);
                true
            }
            "pings" => {
                self.pings = value == Scalar::Bool(true);
                true
            }
            "flow" => number.map(|n| self.flow = n >= 1).is_some(),
            "session" => match value {
                Scalar::Text(session) if session.len() <= MAX_ID => {
                    self.session = session;
                    true
                }
                _ => false,
            },
            "streams" => {
                self.streams = value == Scalar::Bool(true);
                true
            }
            "deadlines" => {
                self.deadlines = value == Scalar::Bool(true);
                true
            }
            "parks" => {
                self.parks = value == Scalar::Bool(true);
                true
            }
            "balance" => match value {
                // An unknown policy of a later version counts as none.
                Scalar::Text(name) => {
                    self.serving.balance = Balance::of(&name);
                    true
                }
                _ => false,
            },
            "weight" => {
                self.serving.weight = within(MAX_WEIGHT.into()).map(|n| n as u32);
                self.serving.weight.is_some()
            }
            "rateMax" => within(MAX_RATE.into())
                .map(|n| self.rate().max = n as u32)
                .is_some(),
            "rateInterval" => within(MAX_HEARTBEAT_MS)
                .map(|n| self.rate().interval_ms = n as u32)
                .is_some(),
            "places" => {
                self.places = value == Scalar::Bool(true);
                true
            }
            "pattern" => {
                self.serving.pattern = value == Scalar::Bool(true);
                true
            }
            "packed" => {
                self.packs = value == Scalar::Bool(true);
                true
            }
            "description" => match value {
                Scalar::Text(text) if text.len() <= MAX_DESCRIPTION => {
                    self.about.get_or_insert_default().description = text;
                    true
                }
                _ => false,
            },
            "metadata" => match value {
                Scalar::Text(json) if is_metadata(&json) => {
                    self.about.get_or_insert_default().metadata = json;
                    true
                }
                _ => false,
            },
            // A member of a later version.
            _ => true,
        }
    }
}

fn is_metadata(json: &str) -> bool {
    json.len() <= MAX_METADATA && serde_json::from_str::<IgnoredAny>(json).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::corpus::seed;
    use crate::wire::About;

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
        hello.pings = true;
        hello.places = true;
        hello.concurrency = Some(-1);
        hello.serving.pattern = true;
        hello.serving.balance = Some(Balance::LeastLoaded);
        hello.serving.weight = Some(3);
        hello.serving.rate = Some(Rate {
            max: 10,
            interval_ms: 1000,
        });
        hello.prefetch = Some(9);
        hello.flow = true;
        hello.session = "s1".into();
        hello.name = Some("n".into());
        hello.leaves = true;
        hello.max_message = Some(5);
        hello.streams = true;
        hello.deadlines = true;
        hello.channels = 255;
        hello.about = Some(Box::new(About {
            description: "adds".into(),
            metadata: r#"{"a":1}"#.into(),
        }));
        let frame: Vec<u8> = hello.to_frame();
        assert_eq!(
            frame,
            br#"{"balance":"least-loaded","channels":255,"concurrency":-1,"deadlines":true,"description":"adds","flow":1,"heartbeat":2500,"leaves":true,"liveness":3,"maxMessage":5,"metadata":"{\"a\":1}","name":"n","omdp":1,"parks":true,"pattern":true,"pings":true,"places":true,"prefetch":9,"rateInterval":1000,"rateMax":10,"session":"s1","streams":true,"weight":3}"#
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
    fn what_is_too_long_is_refused() {
        let with = |session: &str, more: &str| {
            let text = format!(
                r#"{{"omdp":1,"heartbeat":1,"liveness":1,"session":"{session}","x":"{more}"}}"#
            );
            Hello::parse(text.as_bytes()).map(|hello| hello.session.len())
        };
        assert_eq!(with(&"s".repeat(MAX_ID), ""), Ok(MAX_ID));
        assert_eq!(with(&"s".repeat(MAX_ID + 1), ""), Err(Malformed::Hello));
        assert_eq!(with("", &"x".repeat(MAX_HELLO)), Err(Malformed::Size));
        let about = |name: &str, text: &str| {
            let text = Value::from(text);
            let text = format!(r#"{{"omdp":1,"heartbeat":1,"liveness":1,"{name}":{text}}}"#);
            Hello::parse(text.as_bytes()).map(|hello| hello.about.map(|about| about.size()))
        };
        let longest = "\u{1}".repeat(MAX_DESCRIPTION);
        assert_eq!(about("description", &longest), Ok(Some(MAX_DESCRIPTION)));
        let longer = "d".repeat(MAX_DESCRIPTION + 1);
        assert_eq!(about("description", &longer), Err(Malformed::Hello));
        let json = |quote: &str, len: usize| format!("\"{}\"", quote.repeat(len));
        let longest = json("\\\"", MAX_METADATA / 2 - 1);
        assert_eq!(about("metadata", &longest), Ok(Some(MAX_METADATA)));
        let longer = json("m", MAX_METADATA - 1);
        assert_eq!(about("metadata", &longer), Err(Malformed::Hello));
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
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"maxMessage":0}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"session":7}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"channels":true}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"weight":0}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"rateMax":3}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"balance":3}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"description":7}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"metadata":{}}"#,
            r#"{"omdp":1,"heartbeat":2500,"liveness":3,"metadata":"{"}"#,
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
