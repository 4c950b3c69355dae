//! Layouts of the messages of streams in requests; see `proto::flow`. They are fixed and binary,
//! like the extension frames: numbers are big endian.

use crate::wire::{Body, Cursor, Encoding, Frame, Malformed};

const BINARY: u8 = 0x01;
const LAST: u8 = 0x02;

const AGAIN: u8 = 0x01;
const ENOUGH: u8 = 0x02;

/// The extension frame of a CHUNK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkExt {
    pub binary: bool,
    /// The end of the stream. Its body is empty and not part of the stream.
    pub last: bool,
    /// The total cost of all earlier chunks.
    pub at: u64,
}

impl ChunkExt {
    pub(super) fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 9];
        bytes[0] = if self.binary { BINARY } else { 0 } | if self.last { LAST } else { 0 };
        bytes[1..].copy_from_slice(&self.at.to_be_bytes());
        F::from(&bytes[..])
    }

    /// `body` is the body of the CHUNK.
    pub(super) fn parse(bytes: &[u8], body: &[u8]) -> Result<Self, Malformed> {
        let Some((&[flags], at)) = bytes.split_first_chunk() else {
            return Err(Malformed::Extension);
        };
        let ext = ChunkExt {
            binary: flags == BINARY,
            last: flags == LAST,
            at: u64::from_be_bytes(at.try_into().map_err(|_| Malformed::Extension)?),
        };
        let known = flags == 0 || ext.binary || ext.last;
        if !known || (ext.last && !body.is_empty()) {
            return Err(Malformed::Extension);
        }
        Ok(ext)
    }

    fn encoding(self) -> Encoding {
        match self.binary {
            true => Encoding::Binary,
            false => Encoding::Json,
        }
    }
}

/// The frames of a CHUNK after its address.
pub(super) struct Chunk<F> {
    pub(super) body: Body<F>,
    pub(super) at: u64,
    pub(super) last: bool,
}

impl<F: Frame> Chunk<F> {
    pub(super) fn decode(cursor: &mut Cursor<'_, F>) -> Result<Self, Malformed> {
        let bytes = cursor.next()?;
        let ext = ChunkExt::parse(&cursor.next()?, &bytes)?;
        Ok(Chunk {
            body: Body {
                bytes,
                encoding: ext.encoding(),
            },
            at: ext.at,
            last: ext.last,
        })
    }

    pub(super) fn into_frames(self) -> [F; 2] {
        let ext = ChunkExt {
            binary: self.body.encoding == Encoding::Binary,
            last: self.last,
            at: self.at,
        };
        [self.body.bytes, ext.to_frame()]
    }
}

/// A worker's statement about the stream that is a request's data. All numbers count from the
/// beginning of the stream, so a later NEED makes up for a lost one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    /// The total cost of all received chunks.
    pub have: u64,
    /// How much may be sent in total. A chunk may be sent while the total cost of the earlier ones
    /// is less.
    pub limit: u64,
    /// The stream has to continue after `have`, no matter what was sent before.
    pub again: bool,
    /// Nothing more is needed.
    pub enough: bool,
}

impl Need {
    pub(super) fn to_frame<F: Frame>(self) -> F {
        let mut bytes = [0; 17];
        bytes[0] = if self.again { AGAIN } else { 0 } | if self.enough { ENOUGH } else { 0 };
        bytes[1..9].copy_from_slice(&self.have.to_be_bytes());
        bytes[9..].copy_from_slice(&self.limit.to_be_bytes());
        F::from(&bytes[..])
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((&[flags, ref have @ ..], limit)) = bytes.split_first_chunk::<9>() else {
            return Err(Malformed::Extension);
        };
        let need = Need {
            have: u64::from_be_bytes(*have),
            limit: u64::from_be_bytes(limit.try_into().map_err(|_| Malformed::Extension)?),
            again: flags & AGAIN != 0,
            enough: flags & ENOUGH != 0,
        };
        match flags & !(AGAIN | ENOUGH) {
            0 => Ok(need),
            _ => Err(Malformed::Extension),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let chunk = ChunkExt {
            binary: true,
            last: false,
            at: 0x0102,
        };
        let frame: Vec<u8> = chunk.to_frame();
        assert_eq!(frame, [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(ChunkExt::parse(&frame, b"x"), Ok(chunk));
        let need = Need {
            have: 0x0102,
            limit: 0x0304,
            again: true,
            enough: true,
        };
        let frame: Vec<u8> = need.to_frame();
        assert_eq!(frame, [3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4]);
        assert_eq!(Need::parse(&frame), Ok(need));
    }

    /// Each frame that decodes encodes to the same bytes.
    #[test]
    fn identity_over_every_flag_byte() {
        for flags in 0..=255u8 {
            let mut bytes = [7; 17];
            bytes[0] = flags;
            if let Ok(need) = Need::parse(&bytes) {
                assert_eq!(need.to_frame::<Vec<u8>>(), bytes);
            }
            if let Ok(chunk) = ChunkExt::parse(&bytes[..9], b"") {
                assert_eq!(chunk.to_frame::<Vec<u8>>(), bytes[..9]);
            }
        }
        assert!(ChunkExt::parse(&[LAST, 0, 0, 0, 0, 0, 0, 0, 0], b"1").is_err());
        for len in [0, 1, 8, 10, 16, 18] {
            assert!(Need::parse(&vec![0; len]).is_err());
            assert!(ChunkExt::parse(&vec![0; len], b"").is_err());
        }
    }
}
