//! Certificates of an account that its devices find in the channels' control logs. Engines under
//! virtual time.

use kith_crdt::control::{Body, VerifiedOp};
use kith_crdt::identity::{Certificate, DeviceRecord, DeviceSecrets};
use kith_crdt::ids::ChannelId;
use kith_tests::world::World;

fn adopt(secrets: &mut DeviceSecrets, certificate: Certificate) {
    assert_eq!(secrets.adopt(certificate), Ok(true));
}

/// The op by which a device tells a channel of its account's certificate.
fn telling(world: &World, channel: ChannelId, secrets: &DeviceSecrets) -> VerifiedOp {
    let certificate = secrets.certificate.clone();
    let mut log = world.control(0, &channel);
    let op = log.author(
        secrets,
        Body::Devices {
            certificate,
            last_seen: None,
        },
        world.now(),
    );
    op.expect("a newer certificate counts")
}

#[test]
fn a_newer_certificate_is_taken_over_and_the_other_channels_are_told() {
    let mut world = World::new(1, 91);
    let [renaming, other] = ["a", "b"].map(|name| world.make(0, name));
    let mut renamed = world.secrets(0).clone();
    let record = DeviceRecord {
        device: renamed.device(),
        account: renamed.account,
        transport: renamed.transport_key(),
        name: "kitchen table".into(),
        incarnation: 0,
    };
    let certificate = renamed.admit(&record.sign(&renamed.signing), true);
    adopt(&mut renamed, certificate.expect("it may manage"));
    let op = telling(&world, renaming, &renamed);
    world.crash(0);
    world.tamper(0, |_, batch| {
        batch.put_op(&renaming, &op.id(), op.to_bytes());
    });
    world.start(0);
    world.pass(1_000);
    let account = world.reading(0, |reading| reading.account());
    let account = account.expect("its own certificate");
    assert_eq!((account.version, account.devices.len()), (2, 1));
    assert_eq!(account.devices[0].name, "kitchen table");
    let log = world.control(0, &other);
    assert_eq!(log.roster().members[&renamed.account].certified.version, 2);
}
