use super::*;

fn accounts(peer: usize, user: usize, total: usize) -> Accounts {
    Accounts::new(HeldLimits {
        peer,
        user,
        total,
        ..HeldLimits::NONE
    })
}

fn id(name: &str) -> RoutingId {
    name.as_bytes().into()
}

#[test]
fn each_limit_holds_and_what_is_refused_is_not_charged() {
    let mut accounts = accounts(10, 15, 20);
    let a = accounts.open(&id("a"), Some("u"), None);
    let b = accounts.open(&id("b"), Some("u"), None);
    let c = accounts.open(&id("c"), None, None);
    assert_eq!(accounts.charge(a, 10), Ok(()));
    let over = |scope, held, limit| Err(OverLimit { scope, held, limit });
    assert_eq!(accounts.charge(a, 1), over(Scope::Peer, 10, 10));
    assert_eq!(accounts.charge(b, 6), over(Scope::User, 10, 15));
    assert_eq!(accounts.charge(b, 5), Ok(()));
    assert_eq!(accounts.charge(c, 6), over(Scope::Total, 15, 20));
    assert_eq!(accounts.charge(c, usize::MAX), over(Scope::Peer, 0, 10));
    assert_eq!(accounts.charge(c, 5), Ok(()));
    accounts.audit(&[(a, 10), (b, 5), (c, 5)], &[a, b, c]);
    accounts.close(a, 10);
    assert_eq!(accounts.charge(b, 5), Ok(()));
    accounts.close(b, 10);
    accounts.close(c, 5);
    assert_eq!((accounts.len(), accounts.total()), (0, 0));
    assert!(accounts.users.names.is_empty());
}

#[test]
fn peers_of_one_address_share_its_limit() {
    let mut accounts = Accounts::new(HeldLimits {
        address: 10,
        ..HeldLimits::NONE
    });
    let a = accounts.open(&id("a"), Some("u"), Some("10.0.0.1"));
    let b = accounts.open(&id("b"), None, Some("10.0.0.1"));
    let c = accounts.open(&id("c"), Some("u"), Some("10.0.0.2"));
    let local = accounts.open(&id("local"), None, None);
    assert_eq!(accounts.charge(a, 6), Ok(()));
    let over = OverLimit {
        scope: Scope::Address,
        held: 6,
        limit: 10,
    };
    assert_eq!(accounts.charge(b, 5), Err(over));
    for key in [b, c, local] {
        assert_eq!(accounts.charge(key, 4), Ok(()));
    }
    assert_eq!(accounts.refused(Time::ZERO, b"b", Scope::Address), None);
    let charges = [(a, 6), (b, 4), (c, 4), (local, 4)];
    accounts.audit(&charges, &[a, b, c, local]);
    for (key, bytes) in charges {
        accounts.close(key, bytes);
    }
    assert!(accounts.addresses.names.is_empty() && accounts.users.names.is_empty());
}

#[test]
fn a_peer_with_little_has_a_share_that_strangers_cannot_use_up() {
    let mut accounts = Accounts::new(HeldLimits {
        user: 4000,
        address: 10_000,
        total: 16_000,
        ..HeldLimits::NONE
    });
    let many: Vec<_> = (0..8)
        .map(|n| accounts.open(&id(&n.to_string()), None, Some("10.0.0.1")))
        .collect();
    assert_eq!(accounts.charge(many[0], 10_000), Ok(()));
    // Of two groups, and one for those that have neither user nor address, by 8 peers.
    assert_eq!(accounts.charge(many[1], 125), Ok(()));
    let scope = |charged: Result<(), OverLimit>| charged.map_err(|over| over.scope);
    let beyond = accounts.charge(many[1], 1);
    assert_eq!(scope(beyond), Err(Scope::Address));
    let one = accounts.open(&id("one"), Some("u"), Some("10.0.0.2"));
    let other = accounts.open(&id("other"), Some("u"), None);
    let local = accounts.open(&id("local"), None, None);
    assert_eq!(accounts.charge(local, 5_875), Ok(()));
    assert_eq!(accounts.charge(one, 250), Ok(()));
    assert_eq!(scope(accounts.charge(one, 1)), Err(Scope::Total));
    accounts.release(local, 4_000);
    accounts.release(one, 50);
    assert_eq!(accounts.charge(other, 3_800), Ok(()));
    assert_eq!(accounts.charge(local, 0), Ok(()));
    assert_eq!(accounts.total(), 16_000);
    // The limit of its user holds even so.
    assert_eq!(scope(accounts.charge(one, 1)), Err(Scope::Total));
    let mut charges = vec![(many[0], 10_000), (many[1], 125)];
    charges.extend([(one, 200), (other, 3_800), (local, 1_875)]);
    let mut holders = many.clone();
    holders.extend([one, other, local]);
    accounts.audit(&charges, &holders);
}

#[test]
fn shares_of_peers_that_come_one_after_the_other_are_bounded() {
    for address in [100_000, usize::MAX] {
        let mut accounts = Accounts::new(HeldLimits {
            total: 160_000,
            address,
            ..HeldLimits::NONE
        });
        let mut charges = Vec::new();
        for n in 0..4000_usize {
            let host = (address == usize::MAX).then(|| (n % 20).to_string());
            let host = host.unwrap_or("one".into());
            let key = accounts.open(&id(&n.to_string()), None, Some(&host));
            let mut held = 0;
            for step in [1000, 100, 10, 1] {
                while accounts.charge(key, step).is_ok() {
                    held += step;
                }
            }
            charges.push((key, held));
        }
        let most = 160_000.min(address);
        assert!((most..=most / 4 * 5).contains(&accounts.total()));
        let keys: Vec<_> = charges.iter().map(|(key, _)| *key).collect();
        accounts.audit(&charges, &keys);
    }
}

#[test]
fn the_more_peers_the_less_is_free_for_each() {
    let mut accounts = accounts(1000, 1000, 800_000);
    assert_eq!(accounts.free(1000), 1000);
    assert!(accounts.note_connections(100) && !accounts.note_connections(100));
    assert_eq!(accounts.free(1000), 1000);
    accounts.note_connections(1000);
    assert_eq!(accounts.free(1000), 100);
    accounts.note_connections(0);
    let keys: Vec<_> = (0..200)
        .map(|n| accounts.open(&id(&n.to_string()), None, None))
        .collect();
    assert_eq!(accounts.free(1000), 500);
    keys.into_iter().for_each(|key| accounts.close(key, 0));
    assert_eq!(Accounts::new(HeldLimits::NONE).free(1000), 1000);
}

#[test]
fn an_account_lives_as_long_as_it_has_a_holder() {
    let mut accounts = accounts(10, 10, 10);
    let first = accounts.open(&id("a"), None, None);
    let second = accounts.open(&id("a"), None, None);
    assert_eq!(first, second);
    accounts.close(first, 0);
    assert_eq!(accounts.charge(second, 3), Ok(()));
    accounts.close(second, 3);
    assert_eq!(accounts.len(), 0);
}
