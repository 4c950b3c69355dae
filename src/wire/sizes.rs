//! The maximum sizes of the frames of a message, in bytes, except its body.
//!
//! Everything that a receiver keeps of a message besides its body has a maximum here. The memory
//! that a peer can occupy therefore follows from the number of its messages. The body has a maximum
//! for each receiver, its option `maxMessageSize`.

/// Routing ids (the limit of ZMTP); request ids and sessions of OMDP.
pub const MAX_ID: usize = 255;

/// Ids that have passed through 0.0.92, which converts them to UTF-8: a byte that is not text
/// becomes three.
pub const MAX_ECHO: usize = 3 * MAX_ID;

/// Names of services.
pub const MAX_SERVICE: usize = 255;

/// Hellos. Without description and metadata those of this version have less than 512 bytes; the
/// rest is for members of later versions.
pub const MAX_HELLO: usize = 16_384;

/// Descriptions of workers.
pub const MAX_DESCRIPTION: usize = 512;

/// Metadata of workers, as JSON.
pub const MAX_METADATA: usize = 4096;

/// Options of a request, with its headers.
pub const MAX_OPTIONS: usize = 65_536;

/// The user of a client: its name and what the authenticator returned about it.
pub const MAX_USER: usize = 65_536;

/// Lists of tokens or request ids to a broker, which takes about a millisecond for one.
pub const MAX_LIST: usize = 1 << 15;

/// The longest list of services with their workers; a broker that has more tells none.
pub const MAX_ROSTER: usize = 65_536;

/// Lists of numbers or request ids to a worker or client.
pub const MAX_LIST_OF_BROKER: usize = 1 << 20;

/// Channels of a connection at one time, beside the peer that has the connection itself.
pub const MAX_CHANNELS: u16 = 255;

/// Frames of a message. The crate `zmq-sys` has the same number for connections of libzmq. A broker takes less than a
/// millisecond to receive them.
pub const MAX_FRAMES: usize = 16_384;

/// Frames of a body. With what the dialects put before it, a message has at most [`MAX_FRAMES`].
pub const MAX_BODY_FRAMES: usize = MAX_FRAMES - 16;

/// How much larger than the largest body a frame may be, because it is packed, encrypted or a list.
pub const FRAME_RESERVE: u64 = 2 << 20;

/// The largest frame of a message whose body has at most this size.
pub const fn frame_of(body: u64) -> u64 {
    body.saturating_add(FRAME_RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Malformed;

    const PROTOCOL: &str = include_str!("../../PROTOCOL.md");

    /// The text below a heading of PROTOCOL.md.
    fn section(heading: &str) -> &'static str {
        let (_, section) = PROTOCOL
            .split_once(&format!("\n## {heading}\n"))
            .expect("the heading");
        section
            .split("\n## ")
            .next()
            .expect("split yields at least one part")
    }

    #[test]
    fn protocol_md_has_the_sizes() {
        let rows: Vec<Vec<&str>> = section("Sizes")
            .lines()
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        for (part, size) in [
            ("routing id", format!("1–{MAX_ID}")),
            ("service", format!("1–{MAX_SERVICE}")),
            ("request id, session", format!("1–{MAX_ID}")),
            (
                "client and rid in a worker's reply",
                format!("1–{MAX_ECHO}:"),
            ),
            ("hello", format!("{MAX_HELLO}")),
            ("frames of a message", format!("{MAX_FRAMES}:")),
            ("frames of a body", format!("{MAX_BODY_FRAMES}:")),
            (
                "description, and metadata as JSON, in a hello",
                format!("{MAX_DESCRIPTION}, {MAX_METADATA}"),
            ),
            ("options, headers included", format!("{MAX_OPTIONS}")),
            ("user", format!("{MAX_USER}")),
            ("the services of a roster", format!("{MAX_ROSTER};")),
            (
                "channels of a connection, by number",
                format!("{MAX_CHANNELS} announced"),
            ),
            (
                "a list of tokens, numbers or request ids",
                format!("to a broker {MAX_LIST}, from a broker {MAX_LIST_OF_BROKER};"),
            ),
        ] {
            let row = rows.iter().find(|row| row.get(1) == Some(&part));
            let stated = row.expect(part)[2];
            assert!(stated.starts_with(&size), "{part}: {stated}, not {size}");
        }
    }

    #[test]
    fn protocol_md_has_the_reasons_of_bad_messages() {
        for reason in [
            Malformed::Short,
            Malformed::Trailing,
            Malformed::Header,
            Malformed::Command,
            Malformed::Name,
            Malformed::Extension,
            Malformed::Packed,
            Malformed::Hello,
            Malformed::Size,
            Malformed::Body,
        ] {
            assert!(
                section("Bad input").contains(&format!("`{reason}`")),
                "{reason}"
            );
        }
    }
}
