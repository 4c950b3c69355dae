//! The networks of addresses: what counts as one where limits and turns belong to addresses.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Parts of an IPv6 address that are those of its network: a host has a network of 64 bits, and any of its addresses.
const PARTS: usize = 4;

/// The network of a host, given as in an endpoint. It is the address itself for IPv4, and for link-local addresses, whose
/// network is the same for all hosts.
pub(crate) fn network_of(host: &str) -> Cow<'_, str> {
    let address = host
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let Some(address) = address.and_then(|text| text.parse::<Ipv6Addr>().ok()) else {
        return Cow::Borrowed(host);
    };
    let is_of_one = address.is_loopback() || address.is_unicast_link_local();
    if is_of_one || address.to_ipv4_mapped().is_some() {
        return Cow::Borrowed(host);
    }
    let mut parts = address.segments();
    parts[PARTS..].fill(0);
    Cow::Owned(format!("[{}/64]", Ipv6Addr::from(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one() {
        for (host, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("", ""),
            ("[::1]", "[::1]"),
            ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]"),
            ("[fe80::1]", "[fe80::1]"),
            ("[2001:db8:1:2:3:4:5:6]", "[2001:db8:1:2::/64]"),
            ("[2001:db8:1:2:ffff::9]", "[2001:db8:1:2::/64]"),
            ("[2001:db8:1:3::1]", "[2001:db8:1:3::/64]"),
        ] {
            assert_eq!(network_of(host), expected);
        }
    }
}
