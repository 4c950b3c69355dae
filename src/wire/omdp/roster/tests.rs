use super::*;
use crate::fuzz::corpus::seed;

#[test]
fn golden() {
    let head = RosterHead {
        stamp: 0x0102_0304_0506_0708,
        last: 258,
    };
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 1, 2];
    seed("ext", &bytes);
    assert_eq!(head.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(RosterHead::parse(&bytes), Ok(head));
    let entries = [(&b"echo"[..], 258), (b"", 1)];
    let frame: Vec<u8> = roster_to_frame(entries.into_iter());
    seed("ext", &frame);
    assert_eq!(frame, b"\x04echo\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\0\x01");
    assert!(roster(&check_roster(frame).unwrap()).eq(entries));
    let recall = Recall {
        session: "b.1".into(),
        stamp: 3,
        sum: 2,
        last: 258,
    };
    let bytes = b"\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x02b.1";
    seed("ext", bytes);
    assert_eq!(recall.to_frame::<Vec<u8>>(), bytes);
    assert_eq!(Recall::parse(bytes), Ok(recall));
    let frame: Vec<u8> = lives_to_frame([("b.1", 258)].into_iter());
    seed("ext", &frame);
    assert_eq!(frame, b"\x03b.1\0\0\0\0\0\0\x01\x02");
    assert!(lives(&check_lives(frame).unwrap()).eq([("b.1".into(), 258)]));
    let question = Question {
        token: 9,
        stamp: 3,
        client: b"c",
        rid: b"r1",
    };
    let mut bytes = Vec::new();
    question.put(&mut bytes);
    seed("ext", &bytes);
    assert_eq!(
        bytes,
        b"\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x03\0\x01c\0\x02r1"
    );
    assert!(questions(&check_questions(bytes).unwrap()).eq([question]));
}

#[test]
fn numbers_are_spread() {
    assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    assert_eq!(mix(1), 0x910a_2dec_8902_5cc1);
    assert_ne!(mix(1).wrapping_add(mix(2)), mix(3));
}

#[test]
fn malformed() {
    use Malformed::*;
    for length in [0, 8, 15, 17, 24] {
        assert_eq!(RosterHead::parse(&vec![0; length]), Err(Extension));
    }
    for length in [0, 16, 23, 24, 24 + MAX_ID + 1] {
        assert_eq!(Recall::parse(&vec![b'a'; length]), Err(Extension));
    }
    assert_eq!(Recall::parse(&[0xff; 25]), Err(Extension));
    assert_eq!(check_roster(b"\x04ech".to_vec()), Err(Extension));
    assert_eq!(
        check_roster(b"\x01e\0\0\0\0\0\0\0".to_vec()),
        Err(Extension)
    );
    assert_eq!(check_roster(vec![0; MAX_ROSTER + 1]), Err(Size));
    assert_eq!(check_roster(Vec::new()), Ok(Vec::new()));
    assert_eq!(
        check_lives(b"\0\0\0\0\0\0\0\0\x01".to_vec()),
        Err(Extension)
    );
    let many = b"\x01s\0\0\0\0\0\0\0\x01".repeat(MAX_LIVES + 1);
    assert_eq!(check_lives(many), Err(Extension));
    assert_eq!(check_questions(Vec::new()), Err(Extension));
    assert_eq!(check_questions(vec![0; 20]), Err(Extension));
    assert_eq!(check_questions(vec![0; MAX_LIST + 1]), Err(Size));
}
