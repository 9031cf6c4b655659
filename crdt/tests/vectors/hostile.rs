//! Every recorded vector with bytes changed, cut off and put in: nothing that reads it panics, and
//! what is signed or sealed is never taken for what it was.

use kith_crdt::beacon::Beacon;
use kith_crdt::control::{Body, VerifiedOp};
use kith_crdt::crypto::sign::Signed;
use kith_crdt::device_link::DeviceLink;
use kith_crdt::encoding::decode;
use kith_crdt::envelope::{Envelope, Header};
use kith_crdt::frame::open_frame;
use kith_crdt::grant::{KeyAnswer, KeyRequest, request};
use kith_crdt::identity::{Certificate, DeviceSecrets};
use kith_crdt::keys::{EpochKeys, EpochSecret};
use kith_crdt::link::InviteLink;
use kith_crdt::log::{Fork, Log};
use kith_crdt::moment::Moment;
use kith_crdt::projection::{Claim, SeenBy};
use kith_crdt::segment::{Branch, Entry, read_change};
use kith_crdt::sync::{Answer, Request};
use kith_crdt::term::Term;
use proptest::prelude::*;

use super::{
    CHANNEL, NOON, WINDOW, control, envelope, gossip, identity, keys, linking, log_id, rng,
    segment, signing, sync, writer,
};

/// Gives the bytes to everything that reads bytes, and says whether one that demands a signature
/// or a seal took them.
fn read(bytes: &[u8]) -> bool {
    let epoch = EpochSecret::new(kith_crdt::crypto::secret::Secret::new([1; 32])).into_keys(
        &CHANNEL,
        WINDOW,
        Term::FOREVER,
    );
    let _ = Header::parse(bytes, &CHANNEL);
    let _ = Envelope::from_stored(bytes, &CHANNEL, log_id().place(1));
    let _ = decode::<Log>(bytes, 1 << 16);
    let _ = decode::<Claim>(bytes, 1 << 16);
    let _ = decode::<SeenBy>(bytes, 1 << 16).map(|mut seen| seen.merge(writer(), 2, 5, NOON));
    let _ = decode::<EpochKeys>(bytes, 1 << 16).map(|mut keys| keys.advance(WINDOW));
    for kind in "medrsq".chars() {
        let _ = Entry::parse(kind, bytes);
    }
    let actor = writer().actor(&CHANNEL);
    let _ = [1, 2, 64].map(|seq| read_change(bytes, &actor, seq).is_ok());
    let _ = [1, 2, 64].map(|seq| Branch::resume(actor, seq, bytes).is_ok());
    let _ = decode::<DeviceSecrets>(bytes, 1 << 16);
    let _ = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|kind| Body::read(kind, bytes).to_bytes());
    let _ = (
        Request::parse(bytes).map(|request| request.tag()),
        Answer::parse(bytes),
    );

    let (pending, _) = request(&CHANNEL, &signing(), &[epoch.epoch], &mut rng());
    let signed = decode::<Signed>(bytes, 1 << 16).ok();
    let link = std::str::from_utf8(bytes).map(str::parse::<InviteLink>);
    let device_link = std::str::from_utf8(bytes).map(str::parse::<DeviceLink>);
    let trusted = [
        VerifiedOp::verify(bytes).is_ok(),
        decode::<Certificate>(bytes, 1 << 16).is_ok_and(|certificate| certificate.verify().is_ok()),
        link.is_ok_and(|link| link.is_ok()),
        device_link.is_ok_and(|link| link.is_ok()),
        Envelope::parse(bytes, &CHANNEL).is_ok_and(|envelope| envelope.verify(&CHANNEL).is_ok()),
        Fork::parse(bytes).is_ok_and(|fork| fork.verify(&CHANNEL).is_ok()),
        open_frame(&epoch.frame_key, &epoch.topic(), bytes).is_ok(),
        signed
            .as_ref()
            .is_some_and(|signed| Beacon::verify(&CHANNEL, signed).is_ok()),
        signed
            .as_ref()
            .is_some_and(|signed| Moment::verify(&CHANNEL, signed, NOON.millis()).is_ok()),
        signed
            .as_ref()
            .is_some_and(|signed| KeyRequest::verify(&CHANNEL, signed).is_ok()),
        decode::<KeyAnswer>(bytes, 1 << 16)
            .is_ok_and(|answer| pending.open(&answer).is_ok_and(|keys| !keys.is_empty())),
    ];
    trusted.contains(&true)
}

fn all() -> Vec<Vec<u8>> {
    [
        control::RECORDS,
        envelope::RECORDS,
        gossip::RECORDS,
        identity::RECORDS,
        keys::RECORDS,
        linking::RECORDS,
        segment::RECORDS,
        sync::RECORDS,
    ]
    .into_iter()
    .flat_map(|records| {
        records
            .lines()
            .map(|line| super::recorded(records, line.split_once(' ').unwrap().0))
    })
    .collect()
}

proptest! {
    #[test]
    fn a_changed_byte_is_survived_and_never_believed(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        act in 0u8..3,
    ) {
        let original = which.get(&all()).clone();
        let mut bytes = original.clone();
        let at = at.index(bytes.len());
        match act {
            0 => bytes[at] = to,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, to),
        }
        prop_assert!(bytes == original || !read(&bytes));
    }

    #[test]
    fn bytes_of_no_meaning_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!read(&bytes));
    }
}
