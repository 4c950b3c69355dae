use super::*;
use crate::proto::broker::bench::Bench;

const EXT: ClaimExt = ClaimExt {
    state: ClaimState::Running,
    number: 7,
    token: None,
};

fn name(service: ServiceKey, rid: usize) -> ClaimName {
    let client: RoutingId = b"c"[..].into();
    (client, rid.to_string().into_bytes().into(), service)
}

#[test]
fn very_many_claims_become_void_at_once_and_make_room_for_those_of_the_next_connection() {
    const COUNT: usize = 10 * PIECE;
    let (mut bench, mut claims) = (Bench::empty(), Claims::default());
    let service = bench.services.require(b"s");
    let [worker, other] = ["w", "v"].map(|name| bench.worker(name, service));
    for rid in 0..COUNT {
        let of = if rid == 5 { other } else { worker };
        let added = claims.add(&mut bench, name(service, rid), of, EXT, None);
        assert_eq!(added, Ok(()));
    }
    claims.drop_all(&mut bench, worker);
    assert_eq!(claims.len(), 1);
    assert_eq!(claims.slab.len(), COUNT - PIECE);
    assert_eq!([worker, other].map(|key| claims.running_of(key)), [0, 1]);
    let charged = claims.charges().map(|(_, bytes)| bytes).sum::<usize>();
    assert_eq!(charged, bench.accounts.total());
    // It claims the same again.
    assert!(!claims.contains(&mut bench, &name(service, 0)));
    assert!(claims.contains(&mut bench, &name(service, 5)));
    let again = claims.add(&mut bench, name(service, 0), worker, EXT, None);
    assert_eq!(again, Ok(()));
    assert_eq!(claims.running_of(worker), 1);
    // The timers of the others find nothing to disclaim.
    let mut disclaimed = 0;
    while let Some(timer) = bench.wait() {
        if let Timer::Claim(at) = timer {
            disclaimed += usize::from(claims.drop(&mut bench, at).is_some());
        }
    }
    assert_eq!((disclaimed, claims.slab.len()), (2, 0));
    assert!(claims.names.is_empty() && claims.latest.is_empty());
    assert_eq!((bench.accounts.total(), bench.accounts.len()), (0, 0));
}

#[test]
fn claims_of_a_client_are_those_of_its_user() {
    let (mut bench, mut claims) = (Bench::empty(), Claims::default());
    let service = bench.services.require(b"s");
    let worker = bench.worker("w", service);
    let users: [Option<&[u8]>; 4] = [None, Some(b"a\0{}"), Some(b"b"), Some(b"a")];
    for (rid, user) in users.into_iter().enumerate() {
        let user = user.map(Box::from);
        let added = claims.add(&mut bench, name(service, rid), worker, EXT, user);
        assert_eq!(added, Ok(()));
    }
    let of = |client: &[u8], user| claims.of_client(client, user).len();
    assert_eq!(users.map(|user| of(b"c", user)), [1, 2, 1, 2]);
    assert_eq!(of(b"d", None), 0);
}

#[test]
fn claims_of_a_worker_are_dropped_in_any_order() {
    let (mut bench, mut claims) = (Bench::empty(), Claims::default());
    let service = bench.services.require(b"s");
    let worker = bench.worker("w", service);
    for rid in 0..9 {
        let added = claims.add(&mut bench, name(service, rid), worker, EXT, None);
        assert_eq!(added, Ok(()));
    }
    for at in [4, 0, 8, 7] {
        assert!(claims.drop(&mut bench, at).is_some());
    }
    claims.drop_all(&mut bench, worker);
    assert!(claims.slab.is_empty() && claims.latest.is_empty());
}
