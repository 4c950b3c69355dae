//! The JSON of a hello.

use super::{About, Hello, MAX_HEARTBEAT_MS, VERSION};
use crate::wire::members::{Scalar, members};
use crate::wire::serving::{Balance, MAX_RATE, MAX_WEIGHT, Rate};
use crate::wire::sizes::{MAX_DESCRIPTION, MAX_HELLO, MAX_ID, MAX_METADATA};
use crate::wire::{Frame, Malformed};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

const MAX_LIVENESS: u64 = 1000;

impl Hello {
    /// Encodes one JSON object. `Map` sorts its members by their names.
    pub fn to_frame<F: Frame>(&self) -> F {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| drop(map.insert(name.into(), value));
        put("omdp", self.version.into());
        put("heartbeat", self.heartbeat_ms.into());
        put("liveness", self.liveness.into());
        let flags = [
            ("deadlines", self.deadlines),
            ("holds", self.holds),
            ("leaves", self.leaves),
            ("packed", self.packs),
            ("parks", self.parks),
            ("pattern", self.serving.pattern),
            ("pings", self.pings),
            ("places", self.places),
            ("roster", self.roster),
            ("streams", self.streams),
        ];
        for (name, _) in flags.iter().filter(|(_, is_set)| *is_set) {
            put(name, true.into());
        }
        if self.flow {
            put("flow", VERSION.into());
        }
        if self.channels > 0 {
            put("channels", self.channels.into());
        }
        let numbers = [
            ("concurrency", self.concurrency.map(Value::from)),
            ("maxMessage", self.max_message.map(Value::from)),
            ("number", self.number.map(Value::from)),
            ("prefetch", self.prefetch.map(Value::from)),
            ("weight", self.serving.weight.map(Value::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                put(name, number);
            }
        }
        if let Some(rate) = self.serving.rate {
            put("rateMax", rate.max.into());
            put("rateInterval", rate.interval_ms.into());
        }
        let about = self.about.as_deref();
        let texts = [
            ("balance", self.serving.balance.map(Balance::as_str)),
            ("description", about.map(|about| &*about.description)),
            ("metadata", about.map(|about| &*about.metadata)),
            ("name", self.name.as_deref()),
            ("session", Some(&*self.session)),
        ];
        for (name, text) in texts {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                put(name, text.into());
            }
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
        let is_object = members(bytes, |name, value| {
            fits &= hello.set(name, value).is_some()
        });
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

    /// The member of this name, if it is one of those that are true or missing.
    fn flag(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "deadlines" => &mut self.deadlines,
            "holds" => &mut self.holds,
            "leaves" => &mut self.leaves,
            "packed" => &mut self.packs,
            "parks" => &mut self.parks,
            "pattern" => &mut self.serving.pattern,
            "pings" => &mut self.pings,
            "places" => &mut self.places,
            "roster" => &mut self.roster,
            "streams" => &mut self.streams,
            _ => return None,
        })
    }

    /// Sets one member. Returns `None` if the value is invalid.
    fn set(&mut self, name: &str, value: Scalar) -> Option<()> {
        if let Some(flag) = self.flag(name) {
            *flag = value == Scalar::Bool(true);
            return Some(());
        }
        let number = value.as_u64();
        let within = |max: u64| number.filter(|n| (1..=max).contains(n));
        match name {
            "omdp" => self.version = within(u64::MAX)?,
            "heartbeat" => self.heartbeat_ms = within(MAX_HEARTBEAT_MS)?,
            "liveness" => self.liveness = within(MAX_LIVENESS)? as u32,
            "channels" => self.channels = within(u16::MAX.into())? as u16,
            "concurrency" => self.concurrency = Some(value.as_i64().filter(|n| *n >= -1)?),
            "flow" => self.flow = number? >= 1,
            "maxMessage" => self.max_message = Some(within(u64::MAX)?),
            "number" => self.number = Some(number?),
            "prefetch" => self.prefetch = Some(u32::try_from(number?).ok()?),
            "weight" => self.serving.weight = Some(within(MAX_WEIGHT.into())? as u32),
            "rateMax" => self.rate().max = within(MAX_RATE.into())? as u32,
            "rateInterval" => self.rate().interval_ms = within(MAX_HEARTBEAT_MS)? as u32,
            // An unknown policy of a later version counts as none.
            "balance" => self.serving.balance = Balance::of(&value.into_text(usize::MAX)?),
            "name" => self.name = Some(value.into_text(MAX_ID).filter(|name| is_name(name))?),
            "session" => self.session = value.into_text(MAX_ID)?,
            "description" => self.about().description = value.into_text(MAX_DESCRIPTION)?,
            "metadata" => {
                let json = value.into_text(MAX_METADATA)?;
                self.about().metadata = Some(json).filter(|json| is_json(json))?;
            }
            // A member of a later version.
            _ => {}
        }
        Some(())
    }

    fn about(&mut self) -> &mut About {
        self.about.get_or_insert_default()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('\0')
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

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
