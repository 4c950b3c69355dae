//! Golden vectors and malformed extension frames.

use super::*;

const RETRY: u8 = 0x20;

#[test]
fn golden() {
    let request = RequestExt::plain(RequestData::BufferAsJson, 60000);
    assert_eq!(request.to_frame::<Vec<u8>>(), [2, 0, 0, 0xea, 0x60]);
    let again = RequestExt {
        retry: 3,
        fail_fast: true,
        ..request
    };
    assert_eq!(again.to_frame::<Vec<u8>>(), [0x32, 0, 0, 0xea, 0x60, 3]);
    let routed = RequestExt {
        routed: true,
        started: 2,
        ..again
    };
    assert_eq!(routed.to_frame::<Vec<u8>>(), [0xf2, 0, 0, 0xea, 0x60, 3, 2]);
    let stream = RequestExt {
        data: RequestData::Json,
        stream: true,
        left_ms: Some(0x1122),
        ..request
    };
    let frame = stream.to_frame::<Vec<u8>>();
    assert_eq!(frame, [0x0c, 0, 0, 0xea, 0x60, 0, 0, 0x11, 0x22]);
    let given = GivenExt {
        binary: true,
        token: 0x0102_0304_0506_0708,
        retried: 0,
        stream: false,
        left_ms: None,
        service: false,
    };
    assert_eq!(given.to_frame::<Vec<u8>>(), [1, 1, 2, 3, 4, 5, 6, 7, 8]);
    let given = GivenExt {
        retried: 2,
        ..given
    };
    assert_eq!(
        given.to_frame::<Vec<u8>>(),
        [0x21, 1, 2, 3, 4, 5, 6, 7, 8, 2]
    );
    let given = GivenExt {
        stream: true,
        left_ms: Some(0x1122),
        ..given
    };
    assert_eq!(
        given.to_frame::<Vec<u8>>(),
        [0x2d, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0x11, 0x22]
    );
    let token = TokenExt {
        binary: true,
        error: true,
        own: false,
        token: 0x0102_0304_0506_0708,
        pace: None,
    };
    assert_eq!(token.to_frame::<Vec<u8>>(), [5, 1, 2, 3, 4, 5, 6, 7, 8]);
    let paced = TokenExt {
        pace: Some(Pace {
            service: 0x1122,
            spent: 0x3344_5566,
        }),
        ..token
    };
    let frame = paced.to_frame::<Vec<u8>>();
    let bytes = b"\x15\x01\x02\x03\x04\x05\x06\x07\x08\x11\x22\x33\x44\x55\x66";
    assert_eq!(frame, bytes);
    let result = ResultExt {
        binary: false,
        error: true,
        own: true,
    };
    assert_eq!(result.to_frame::<Vec<u8>>(), [0x0c]);
    for bytes in [
        request.to_frame::<Vec<u8>>(),
        again.to_frame(),
        routed.to_frame(),
        stream.to_frame(),
        given.to_frame(),
        token.to_frame(),
        paced.to_frame(),
        result.to_frame(),
    ] {
        crate::fuzz::corpus::seed("ext", &bytes);
    }
}

/// Each frame that decodes encodes to the same bytes.
#[test]
fn identity_over_every_flag_byte() {
    for flags in 0..=255u8 {
        let bytes = [flags, 0xff, 0xff, 0xff, 0xff];
        if let Ok(ext) = RequestExt::parse(&bytes) {
            assert_eq!(ext.to_frame::<Vec<u8>>(), bytes);
        }
        let bytes = [flags, 0xff, 0xff, 0xff, 0xff, 7];
        if let Ok(ext) = RequestExt::parse(&bytes) {
            assert_eq!(ext.to_frame::<Vec<u8>>(), bytes);
        }
        let bytes = [flags, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 1];
        for len in [5, 6, 7, 9, 10, 11] {
            if let Ok(ext) = RequestExt::parse(&bytes[..len]) {
                assert_eq!(ext.to_frame::<Vec<u8>>(), bytes[..len]);
            }
        }
        for bytes in [&bytes[..], &bytes[..13], &bytes[..10], &bytes[..9]] {
            if let Ok(ext) = GivenExt::parse(bytes) {
                assert_eq!(ext.to_frame::<Vec<u8>>(), bytes);
            }
        }
        let bytes = [flags, 9, 8, 7, 6, 5, 4, 3, 2];
        if let Ok(ext) = TokenExt::parse(&bytes) {
            assert_eq!(ext.to_frame::<Vec<u8>>(), bytes);
        }
        let bytes = [flags, 9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6];
        if let Ok(ext) = TokenExt::parse(&bytes) {
            assert_eq!(ext.to_frame::<Vec<u8>>(), bytes);
        }
        if let Ok(ext) = ResultExt::parse(&[flags]) {
            assert_eq!(ext.to_frame::<Vec<u8>>(), [flags]);
        }
    }
    assert!(RequestExt::parse(&[0, 0xff, 0xff, 0xff, 0xfe]).is_err());
    // The number of retries is present if and only if it is not 0.
    assert!(RequestExt::parse(&[RETRY, 0, 0, 0, 0]).is_err());
    assert!(RequestExt::parse(&[RETRY, 0, 0, 0, 0, 0]).is_err());
    assert!(RequestExt::parse(&[RETRY, 0, 0, 0, 0, 1]).is_ok());
    assert!(GivenExt::parse(&[RETRY, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert!(GivenExt::parse(&[RETRY, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    for len in [0, 2, 4, 6, 8, 10, 14, 15, 16] {
        assert!(RequestExt::parse(&vec![0; len]).is_err());
        assert!(GivenExt::parse(&vec![0; len]).is_err());
        assert!(TokenExt::parse(&vec![0; len]).is_err());
        assert!(ResultExt::parse(&vec![0; len]).is_err());
    }
}
