//! Scenarios of losing and finding peers, and what holds in every order of events.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;

const PEER: TransportKey = TransportKey([1; 32]);
const START: Millis = Millis(1_700_000_000_000);

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn address(port: u16) -> String {
    format!("/ip4/192.0.2.1/tcp/{port}")
}

/// A book in which one peer is wanted and known at some ports.
fn book(ports: &[u16]) -> Dialer {
    let mut dialer = Dialer::new();
    dialer.want(PEER);
    let addresses: Vec<_> = ports.iter().map(|port| address(*port)).collect();
    dialer.learn(PEER, &addresses, START);
    dialer
}

#[test]
fn a_wanted_peer_is_dialled_at_once_and_not_twice() {
    let mut dialer = book(&[1]);
    assert!(dialer.next_deadline().is_some_and(|at| at <= START));
    assert_eq!(dialer.due(START), [(PEER, vec![address(1)])]);
    assert!(dialer.due(START.plus(DIAL_TIMEOUT_MS - 1)).is_empty());
}

#[test]
fn a_peer_that_nobody_wants_or_whose_address_is_unknown_is_not_dialled() {
    let mut dialer = Dialer::new();
    dialer.learn(PEER, &[address(1)], START);
    dialer.want(TransportKey([2; 32]));
    assert!(dialer.due(START).is_empty());
    assert_eq!(dialer.next_deadline(), None);
}

#[test]
fn retries_come_later_each_time_and_never_later_than_five_minutes() {
    let (mut dialer, mut rng, mut now, mut waits) = (book(&[1]), rng(), START, Vec::new());
    for _ in 0..20 {
        assert_eq!(dialer.due(now).len(), 1);
        dialer.failed(&PEER, now, &mut rng);
        let next = dialer.next_deadline().unwrap();
        waits.push(next.since(now));
        now = next;
    }
    assert!((BACKOFF_MIN_MS..=2 * BACKOFF_MIN_MS).contains(&waits[0]));
    assert!(waits[..8].windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(
        waits[9..]
            .iter()
            .all(|wait| (BACKOFF_MAX_MS / 2..=BACKOFF_MAX_MS).contains(wait))
    );
}

#[test]
fn two_nodes_that_lose_a_peer_together_do_not_retry_together() {
    let retry_at = |seed| {
        let mut dialer = book(&[1]);
        dialer.failed(&PEER, START, &mut ChaCha8Rng::seed_from_u64(seed));
        dialer.next_deadline()
    };
    assert_ne!(retry_at(1), retry_at(2));
}

#[test]
fn a_lost_peer_is_dialled_soon_after_a_connection_that_lasted() {
    let (mut dialer, mut rng) = (book(&[1]), rng());
    for _ in 0..10 {
        dialer.failed(&PEER, START, &mut rng);
    }
    dialer.succeeded(PEER, Some(&address(1)), START);
    assert_eq!(dialer.next_deadline(), None);
    let lost = START.plus(STABLE_MS);
    dialer.disconnected(&PEER, lost, &mut rng);
    assert!(dialer.next_deadline().unwrap().since(lost) <= 2 * BACKOFF_MIN_MS);
}

#[test]
fn a_peer_that_hangs_up_at_once_is_dialled_less_and_less() {
    let (mut dialer, mut rng) = (book(&[1]), rng());
    for _ in 0..10 {
        dialer.succeeded(PEER, Some(&address(1)), START);
        dialer.disconnected(&PEER, START, &mut rng);
    }
    assert!(dialer.next_deadline().unwrap().since(START) >= BACKOFF_MAX_MS / 2);
}

#[test]
fn a_new_address_shortens_the_wait() {
    let (mut dialer, mut rng) = (book(&[1]), rng());
    for _ in 0..10 {
        dialer.failed(&PEER, START, &mut rng);
    }
    assert!(!dialer.learn(PEER, &[address(1)], START));
    assert!(dialer.next_deadline().unwrap().since(START) > BACKOFF_MIN_MS);
    assert!(dialer.learn(PEER, &[address(2)], START));
    assert_eq!(dialer.next_deadline(), Some(START.plus(BACKOFF_MIN_MS)));
}

#[test]
fn a_clock_that_falls_back_does_not_put_off_the_retry() {
    let (mut dialer, mut rng, wrong) = (book(&[1]), rng(), START.plus(1_000_000_000));
    dialer.failed(&PEER, wrong, &mut rng);
    dialer.clock_fell_back(START);
    assert_eq!(dialer.next_deadline(), Some(START.plus(BACKOFF_MAX_MS)));
    let mut dialer = book(&[1]);
    dialer.due(wrong);
    dialer.clock_fell_back(START);
    assert_eq!(dialer.next_deadline(), Some(START.plus(DIAL_TIMEOUT_MS)));
}

#[test]
fn a_failed_dial_beside_a_connection_that_stands_changes_nothing() {
    let (mut dialer, mut rng) = (book(&[1]), rng());
    dialer.succeeded(PEER, None, START);
    dialer.failed(&PEER, START, &mut rng);
    assert_eq!(dialer.next_deadline(), None);
}

#[test]
fn the_address_that_worked_last_comes_first_whatever_the_clock_says() {
    let mut dialer = book(&[1, 2, 3]);
    dialer.succeeded(PEER, Some(&address(2)), START.plus(9));
    dialer.succeeded(PEER, Some(&address(3)), START);
    assert_eq!(dialer.addresses(&PEER)[..2], [address(3), address(2)]);
}

#[test]
fn addresses_that_worked_are_not_pushed_out_by_hearsay() {
    let mut dialer = book(&[1]);
    dialer.succeeded(PEER, Some(&address(1)), START);
    for port in 2..100 {
        dialer.learn(PEER, &[address(port)], START);
    }
    let kept = dialer.addresses(&PEER);
    assert_eq!(
        (kept.len(), kept[0].clone(), kept[1].clone()),
        (ADDRESSES_MAX, address(1), address(99))
    );
}

#[test]
fn a_record_survives_the_store_in_its_order() {
    let mut dialer = book(&[1, 2, 3, 4]);
    dialer.succeeded(PEER, Some(&address(3)), START);
    let mut restored = Dialer::new();
    restored
        .restore(PEER, &dialer.record(&PEER).unwrap())
        .unwrap();
    assert_eq!(restored.addresses(&PEER), dialer.addresses(&PEER));
    assert_eq!(restored.record(&PEER), dialer.record(&PEER));
}

#[test]
fn a_record_has_these_bytes() {
    let mut dialer = Dialer::new();
    dialer.succeeded(PEER, Some("/ip4/1.2.3.4/tcp/5"), Millis(6));
    let expected = [
        &[0x81, 0x81, 0x82, 0x72][..],
        b"/ip4/1.2.3.4/tcp/5",
        &[0x06],
    ]
    .concat();
    assert_eq!(dialer.record(&PEER), Some(expected));
}

#[test]
fn what_is_no_record_or_no_address_is_refused() {
    let mut dialer = Dialer::new();
    assert!(dialer.restore(PEER, b"no record").is_err());
    assert!(dialer.restore(PEER, &vec![0; RECORD_MAX + 1]).is_err());
    let nonsense = [
        String::new(),
        "a".repeat(ADDRESS_MAX + 1),
        "/ip4/1\n".into(),
        "é".into(),
    ];
    assert!(!dialer.learn(PEER, &nonsense, START));
    assert_eq!(dialer.record(&PEER), None);
}

#[test]
fn only_so_many_dials_are_under_way() {
    let mut dialer = Dialer::new();
    for n in 0..2 * DIALS_MAX {
        let peer = TransportKey([n as u8; 32]);
        dialer.want(peer);
        dialer.learn(peer, &[address(1)], START);
    }
    assert_eq!(dialer.due(START).len(), DIALS_MAX);
    assert_eq!(dialer.next_deadline(), Some(START.plus(DIAL_TIMEOUT_MS)));
    dialer.succeeded(TransportKey([0; 32]), None, START);
    assert_eq!(dialer.due(START).len(), 1);
}

#[test]
fn a_full_book_forgets_strangers_first() {
    let mut dialer = book(&[1]);
    for n in 0..PEERS_MAX + 10 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(n as u64).to_be_bytes());
        dialer.learn(TransportKey(key), &[address(2)], START);
    }
    assert_eq!(dialer.peers.len(), PEERS_MAX);
    assert_eq!(dialer.addresses(&PEER), [address(1)]);
}

#[derive(Debug, Clone)]
enum Step {
    Want(u8),
    Unwant(u8),
    Learn(u8, u16),
    Due,
    Succeeded(u8, Option<u16>),
    Failed(u8),
    Disconnected(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (peer, port) = (0..40_u8, 1..12_u16);
    prop_oneof![
        peer.clone().prop_map(Step::Want),
        peer.clone().prop_map(Step::Unwant),
        (peer.clone(), port.clone()).prop_map(|(peer, port)| Step::Learn(peer, port)),
        Just(Step::Due),
        (peer.clone(), proptest::option::of(port))
            .prop_map(|(peer, port)| Step::Succeeded(peer, port)),
        peer.clone().prop_map(Step::Failed),
        peer.prop_map(Step::Disconnected),
        (0..400_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_book_stays_bounded_and_the_deadline_leads_on(
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let (mut dialer, mut rng, mut now) = (Dialer::new(), rng(), START);
        for step in steps {
            let key = |peer| TransportKey([peer; 32]);
            match step {
                Step::Want(peer) => dialer.want(key(peer)),
                Step::Unwant(peer) => dialer.unwant(&key(peer)),
                Step::Learn(peer, port) => drop(dialer.learn(key(peer), &[address(port)], now)),
                Step::Due => drop(dialer.due(now)),
                Step::Succeeded(peer, port) => {
                    dialer.succeeded(key(peer), port.map(address).as_deref(), now);
                }
                Step::Failed(peer) => dialer.failed(&key(peer), now, &mut rng),
                Step::Disconnected(peer) => dialer.disconnected(&key(peer), now, &mut rng),
                Step::Wait(ms) => now = now.plus(ms),
            }
            check(&dialer, now)?;
        }
    }

    #[test]
    fn any_record_is_restored_as_it_was(
        successes in proptest::collection::vec((1..12_u16, 0..5_u64), 0..30),
    ) {
        let mut dialer = Dialer::new();
        for (port, ms) in successes {
            dialer.learn(PEER, &[address(port + 100)], START);
            dialer.succeeded(PEER, Some(&address(port)), START.plus(ms));
        }
        let mut restored = Dialer::new();
        if let Some(bytes) = dialer.record(&PEER) {
            restored.restore(PEER, &bytes).unwrap();
        }
        prop_assert_eq!(restored.record(&PEER), dialer.record(&PEER));
    }

    #[test]
    fn bytes_from_anywhere_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut dialer = Dialer::new();
        let _ = dialer.restore(PEER, &bytes);
        prop_assert!(dialer.addresses(&PEER).len() <= ADDRESSES_MAX);
    }
}

/// Addresses are bounded, sorted and distinct; and asking at the deadline either starts a dial or
/// moves the deadline on, so that a caller who waits for it never spins.
fn check(dialer: &Dialer, now: Millis) -> Result<(), TestCaseError> {
    for peer in dialer.peers.values() {
        let known = &peer.record.addresses;
        prop_assert!(known.len() <= ADDRESSES_MAX);
        prop_assert!(
            known
                .windows(2)
                .all(|pair| pair[0].last_success >= pair[1].last_success)
        );
        let distinct: std::collections::BTreeSet<_> = known.iter().map(|k| &k.address).collect();
        prop_assert_eq!(distinct.len(), known.len());
    }
    if let Some(deadline) = dialer.next_deadline() {
        let mut later = dialer.clone();
        let at = deadline.max(now);
        let started = later.due(at);
        prop_assert!(started.len() <= DIALS_MAX);
        prop_assert!(!started.is_empty() || later.next_deadline().is_none_or(|next| next > at));
        prop_assert!(started.iter().all(|(_, addresses)| !addresses.is_empty()));
    }
    Ok(())
}
