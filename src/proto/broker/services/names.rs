//! Grammar of service names: `orders`; `orders@2.1.0`, registered by a worker; `orders@^2`, called by a client.
//!
//! The part after the last `@` counts only if it is a version, or a range in npm's grammar. Otherwise the `@` is an
//! ordinary character.

use super::range::Range;
use super::version::Version;

/// The parts before and after the last `@`.
fn split(name: &[u8]) -> Option<(&[u8], &str)> {
    let at = name.iter().rposition(|&byte| byte == b'@')?;
    let text = std::str::from_utf8(&name[at + 1..]).ok()?;
    (at > 0 && !text.is_empty()).then_some((&name[..at], text))
}

/// The base name and the version in the name of a worker's service.
pub(in crate::proto::broker) fn version_of(name: &[u8]) -> Option<(&[u8], Version)> {
    let (base, text) = split(name)?;
    // Only complete versions count: `host@1` is as likely a plain name.
    Some((base, Version::parse(text)?))
}

/// The base name and the range in the name that a request calls.
pub(super) fn range_of(name: &[u8]) -> Option<(&[u8], Range)> {
    let (base, text) = split(name)?;
    Some((base, Range::parse(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_complete_and_a_range_is_npms() {
        let version = |name: &'static str| version_of(name.as_bytes());
        let parsed = |text: &str| Version::parse(text).expect("a version");
        assert_eq!(
            version("orders@2.1.0"),
            Some((&b"orders"[..], parsed("2.1.0")))
        );
        assert_eq!(
            version("a@b@2.1.0-rc.1"),
            Some((&b"a@b"[..], parsed("2.1.0-rc.1")))
        );
        for name in [
            "orders",
            "orders@",
            "@1.2.3",
            "orders@2",
            "orders@2.1",
            "orders@v1.2.3",
            "me@host.org",
            "orders@^2",
        ] {
            assert_eq!(version(name), None, "{name}");
        }
        let name = b"orders@^2";
        let (base, range) = range_of(name).expect("a range");
        assert_eq!(base, b"orders");
        assert!(range.satisfies(&parsed("2.1.0")) && !range.satisfies(&parsed("3.0.0")));
        for name in ["orders", "orders@", "@^2", "me@host.org"] {
            assert!(range_of(name.as_bytes()).is_none(), "{name}");
        }
    }

    /// The name is chosen by a peer.
    #[test]
    fn nothing_that_a_peer_asks_for_panics() {
        let parts: [&[u8]; 24] = [
            b"1",
            b"9007199254740993",
            b"99999999999999999999999",
            b".",
            b"x",
            b"*",
            b"^",
            b"~",
            b">",
            b"<",
            b"=",
            b"||",
            b" - ",
            b" ",
            b"-",
            b"+",
            b"rc",
            b"v",
            b"0",
            b"00",
            b"\xc3\xa9",
            b"\xff",
            b"@",
            b"\0",
        ];
        let one = Version::parse("1.2.3-rc.1").expect("a version");
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..200_000 {
            let mut name = b"a@".to_vec();
            for _ in 0..state % 9 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                name.extend_from_slice(parts[(state % 24) as usize]);
            }
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let range = range_of(&name);
            version_of(&name);
            if let Some((_, range)) = range {
                range.satisfies(&one);
            }
        }
    }
}
