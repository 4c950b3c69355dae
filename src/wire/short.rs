//! The bytes of a short frame, stored inline in an array. Copies have fixed sizes: for so few bytes a call of the C
//! library takes longer.

/// Maximum number of bytes: ids, marks and numbers, and the bodies of many requests. With their number and the mark of
/// an enum beside them, a frame has 32 bytes.
pub const SHORT: usize = 30;

/// A copy of these bytes, of which there are at most [`SHORT`], followed by zeros.
#[inline]
pub fn copy_short(bytes: &[u8]) -> [u8; SHORT] {
    let mut short = [0; SHORT];
    let len = bytes.len();
    // Two copies of one size, which overlap.
    macro_rules! ends {
        ($size:literal) => {{
            short[..$size].copy_from_slice(&bytes[..$size]);
            short[len - $size..len].copy_from_slice(&bytes[len - $size..]);
        }};
    }
    match len {
        16.. => ends!(16),
        8.. => ends!(8),
        4.. => ends!(4),
        2.. => ends!(2),
        1 => short[0] = bytes[0],
        0 => {}
    }
    short
}

/// Appends the first `len` bytes to `out`.
#[inline]
pub fn append_short(short: &[u8; SHORT], len: u8, out: &mut Vec<u8>) {
    let end = out.len() + usize::from(len).min(SHORT);
    out.extend_from_slice(short);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_bytes_of_every_size_up_to_the_maximum() {
        let all: [u8; SHORT] = std::array::from_fn(|at| at as u8 + 1);
        for len in 0..=SHORT {
            let short = copy_short(&all[..len]);
            assert_eq!(short[..len], all[..len]);
            assert!(short[len..].iter().all(|&byte| byte == 0));
            let mut out = vec![7];
            append_short(&short, len as u8, &mut out);
            assert_eq!(out, [&[7], &all[..len]].concat());
        }
    }
}
