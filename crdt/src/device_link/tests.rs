use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::identity::NewDevice;

const OLD: TransportKey = TransportKey([3; 32]);
const NEW: TransportKey = TransportKey([4; 32]);
const BETWEEN: TransportKey = TransportKey([5; 32]);

fn link() -> DeviceLink {
    DeviceLink {
        account: AccountId([1; 32]),
        name: "Ada".to_owned(),
        secret: Secret::new([2; 32]),
        expires_at: Millis(1_800_000_000_000),
        host: OLD,
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn record(seed: u64) -> Signed {
    let new = NewDevice::generate(link().account, "laptop", &mut rng(seed));
    new.unwrap().record
}

#[test]
fn a_link_is_read_as_it_was_written_and_told_from_an_invite() {
    let text = link().to_string();
    assert_eq!(text.parse(), Ok(link()));
    assert_eq!(format!(" {}\n", text.to_uppercase()).parse(), Ok(link()));
    for len in SCHEME.len()..text.len() {
        let cut = text[..len].parse::<DeviceLink>();
        assert_eq!(cut, Err(DeviceLinkError::CutShort), "at {len}");
    }
    let error = |text: &str| text.parse::<DeviceLink>().unwrap_err();
    assert_eq!(error("kith:abcd"), DeviceLinkError::AnInvite);
    assert_eq!(error("https://example.org"), DeviceLinkError::NotALink);
    assert_eq!(
        text.parse::<crate::link::InviteLink>(),
        Err(crate::link::LinkError::ForADevice)
    );
    let long = DeviceLink {
        addresses: vec![String::new(); 9],
        ..link()
    };
    assert!(matches!(
        error(&long.to_string()),
        DeviceLinkError::OutOfBounds(_)
    ));
}

#[test]
fn asking_takes_the_link_and_is_for_the_two_that_speak() {
    let (ask, nonce) = Ask::new(&link(), (&OLD, &NEW), record(1), &mut rng(2));
    assert_eq!(ask.verify(&link(), (&OLD, &NEW)), Ok(()));
    assert!(ask.is_opened_by(&nonce, &NEW));
    assert!(!ask.is_opened_by(&nonce, &BETWEEN) && !ask.is_opened_by(&[0; 32], &NEW));
    let other = DeviceLink {
        secret: Secret::new([9; 32]),
        ..link()
    };
    assert!(ask.verify(&other, (&OLD, &NEW)).is_err());
    assert!(ask.verify(&link(), (&OLD, &BETWEEN)).is_err());
    assert!(ask.verify(&link(), (&BETWEEN, &NEW)).is_err());
    let altered = Ask {
        record: record(3),
        ..ask
    };
    assert!(altered.verify(&link(), (&OLD, &NEW)).is_err());
}

#[test]
fn both_sides_make_the_same_code_and_whoever_stands_between_them_another() {
    let (theirs, ours) = ([6; 32], [7; 32]);
    let code = link().code((&OLD, &NEW), &record(1), (&theirs, &ours));
    let same = link().code((&OLD, &NEW), &record(1), (&theirs, &ours));
    assert!(code == same);
    let others = [
        link().code((&OLD, &BETWEEN), &record(1), (&theirs, &ours)),
        link().code((&BETWEEN, &NEW), &record(1), (&theirs, &ours)),
        link().code((&OLD, &NEW), &record(2), (&theirs, &ours)),
        link().code((&OLD, &NEW), &record(1), (&[8; 32], &ours)),
        link().code((&OLD, &NEW), &record(1), (&theirs, &[8; 32])),
    ];
    assert!(others.iter().all(|other| other.digits() != code.digits()));
}
