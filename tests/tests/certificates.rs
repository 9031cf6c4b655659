//! Certificates of an account that its devices find in the channels' control logs. Engines under
//! virtual time.

use kith_crdt::control::{Body, VerifiedOp};
use kith_crdt::identity::{Certificate, DeviceRecord, DeviceSecrets, NewDevice};
use kith_crdt::ids::ChannelId;
use kith_tests::world::World;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn adopt(secrets: &mut DeviceSecrets, certificate: Certificate) {
    assert_eq!(secrets.adopt(certificate), Ok(true));
}

/// The op by which a device tells a channel of its account's certificate.
fn telling(world: &World, channel: ChannelId, secrets: &DeviceSecrets) -> VerifiedOp {
    let certificate = secrets.certificate.clone();
    let mut log = world.control(0, &channel);
    let op = log.author(secrets, Body::Devices { certificate }, world.now());
    op.expect("a newer certificate counts")
}

#[test]
fn a_newer_certificate_is_taken_over_if_it_lists_this_device_and_the_others_are_told() {
    let mut world = World::new(1, 91);
    let [renaming, dismissing, third] = ["a", "b", "c"].map(|name| world.make(0, name));
    let mut renamed = world.secrets(0).clone();
    let record = DeviceRecord {
        device: renamed.device(),
        account: renamed.account,
        transport: renamed.transport_key(),
        name: "kitchen table".into(),
        incarnation: 0,
    };
    let certificate = renamed.admit(&record.sign(&renamed.signing));
    adopt(&mut renamed, certificate.expect("it may manage"));
    // One that is newer still has another device instead.
    let mut dismissed = renamed.clone();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let laptop = NewDevice::generate(dismissed.account, "laptop", &mut rng).expect("a name");
    let certificate = dismissed.admit(&laptop.record);
    adopt(&mut dismissed, certificate.expect("it may manage"));
    let certificate = dismissed.dismiss(&dismissed.device());
    adopt(&mut dismissed, certificate.expect("it is listed"));

    let told = [(renaming, &renamed), (dismissing, &dismissed)];
    let told = told.map(|(channel, secrets)| (channel, telling(&world, channel, secrets)));
    world.crash(0);
    world.tamper(0, |_, batch| {
        for (channel, op) in &told {
            batch.put_op(channel, &op.id(), op.to_bytes());
        }
    });
    world.start(0);
    world.pass(1_000);
    let account = world.reading(0, |reading| reading.account());
    let account = account.expect("its own certificate");
    assert_eq!((account.version, account.devices.len()), (2, 1));
    assert_eq!(account.devices[0].name, "kitchen table");
    let log = world.control(0, &third);
    assert_eq!(log.roster().members[&renamed.account].certified.version, 2);
}
