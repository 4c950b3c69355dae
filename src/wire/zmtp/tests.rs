use super::*;
use crate::fuzz::corpus::seed;

#[test]
fn greetings() {
    let ours = greeting();
    assert_eq!(read_greeting(&ours), Greeting::Null);
    seed("zmtp", &ours);
    for len in 0..GREETING {
        assert_eq!(read_greeting(&ours[..len]), Greeting::Unfinished, "{len}");
    }
    let changed = |at: usize, byte: u8| {
        let mut greeting = ours;
        greeting[at] = byte;
        read_greeting(&greeting)
    };
    assert_eq!(changed(0, b'H'), Greeting::Foreign);
    assert_eq!(changed(9, 0), Greeting::Foreign);
    assert_eq!(changed(10, 1), Greeting::Foreign);
    assert_eq!(changed(11, 0), Greeting::Null);
    assert_eq!(changed(12, b'C'), Greeting::OtherMechanism);
    assert_eq!(changed(16, b'L'), Greeting::OtherMechanism);
}

#[test]
fn commands() {
    let ready = ready(b"me");
    let header = Header::read(&ready).unwrap().unwrap();
    assert!(header.is_command && !header.more);
    assert_eq!(header.size as u64 + header.len, ready.len() as u64);
    assert!(
        !is_ready_of_router(&ready[header.size..]),
        "it is a DEALER's"
    );
    let router = b"\x05READY\x0bsocket-type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";
    assert!(is_ready_of_router(router));
    seed("zmtp", router);
    seed("zmtp", b"\x04PING\0\x01abc");
    for len in 0..router.len() {
        let cut = &router[..len];
        // The type alone suffices.
        assert_eq!(is_ready_of_router(cut), len == 28, "{len}");
    }
    assert!(!is_ready_of_router(b"\x05ERROR\x03400"));

    assert_eq!(
        answer(b"\x04PING\0\x01abc"),
        Some(b"\x04\x08\x04PONGabc".to_vec())
    );
    assert_eq!(answer(b"\x04PING\0"), None);
    assert_eq!(answer(b"\x09SUBSCRIBEx"), None);
    let ttl = |body: &[u8]| time_to_live(body).map(|ttl| ttl.as_millis());
    assert_eq!(ttl(b"\x04PING\0\x07abc"), Some(700));
    assert_eq!(ttl(b"\x04PING\0\0abc"), None);
    assert_eq!(ttl(b"\x04PING\0"), None);
    assert_eq!(ttl(b"\x04PONG\0\x07"), None);
}

#[test]
fn what_a_ready_says() {
    let ready = |socket: &[u8], id: &[u8]| {
        let bytes = ready_of(socket, id);
        let ready = Ready::read(&bytes[Header::read(&bytes).unwrap().unwrap().size..]);
        ready.map(|ready| (ready.can_talk_to_router(), ready.routing_id.to_vec()))
    };
    for socket in [&b"DEALER"[..], b"REQ", b"ROUTER"] {
        assert_eq!(ready(socket, b"me"), Some((true, b"me".to_vec())));
    }
    for socket in [&b"SUB"[..], b"REP", b"", b"dealer"] {
        assert_eq!(ready(socket, b""), Some((false, Vec::new())));
    }
    assert!(Ready::read(b"\x05READY").is_some_and(|it| it.can_talk_to_router()));
    assert!(ready(b"DEALER", &[1; MAX_ROUTING_ID]).is_some());
    assert!(ready(b"DEALER", &[1; MAX_ROUTING_ID + 1]).is_none());
}

#[test]
fn headers() {
    for len in [0, 1, 255, 256, 70_000] {
        for more in [false, true] {
            let mut bytes = Vec::new();
            append_header(&mut bytes, len, more);
            for cut in 0..bytes.len() {
                assert_eq!(Header::read(&bytes[..cut]), Ok(None));
            }
            seed("zmtp", &bytes);
            let header = Header::read(&bytes).unwrap().unwrap();
            assert_eq!(header.size, bytes.len());
            assert_eq!((header.len, header.more), (len as u64, more));
            assert!(!header.is_command);
        }
    }
    assert_eq!(Header::read(&[8, 0]), Err(Malformed::Header));
    assert_eq!(Header::read(&[5, 0]), Err(Malformed::Header));
}
