//! Grammar of service names: `orders`; `orders@2.1.0`, registered by a worker; `orders@^2`, called by a client.
//!
//! The part after the last `@` counts only if it is a version, or a range in npm's grammar. Otherwise the `@` is an
//! ordinary character.

use nodejs_semver::{Range, Version};

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
    let is_plain = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let version = is_plain.then(|| Version::parse(text).ok()).flatten()?;
    Some((base, version))
}

/// The base name and the range in the name that a request calls.
pub(super) fn range_of(name: &[u8]) -> Option<(&[u8], Range)> {
    let (base, text) = split(name)?;
    Some((base, Range::parse(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_complete_and_a_range_is_npms() {
        let version = |name: &str| version_of(name.as_bytes()).map(|(_, v)| v.to_string());
        assert_eq!(version("orders@2.1.0").as_deref(), Some("2.1.0"));
        assert_eq!(version("a@b@2.1.0-rc.1").as_deref(), Some("2.1.0-rc.1"));
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
        let satisfies = |range: &str, version: &str| {
            let name = format!("orders@{range}");
            let (base, range) = range_of(name.as_bytes()).expect("a range");
            assert_eq!(base, b"orders");
            range.satisfies(&Version::parse(version).expect("a version"))
        };
        for (range, version, fits) in [
            ("^2", "2.1.0", true),
            ("^2", "3.0.0", false),
            ("^2", "2.2.0-rc.1", false),
            ("^2.2.0-rc.0", "2.2.0-rc.1", true),
            ("^2.2.0-rc.0", "2.3.0-rc.1", false),
            ("~1.2", "1.2.9", true),
            ("1.x || >=3.1 <4", "3.5.0", true),
            ("1.x || >=3.1 <4", "2.0.0", false),
            ("1.2 - 2.3", "2.3.7", true),
            ("*", "0.0.1", true),
            ("2.1.0", "2.1.0", true),
            ("=2.1.0", "2.1.1", false),
            ("^0.2.3", "0.3.0", false),
        ] {
            assert_eq!(satisfies(range, version), fits, "{range} {version}");
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
