//! The vault: what opens it, what does not, and that failing to open it changes nothing.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]

mod home;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use home::Home;
use kith_crdt::crypto::hash;
use kith_crdt::crypto::secret::Secret;
use kith_store::{FORMAT, KdfCost, Medium, Store, Vault, VaultError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const COST: KdfCost = KdfCost::LEAST;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([8; 32])
}

fn vault(home: &Home) -> Vec<u8> {
    fs::read(home.path().join("vault")).unwrap()
}

fn set_vault(home: &Home, bytes: &[u8]) {
    fs::write(home.path().join("vault"), bytes).unwrap();
}

/// A vault file with this CBOR in it.
fn framed(cbor: &[u8]) -> Vec<u8> {
    let mut bytes = [
        b"KITHVLT1".as_slice(),
        &(cbor.len() as u32).to_be_bytes(),
        cbor,
    ]
    .concat();
    let check = hash::derive("vault-check", &[&bytes]);
    bytes.extend_from_slice(&check[..8]);
    bytes
}

#[test]
fn what_was_put_in_comes_out() {
    let home = Home::new();
    let made = Vault::create(home.path(), b"passphrase", b"secrets", &mut rng(), COST).unwrap();
    let opened = Vault::open(home.path(), b"passphrase").unwrap();
    assert!(made.master == opened.master && *opened.identity == b"secrets");
    assert_eq!(format!("{opened:?}"), "Opened(…)");
    assert_eq!(
        fs::metadata(home.path().join("vault"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert_eq!(Vault::format(home.path()).unwrap(), FORMAT);
}

#[test]
fn a_wrong_passphrase_says_so_quickly_and_changes_nothing() {
    let home = Home::new();
    let opened = Vault::create(
        home.path(),
        b"right",
        b"secrets",
        &mut rng(),
        KdfCost::DEFAULT,
    )
    .unwrap();
    drop(Store::open(home.path(), &opened.master, Medium::Disk).unwrap());
    let before = home.contents();
    let start = Instant::now();
    assert!(matches!(
        Vault::open(home.path(), b"wrong"),
        Err(VaultError::WrongPassphrase)
    ));
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "took {:?}",
        start.elapsed()
    );
    let changed = Vault::change_passphrase(home.path(), b"wrong", b"new", &mut rng(), COST);
    assert!(matches!(changed, Err(VaultError::WrongPassphrase)));
    assert!(home.contents() == before);
}

#[test]
fn a_new_passphrase_keeps_the_master_and_the_identity() {
    let home = Home::new();
    let made = Vault::create(home.path(), b"old", b"secrets", &mut rng(), COST).unwrap();
    Vault::change_passphrase(home.path(), b"old", b"new", &mut rng(), COST).unwrap();
    assert!(matches!(
        Vault::open(home.path(), b"old"),
        Err(VaultError::WrongPassphrase)
    ));
    let opened = Vault::open(home.path(), b"new").unwrap();
    assert!(opened.master == made.master && *opened.identity == b"secrets");
}

#[test]
fn a_new_identity_keeps_the_passphrase_and_needs_the_master() {
    let home = Home::new();
    let made = Vault::create(home.path(), b"passphrase", b"old", &mut rng(), COST).unwrap();
    Vault::rewrite_identity(home.path(), &made.master, b"new", &mut rng()).unwrap();
    assert_eq!(
        *Vault::open(home.path(), b"passphrase").unwrap().identity,
        b"new"
    );
    let wrong = Vault::rewrite_identity(home.path(), &Secret::new([0; 32]), b"lost", &mut rng());
    assert!(matches!(wrong, Err(VaultError::Altered)));
    assert_eq!(
        *Vault::open(home.path(), b"passphrase").unwrap().identity,
        b"new"
    );
}

#[test]
fn a_vault_is_not_overwritten() {
    let home = Home::new();
    Vault::create(home.path(), b"one", b"secrets", &mut rng(), COST).unwrap();
    let before = vault(&home);
    let again = Vault::create(home.path(), b"two", b"others", &mut rng(), COST);
    assert!(matches!(again, Err(VaultError::Exists)));
    assert_eq!(vault(&home), before);
    assert!(matches!(
        Vault::open(Home::new().path(), b"one"),
        Err(VaultError::Missing)
    ));
}

#[test]
fn a_vault_cut_short_says_so_at_every_length() {
    let home = Home::new();
    Vault::create(home.path(), b"passphrase", b"secrets", &mut rng(), COST).unwrap();
    let whole = vault(&home);
    for len in 0..whole.len() {
        set_vault(&home, &whole[..len]);
        let error = Vault::open(home.path(), b"passphrase").unwrap_err();
        assert!(
            matches!(error, VaultError::CutShort { found } if found == len),
            "at {len}: {error}"
        );
    }
    set_vault(&home, &[whole.as_slice(), &[0]].concat());
    assert!(matches!(
        Vault::open(home.path(), b"passphrase"),
        Err(VaultError::Altered)
    ));
}

#[test]
fn a_flipped_bit_anywhere_in_a_vault_is_noticed() {
    let home = Home::new();
    Vault::create(home.path(), b"passphrase", b"secrets", &mut rng(), COST).unwrap();
    let whole = vault(&home);
    for bit in 0..whole.len() * 8 {
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        set_vault(&home, &altered);
        let error = Vault::open(home.path(), b"passphrase").unwrap_err();
        assert!(
            matches!(error, VaultError::Altered | VaultError::CutShort { .. }),
            "bit {bit}: {error}"
        );
    }
}

#[test]
fn a_home_of_another_format_is_refused_by_name_and_touched_by_nobody() {
    let (newer, older) = (FORMAT + 1, FORMAT - 1);
    let told = [
        (
            newer,
            VaultError::Newer {
                found: newer,
                known: FORMAT,
            },
        ),
        (
            older,
            VaultError::Older {
                found: older,
                known: FORMAT,
            },
        ),
    ];
    for (format, refused) in told {
        let home = Home::new();
        // The format, and nothing else that this program would understand.
        let byte = u8::try_from(format).unwrap();
        set_vault(&home, &framed(&[0x82, byte, 0x63, b'n', b'e', b'w']));
        let before = home.contents();
        let error = Vault::open(home.path(), b"passphrase").unwrap_err();
        assert_eq!(error.to_string(), refused.to_string());
        let store = Store::open(home.path(), &Secret::new([0; 32]), Medium::Disk);
        assert_eq!(store.err().unwrap().to_string(), refused.to_string());
        assert!(home.contents() == before);
    }
}

#[test]
fn a_vault_cannot_ask_for_any_cost() {
    let home = Home::new();
    for (m_kib, t, p) in [
        (4 << 20 | 1, 1, 1),
        (8 << 10, 65, 1),
        (8 << 10, 1, 65),
        (0, 0, 0),
    ] {
        let mut e = minicbor::Encoder::new(Vec::new());
        e.array(6).unwrap().u32(FORMAT).unwrap();
        e.array(4)
            .unwrap()
            .u32(m_kib)
            .unwrap()
            .u32(t)
            .unwrap()
            .u32(p)
            .unwrap()
            .bytes(&[0; 16])
            .unwrap();
        for len in [24, 48, 24, 30] {
            e.bytes(&vec![0; len]).unwrap();
        }
        set_vault(&home, &framed(&e.into_writer()));
        let refused = Vault::open(home.path(), b"passphrase");
        assert!(
            matches!(refused, Err(VaultError::TooCostly { cost }) if cost == KdfCost { m_kib, t, p })
        );
    }
}
