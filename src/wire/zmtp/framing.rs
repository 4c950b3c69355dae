//! The frames of the versions of ZMTP.

use super::{Header, append_header};
use crate::wire::Malformed;

const MORE: u8 = 1;
/// The first byte of a header with a long length in ZMTP 1.0.
const LONG: u8 = 0xff;

/// How the frames of a connection begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// ZMTP 1.0, of libzmq 2: the length, which counts the flags, then the flags. No commands.
    Old,
    /// ZMTP 2.0, which has no commands, and 3.
    #[default]
    Current,
}

impl Framing {
    /// Reads the header at the beginning of `bytes`; `None` if more bytes are necessary.
    pub fn read(self, bytes: &[u8]) -> Result<Option<Header>, Malformed> {
        if self == Framing::Current {
            return Header::read(bytes);
        }
        let (len, rest) = match bytes.split_first() {
            Some((&LONG, rest)) => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            Some((&len, rest)) => (u64::from(len), rest),
            None => return Ok(None),
        };
        let len = len.checked_sub(1).ok_or(Malformed::Header)?;
        Ok(rest.first().map(|flags| Header {
            size: bytes.len() - rest.len() + 1,
            len,
            more: flags & MORE != 0,
            is_command: false,
        }))
    }

    /// Appends the header of a frame with `len` bytes.
    pub fn append(self, out: &mut Vec<u8>, len: usize, more: bool) {
        if self == Framing::Current {
            return append_header(out, len, more);
        }
        match u8::try_from(len + 1) {
            Ok(short) if short < LONG => out.push(short),
            _ => {
                out.push(LONG);
                out.extend_from_slice(&(len as u64 + 1).to_be_bytes());
            }
        }
        out.push(more.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_old_version() {
        let header = |len: usize, more| {
            let mut bytes = Vec::new();
            Framing::Old.append(&mut bytes, len, more);
            bytes
        };
        assert_eq!(header(0, false), [1, 0]);
        assert_eq!(header(253, true), [254, 1]);
        assert_eq!(header(254, true), [255, 0, 0, 0, 0, 0, 0, 0, 255, 1]);
        for len in [0, 1, 253, 254, 255, 70_000] {
            let bytes = header(len, true);
            for cut in 0..bytes.len() {
                assert_eq!(Framing::Old.read(&bytes[..cut]), Ok(None));
            }
            let read = Framing::Old.read(&bytes).unwrap().unwrap();
            assert_eq!(read.size, bytes.len());
            assert_eq!((read.len, read.more), (len as u64, true));
        }
        assert_eq!(Framing::Old.read(&[0]), Err(Malformed::Header));
        assert_eq!(
            Framing::Old.read(&[255, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(Malformed::Header)
        );
    }
}
