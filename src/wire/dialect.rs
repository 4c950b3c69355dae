//! The dialects, and how the first frames of a message identify its dialect.

use super::mdp;
use super::omdp;
use super::packed::{is_batch, is_packed};
use super::pigato;
use super::{Frame, Malformed};

/// A dialect that a peer may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The dialect of zmq-omdp.
    Omdp,
    /// A dialect of MDP, the standard.
    Mdp(mdp::Dialect),
    /// The dialect of PIGATO.
    Pigato,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 5] = [
        Dialect::Omdp,
        Dialect::Mdp(mdp::Dialect::V01),
        Dialect::Mdp(mdp::Dialect::V02),
        Dialect::Mdp(mdp::Dialect::Majortomo),
        Dialect::Pigato,
    ];

    /// The name in options and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Omdp => "omdp",
            Dialect::Mdp(mdp::Dialect::V01) => "mdp/0.1",
            Dialect::Mdp(mdp::Dialect::V02) => "mdp/0.2",
            Dialect::Mdp(mdp::Dialect::Majortomo) => "mdp/0.2-majortomo",
            Dialect::Pigato => "pigato",
        }
    }

    /// The index in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        match self {
            Dialect::Omdp => 0,
            Dialect::Mdp(mdp::Dialect::V01) => 1,
            Dialect::Mdp(mdp::Dialect::V02) => 2,
            Dialect::Mdp(mdp::Dialect::Majortomo) => 3,
            Dialect::Pigato => 4,
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn from_name(name: &str) -> Option<Self> {
        Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.as_str() == name)
    }

    /// Whether peers of the two dialects can be confused: a PIGATO worker is taken for an OMDP
    /// worker until it sends a message that only PIGATO has.
    pub fn is_like(self, other: Self) -> bool {
        let is_digits = |dialect| matches!(dialect, Dialect::Omdp | Dialect::Pigato);
        self == other || is_digits(self) && is_digits(other)
    }

    /// Decodes the message of a broker for a local worker. `frames` is empty afterwards.
    pub fn decode_for_worker<F: Frame>(
        self,
        frames: &mut Vec<F>,
    ) -> Result<omdp::ToWorker<F>, Malformed> {
        match self {
            Dialect::Omdp => omdp::ToWorker::decode(frames),
            Dialect::Mdp(dialect) => mdp::decode_for_worker(dialect, frames),
            // PIGATO's options of the client have no field in the neutral message.
            Dialect::Pigato => Ok(pigato::ToWorker::decode(frames)?.into_neutral().0),
        }
    }

    /// Identifies the dialect of a message; `None` if it belongs to none. Every dialect has a
    /// distinct mark within the first two frames, except PIGATO: see [`pigato::is_pigato`].
    pub fn detect<F: Frame>(frames: &[F]) -> Option<Self> {
        let (delimited, mark) = match frames {
            [first, second, ..] if first.is_empty() => (true, &**second),
            [first, ..] => (false, &**first),
            [] => return None,
        };
        match (delimited, mark) {
            (false, b"C" | b"W") if pigato::is_pigato(frames) => Some(Dialect::Pigato),
            (false, b"C" | b"W") => Some(Dialect::Omdp),
            (false, first) if is_packed(first) || is_batch(first) => Some(Dialect::Omdp),
            (true, b"MDPC01" | b"MDPW01") => Some(Dialect::Mdp(mdp::Dialect::V01)),
            (false, b"MDPC02" | b"MDPW02") => Some(Dialect::Mdp(mdp::Dialect::V02)),
            (true, b"MDPC02" | b"MDPW02") => Some(Dialect::Mdp(mdp::Dialect::Majortomo)),
            _ => None,
        }
    }
}

/// The encoding of the messages of a local worker or client.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// The dialect.
    pub dialect: Dialect,
    /// Whether the receiver understands [`packed`](super::packed) frames.
    pub packed: bool,
    /// Workers only: how many requests run at the same time; -1 means no limit.
    pub concurrency: i64,
}

impl Form {
    /// Writes the frames of a worker's message into `out`, which must be empty. Writes none if the
    /// dialect lacks the message. Packing is the transport's task.
    pub fn encode_of_worker<F: Frame>(self, message: omdp::WorkerMessage<F>, out: &mut Vec<F>) {
        match self.dialect {
            Dialect::Omdp => message.encode(out),
            Dialect::Mdp(dialect) => {
                if let Some(message) = mdp::WorkerMessage::from_neutral(message) {
                    message.encode(dialect, out);
                }
            }
            Dialect::Pigato => {
                if let Some(message) =
                    pigato::WorkerMessage::from_neutral(message, self.concurrency)
                {
                    message.encode(out);
                }
            }
        }
    }

    /// Writes the frames of a client's message into `out`, as
    /// [`encode_of_worker`](Self::encode_of_worker) does.
    pub fn encode_of_client<F: Frame>(self, message: omdp::ClientMessage<F>, out: &mut Vec<F>) {
        match self.dialect {
            Dialect::Omdp => message.encode(out),
            Dialect::Mdp(dialect) => {
                if let Some(message) = mdp::ClientRequest::from_neutral(message) {
                    message.encode(dialect, out);
                }
            }
            Dialect::Pigato => {
                if let Some(message) = pigato::ClientMessage::from_neutral(message) {
                    message.encode(out);
                }
            }
        }
    }
}

/// A set of dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialects(u8);

impl Dialects {
    /// The set of all dialects.
    pub const ALL: Dialects = Dialects(0b1_1111);

    fn bit(dialect: Dialect) -> u8 {
        1 << dialect.index()
    }

    /// Whether the set contains `dialect`.
    pub fn contains(self, dialect: Dialect) -> bool {
        self.0 & Dialects::bit(dialect) != 0
    }
}

impl FromIterator<Dialect> for Dialects {
    fn from_iter<T: IntoIterator<Item = Dialect>>(dialects: T) -> Self {
        Dialects(
            dialects
                .into_iter()
                .map(Dialects::bit)
                .fold(0, |a, b| a | b),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::omdp::testing::frames;

    #[test]
    fn the_index_is_the_place() {
        for (index, dialect) in Dialect::ALL.into_iter().enumerate() {
            assert_eq!(dialect.index(), index);
        }
    }

    #[test]
    fn first_frames() {
        for (text, name) in [
            ("C|2|echo|r|1", Some("omdp")),
            ("W|4", Some("omdp")),
            ("\u{1}\u{1}W\u{1}4", Some("omdp")),
            ("W|4|∅|{}", Some("pigato")),
            ("C|2|echo|r|1|∅", Some("pigato")),
            ("∅|MDPC01|echo|a", Some("mdp/0.1")),
            ("∅|MDPW01|\u{1}|echo", Some("mdp/0.1")),
            ("MDPC02|\u{1}|echo|a", Some("mdp/0.2")),
            ("MDPW02|\u{5}", Some("mdp/0.2")),
            ("∅|MDPC02|\u{2}|echo|a", Some("mdp/0.2-majortomo")),
            ("∅|MDPW02|\u{1}|echo", Some("mdp/0.2-majortomo")),
            ("MDPC01|echo|a", None),
            ("∅|C|2", None),
            ("∅|∅|MDPC01", None),
            ("∅", None),
            ("GET / HTTP/1.1", None),
        ] {
            let found = Dialect::detect(&frames(text));
            assert_eq!(found.map(Dialect::as_str), name, "{text}");
        }
        assert_eq!(Dialect::detect::<Vec<u8>>(&[]), None);
    }

    #[test]
    fn names_and_sets() {
        for (index, dialect) in Dialect::ALL.into_iter().enumerate() {
            assert_eq!(dialect.index(), index);
            assert_eq!(Dialect::from_name(dialect.as_str()), Some(dialect));
            assert!(Dialects::ALL.contains(dialect));
            let only: Dialects = [dialect].into_iter().collect();
            let others = Dialect::ALL
                .into_iter()
                .filter(|other| only.contains(*other));
            assert_eq!(others.count(), 1);
        }
        assert_eq!(
            Dialect::ALL.into_iter().collect::<Dialects>(),
            Dialects::ALL
        );
        assert_eq!(Dialect::from_name("mdp"), None);
    }
}
