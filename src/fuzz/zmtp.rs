//! The bytes of connections without libzmq, which the broker reads in whatever parts they come.

use crate::wire::zmtp::{
    Accepted, Accepting, Framing, GREETING, Greeting, Header, MAX_COMMAND, MAX_ROUTING_ID, Ready,
    answer, append_header, is_ready_of_router, read_greeting,
};

/// The greeting of a peer is understood alike whether it comes byte by byte or at once.
fn accepting(data: &[u8]) {
    let (mut slow, mut parts) = (Accepting::default(), Vec::new());
    let verdicts = (0..=data.len()).map(|len| slow.look(&data[..len], &mut parts));
    let verdict = verdicts.into_iter().find(|it| *it != Accepted::Unfinished);
    let mut whole = Vec::new();
    let at_once = Accepting::default().look(data, &mut whole);
    assert_eq!(verdict.unwrap_or(Accepted::Unfinished), at_once);
    assert_eq!(parts, whole);
    assert!(whole.len() <= GREETING);
    if let Accepted::Old(_, len) = at_once {
        assert!(len <= data.len());
    }
}

/// The bytes of a connection: a greeting, commands and frames.
pub(super) fn run(data: &[u8]) {
    let verdict = read_greeting(data);
    for len in 0..data.len().min(64) {
        let early = read_greeting(&data[..len]);
        assert!(early == Greeting::Unfinished || early == verdict, "{len}");
    }
    is_ready_of_router(data);
    if let Some(ready) = Ready::read(data) {
        assert!(ready.routing_id.len() <= MAX_ROUTING_ID);
    }
    accepting(data);
    let mut rest = data;
    while let Ok(Some(header)) = Framing::Old.read(rest) {
        assert!(header.size <= rest.len() && !header.is_command);
        let mut bytes = Vec::new();
        let len = header.len.min(1 << 20);
        Framing::Old.append(&mut bytes, len as usize, header.more);
        let again = Framing::Old.read(&bytes).ok().flatten();
        let again = again.expect("a whole header");
        assert_eq!((again.len, again.more), (len, header.more));
        rest = rest.get(header.size + len as usize..).unwrap_or_default();
    }
    if let Some(pong) = answer(data) {
        let header = Header::read(&pong).ok().flatten().expect("a whole command");
        assert!(header.is_command && header.len <= MAX_COMMAND);
        assert_eq!(header.size as u64 + header.len, pong.len() as u64);
    }
    let mut rest = data;
    while let Ok(Some(header)) = Header::read(rest) {
        assert!(header.size <= Header::MAX && header.size <= rest.len());
        if !header.is_command {
            let mut bytes = Vec::new();
            append_header(&mut bytes, header.len as usize, header.more);
            let again = Header::read(&bytes).ok().flatten().expect("a whole header");
            assert_eq!((again.len, again.more), (header.len, header.more));
        }
        rest = rest
            .get(header.size + header.len.min(1 << 20) as usize..)
            .unwrap_or_default();
    }
}
