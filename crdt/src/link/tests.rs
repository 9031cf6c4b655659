use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::crypto::phrase::Phrase;
use crate::identity::{DeviceSecrets, create_account};

fn link() -> InviteLink {
    InviteLink {
        channel: ChannelId([1; 32]),
        name: "tea".to_owned(),
        secret: Secret::new([2; 32]),
        expires_at: Millis(1_800_000_000_000),
        hosts: vec![(
            TransportKey([3; 32]),
            vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
        )],
    }
}

fn ada() -> DeviceSecrets {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    create_account(&Phrase::random(&mut rng), "Ada", "phone", &mut rng).unwrap()
}

#[test]
fn a_link_survives_being_pasted() {
    let text = link().to_string();
    assert_eq!(text.parse(), Ok(link()));
    assert_eq!(format!("  {}\n", text.to_uppercase()).parse(), Ok(link()));
}

#[test]
fn a_link_cut_anywhere_says_that_it_is_cut_short() {
    let text = link().to_string();
    for len in SCHEME.len()..text.len() {
        assert_eq!(
            text[..len].parse::<InviteLink>(),
            Err(LinkError::CutShort),
            "at {len}"
        );
    }
}

#[test]
fn an_altered_link_is_noticed_wherever_it_was_altered() {
    let text = link().to_string();
    for at in SCHEME.len()..text.len() {
        let other = if &text[at..=at] == "a" { "b" } else { "a" };
        let altered = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        let error = altered.parse::<InviteLink>().unwrap_err();
        assert!(
            matches!(error, LinkError::Altered | LinkError::CutShort),
            "at {at}: {error}"
        );
    }
    assert_eq!(
        text.replace('a', "ä").parse::<InviteLink>(),
        Err(LinkError::Altered)
    );
}

#[test]
fn other_texts_are_not_links() {
    for text in [
        "",
        "kith",
        "https://example.org/",
        "ki\u{1F375}:abc",
        "matrix:abc",
    ] {
        assert_eq!(
            text.parse::<InviteLink>(),
            Err(LinkError::NotALink),
            "{text}"
        );
    }
}

fn packed(version: u8, body: &[u8]) -> String {
    let mut bytes = vec![version];
    bytes.extend_from_slice(body);
    let check = crate::crypto::hash::derive("link-check", &[&bytes]);
    bytes.extend_from_slice(&check[..4]);
    format!("{SCHEME}{}", crate::ids::base32(&bytes))
}

#[test]
fn a_newer_or_impossible_link_says_so() {
    let newer = packed(2, b"who knows");
    assert_eq!(newer.parse::<InviteLink>(), Err(LinkError::Newer(2)));
    let hosts = vec![(TransportKey([0; 32]), Vec::new()); LINK_HOSTS_MAX + 1];
    let crowded = InviteLink { hosts, ..link() }.to_string();
    assert!(matches!(
        crowded.parse::<InviteLink>(),
        Err(LinkError::OutOfBounds(_))
    ));
    let rude = InviteLink {
        name: "a\u{1b}[31m".to_owned(),
        ..link()
    }
    .to_string();
    assert!(matches!(
        rude.parse::<InviteLink>(),
        Err(LinkError::OutOfBounds(_))
    ));
}

#[test]
fn a_proof_counts_for_one_pair_in_one_channel() {
    let (asker, answerer) = (TransportKey([7; 32]), TransportKey([8; 32]));
    let proof = link().prove(&asker, &answerer);
    let (channel, invite) = (link().channel, link().invite());
    assert!(verify_proof(&channel, &invite, &asker, &answerer, &proof).is_ok());
    assert!(verify_proof(&channel, &invite, &answerer, &asker, &proof).is_err());
    assert!(verify_proof(&ChannelId([9; 32]), &invite, &asker, &answerer, &proof).is_err());
    assert!(verify_proof(&channel, &InviteId([9; 32]), &asker, &answerer, &proof).is_err());
}

#[test]
fn a_countersignature_counts_for_one_account_with_its_devices() {
    let secrets = ada();
    let ada = secrets.certificate.verify().unwrap();
    let countersignature = link().countersign(&ada);
    let verify = |joiner: &Certified| {
        verify_countersignature(&link().channel, &link().invite(), joiner, &countersignature)
    };
    assert!(verify(&ada).is_ok());
    let record = &secrets.certificate.records[0];
    let another = secrets.admit(record, true).unwrap();
    assert!(verify(&another.verify().unwrap()).is_err());
}

#[test]
fn a_link_does_not_show_its_secret_but_where_it_must() {
    assert!(!format!("{:?}", link()).contains("2, 2"));
}
