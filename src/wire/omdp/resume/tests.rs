use super::*;
use crate::fuzz::corpus::seed;

#[test]
fn golden() {
    let past = Past {
        received: 3,
        wait_ms: 7500,
        read: 0x0102_0304_0506_0708,
        here: true,
    };
    let bytes = [0, 0, 0, 3, 0, 0, 0x1d, 0x4c, 1, 2, 3, 4, 5, 6, 7, 8, 1];
    seed("ext", &bytes);
    assert_eq!(past.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(Past::parse(&bytes), Ok(past));
    let claim = ClaimExt {
        state: ClaimState::Ended,
        number: 0x0102_0304_0506_0708,
        token: None,
    };
    let bytes = [1, 1, 2, 3, 4, 5, 6, 7, 8];
    seed("ext", &bytes);
    assert_eq!(claim.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(ClaimExt::parse(&bytes), Ok(claim));
    let known = ClaimExt {
        token: Some(9),
        ..claim
    };
    let bytes = [&bytes[..], &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
    seed("ext", &bytes);
    assert_eq!(known.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(ClaimExt::parse(&bytes), Ok(known));
    let ack = Ack {
        messages: 64,
        bytes: 258,
    };
    let bytes = [0, 0, 0, 64, 0, 0, 1, 2];
    seed("ext", &bytes);
    assert_eq!(ack.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(Ack::parse(&bytes), Ok(ack));
    let resume = ResumeExt {
        number: 2,
        token: 9,
        received: 258,
        read: 5,
    };
    let bytes = [
        [0, 0, 0, 0, 0, 0, 0, 2].as_slice(),
        &[0, 0, 0, 0, 0, 0, 0, 9],
        &[0, 0, 1, 2],
        &[0, 0, 0, 0, 0, 0, 0, 5],
    ]
    .concat();
    seed("ext", &bytes);
    assert_eq!(resume.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(ResumeExt::parse(&bytes), Ok(resume));
    let frame: Vec<u8> = rids_to_frame([&b"r1"[..], b"r22"]);
    seed("ext", &frame);
    assert_eq!(frame, b"\0\x02r1\0\x03r22");
    assert!(rids(&frame).eq([&b"r1"[..], b"r22"]));
}

#[test]
fn an_acknowledgement_is_due_with_many_messages_or_many_bytes() {
    let mut ack = Ack::default();
    assert_eq!(ack.take(), None);
    assert!((1..64).all(|_| !ack.count(1)));
    assert!(ack.count(1));
    let (messages, bytes) = (64, 64);
    assert_eq!(ack.take(), Some(Ack { messages, bytes }));
    assert_eq!(ack.take(), None);
    assert!(!ack.count(65_535));
    assert!(ack.count(1));
}

#[test]
fn other_lengths_are_refused() {
    for len in (0..40).filter(|len| ![8, 9, 17, 28].contains(len)) {
        let bytes = vec![0; len];
        assert!(Ack::parse(&bytes).is_err());
        assert!(Past::parse(&bytes).is_err());
        assert!(ClaimExt::parse(&bytes).is_err());
        assert!(ResumeExt::parse(&bytes).is_err());
    }
    assert!(ClaimExt::parse(&[3, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    for rids in ["", "\0", "\0\0", "\0\u{2}r", "\0\u{1}rx", "\0\u{1}r\0"] {
        assert!(
            check_rids(rids.as_bytes().to_vec(), MAX_LIST).is_err(),
            "{rids:?}"
        );
    }
}
