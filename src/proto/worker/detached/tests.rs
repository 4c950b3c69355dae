use super::*;

fn ended(number: u64, bytes: usize) -> Detached<Vec<u8>> {
    let rid = number.to_string().into_bytes();
    let mut reply = Detached::new(b"C".to_vec(), rid, None, 0, Vec::new());
    reply.put_end(ReplyKind::Final, Body::binary(vec![0; bytes]));
    reply
}

#[test]
fn of_what_exceeds_the_maximum_the_oldest_bodies_are_dropped_and_nothing_else() {
    let mut replies = DetachedReplies::new();
    for number in 0..4 {
        replies.insert(number, ended(number, MAX_BYTES / 3));
    }
    assert!(!replies.incomplete);
    let lost: Vec<bool> = replies.iter().map(Detached::is_lost).collect();
    assert_eq!(lost, [true, false, false, false]);
    assert_eq!(replies.ended(), 4);
    let mut first = replies.take(0).expect("it is known");
    assert_eq!(first.take_missing(0), None, "it cannot be resumed");
    assert_eq!(replies.running(), 0);
}
