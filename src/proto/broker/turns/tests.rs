use super::*;

/// Handles everything, where each item is a number of units. Returns the turns, in order.
fn play(turns: &mut Turns<u32>) -> Vec<(String, u32)> {
    let mut served = Vec::new();
    while let Some(turn) = turns.next_turn() {
        let (mut used, mut rest) = (0, None);
        while used < turn.units
            && let Some(item) = turns.take(&turn.peer)
        {
            let now = item.min(turn.units - used);
            used += now;
            rest = (item > now).then_some((item - now, 1));
        }
        let name = String::from_utf8_lossy(&turn.peer).into_owned();
        served.push((name, used));
        turns.end(turn, used, rest);
    }
    served
}

fn of(owner: &[u8]) -> RoutingId {
    owner.into()
}

fn who(served: &[(String, u32)]) -> String {
    served.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn each_has_its_turn() {
    let mut turns = Turns::default();
    turns.begin(b"a", of(b"a"), QUANTUM, Some((5 * QUANTUM, 1)));
    turns.begin(b"b", of(b"b"), QUANTUM, Some((2 * QUANTUM, 1)));
    turns.begin(b"c", of(b"c"), QUANTUM, Some((1, 1)));
    turns.push(b"b", 1, 1);
    assert!(turns.waits(b"a") && !turns.waits(b"d"));
    assert_eq!(who(&play(&mut turns)), "abcababaa");
    assert!(turns.is_empty() && turns.backlogs.is_empty());
}

#[test]
fn large_batches_of_many_peers_start_with_a_small_part() {
    let mut turns = Turns::default();
    assert_eq!(turns.allowance(b""), QUANTUM);
    for is_of_one in [false, true] {
        let mut at_once = 0;
        for peer in 0..500u16 {
            let peer = peer.to_be_bytes();
            let owner = if is_of_one { of(b"") } else { of(&peer) };
            let allowance = turns.allowance(&owner);
            at_once += allowance;
            turns.begin(&peer, owner, allowance, Some((QUANTUM, 1)));
        }
        assert!(at_once < 9 * QUANTUM, "{at_once}");
        let other = turns.allowance(b"other");
        assert_eq!(other, if is_of_one { AMONG_WAITING } else { 1 });
        assert_eq!(play(&mut turns).len(), 500);
        assert_eq!(turns.allowance(b""), QUANTUM);
    }
}

#[test]
fn short_ones_share_a_turn() {
    let mut turns = Turns::default();
    turns.begin(b"a", of(b"a"), QUANTUM, Some((1, 7)));
    for _ in 0..QUANTUM {
        turns.push(b"a", 1, 7);
    }
    assert_eq!(turns.bytes_of(b"a"), 7 * (QUANTUM as usize + 1));
    let all = [("a".to_owned(), QUANTUM), ("a".to_owned(), 1)];
    assert_eq!(play(&mut turns), all);
    assert_eq!(turns.bytes_of(b"a"), 0);
}

#[test]
fn what_took_long_is_paid_for_before_the_next() {
    let mut turns = Turns::default();
    turns.begin(b"a", of(b"a"), 3 * QUANTUM, Some((1, 1)));
    turns.begin(b"b", of(b"b"), QUANTUM, Some((3 * QUANTUM, 1)));
    assert_eq!(who(&play(&mut turns)), "bbab");
    // A peer that has sent nothing since is forgotten, with its excess.
    turns.begin(b"a", of(b"a"), 3 * QUANTUM, None);
    assert!(turns.waits(b"a"));
    assert_eq!(who(&play(&mut turns)), "");
    assert!(turns.is_empty());
}

#[test]
fn what_waits_of_one_peer_can_be_taken_away() {
    let mut turns = Turns::default();
    turns.begin(b"a", of(b"a"), QUANTUM, Some((1, 1)));
    turns.begin(b"b", of(b"b"), QUANTUM, Some((2, 1)));
    turns.push(b"a", 3, 1);
    assert_eq!(turns.remove(b"a").collect::<Vec<_>>(), [1, 3]);
    assert_eq!(turns.len(), 1);
    assert_eq!(turns.drain().collect::<Vec<_>>(), [2]);
    assert!(turns.next_turn().is_none() && turns.is_empty());
}

#[test]
fn many_peers_of_one_owner_have_the_turns_of_one() {
    let mut turns = Turns::default();
    for peer in [b"a", b"b", b"c", b"d"] {
        turns.begin(peer, of(b"1"), QUANTUM, Some((2 * QUANTUM, 1)));
    }
    turns.begin(b"x", of(b"2"), QUANTUM, Some((3 * QUANTUM, 1)));
    turns.begin(b"y", of(b"3"), 2 * QUANTUM, Some((QUANTUM, 1)));
    assert_eq!(turns.len(), 6);
    assert_eq!(who(&play(&mut turns)), "axbxycxdabcd");
    assert!(turns.is_empty() && turns.peers.is_empty());
    turns.begin(b"a", of(b"1"), QUANTUM, Some((1, 1)));
    turns.begin(b"b", of(b"1"), QUANTUM, Some((2, 1)));
    turns.begin(b"a", of(b"1"), QUANTUM, Some((3, 1)));
    assert_eq!(turns.remove(b"b").collect::<Vec<_>>(), [2]);
    assert_eq!(turns.drain().collect::<Vec<_>>(), [3]);
    assert!(turns.is_empty() && turns.peers.is_empty() && turns.order.is_empty());
}
