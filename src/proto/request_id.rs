//! Ids of requests on the wire.
//!
//! A client of 1.x puts a hexadecimal number and `-` in front of its own number of the request, and `.` and the number
//! of the attempt behind it. A broker puts NUL and a number behind it for each copy of a request to all workers.

/// The end of an id: as much as has the client's own number.
pub type IdEnd = [u8; 12];

/// The end of an id; zeros if the id is shorter. It is taken from each request of a worker, so it has to be cheap.
#[inline]
pub(super) fn end_of(rid: &[u8]) -> IdEnd {
    rid.last_chunk().copied().unwrap_or_default()
}

/// The client's own number of a request with this end. `None` if the id is of another form, or the number too long.
pub fn number_in(end: &IdEnd) -> Option<u64> {
    let text = std::str::from_utf8(end).ok()?;
    let (_, number) = text.rsplit_once('-')?;
    number.split(['.', '\0']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(rid: &[u8]) -> Option<u64> {
        number_in(&end_of(rid))
    }

    #[test]
    fn the_number_is_that_of_the_client() {
        assert_eq!(number(b"9f3c01569ab5d0-17"), Some(17));
        assert_eq!(number(b"9f3c01569ab5d0-17.2"), Some(17));
        assert_eq!(number(b"9f3c01569ab5d0-17\x003"), Some(17));
        assert_eq!(
            number(b"ffffffffffffffff-99999999999"),
            Some(99_999_999_999)
        );
    }

    #[test]
    fn ids_of_other_forms_have_none() {
        let uuid = &b"6a1f0c1e-5e2b-4c3e-8a55-012345678901"[..];
        for rid in [
            uuid,
            b"",
            b"17",
            b"9f3c01569ab5d0-",
            b"9f3c01569ab5d0-x",
            b"a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff-1",
        ] {
            assert_eq!(number(rid), None, "{rid:?}");
        }
        assert_eq!(number(&[b'9'; 255]), None);
    }
}
