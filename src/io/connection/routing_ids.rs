//! The routing ids of a worker or client.

/// The routing ids of the successive connections to a broker.
#[derive(Debug, Clone)]
pub enum RoutingIds {
    /// The broker's ROUTER chooses them.
    OfTheBroker,
    /// This one, 1 to 255 bytes.
    Same(Vec<u8>),
    /// A text, a secret, and a number that differs from connection to connection.
    Differing(String, u64),
}

impl RoutingIds {
    /// Ids that no other peer can know. Any peer can use a known id: libzmq then gives it to the
    /// later connection; or, with security, it drops the messages of the later connection, which
    /// may be this peer's next. The ids are texts, because a broker of 0.0.92 requires that, and
    /// begin with the name, because such a broker has no other name of the peer.
    pub fn differing(name: &str, secret: u64) -> Self {
        const MOST: usize = 255 - 2 * 16 - 2;
        let end = (0..=MOST.min(name.len()))
            .rev()
            .find(|&at| name.is_char_boundary(at));
        RoutingIds::Differing(name[..end.unwrap_or(0)].into(), secret)
    }

    /// The id of the connection with this number; empty to leave the choice to the broker.
    pub(super) fn of(&self, number: u64) -> Vec<u8> {
        match self {
            RoutingIds::OfTheBroker => Vec::new(),
            RoutingIds::Same(id) => id.clone(),
            RoutingIds::Differing(name, secret) => {
                format!("{name}#{secret:x}.{number:x}").into_bytes()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routing_id_that_differs_is_a_text_of_at_most_255_bytes() {
        for name in ["w", "", &"n".repeat(255), &"\u{e4}".repeat(127)] {
            let ids = RoutingIds::differing(name, u64::MAX);
            let (first, last) = (ids.of(1), ids.of(u64::MAX));
            assert_ne!(first, last);
            assert!((1..=255).contains(&last.len()));
            let text = String::from_utf8(last).expect("a text");
            assert!(text.starts_with(&name[..name.len().min(200)]));
        }
        assert_eq!(RoutingIds::differing("w", 255).of(2), b"w#ff.2");
        assert_eq!(RoutingIds::Same(b"w".to_vec()).of(2), b"w");
        assert!(RoutingIds::OfTheBroker.of(2).is_empty());
    }
}
