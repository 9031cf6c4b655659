//! The bytes of control ops (`docs/protocol.md` section 4).

use kith_crdt::control::{
    Body, CHANNEL_GROUP, ControlLog, ControlOp, EpochOp, History, Inserted, LastSeen, Policy,
    Right, Role, VerifiedOp,
};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::identity::{AccountEpoch, Certificate, DeviceList, DeviceRecord};
use kith_crdt::ids::{
    AccountId, ChannelId, DeviceId, EpochId, InviteId, LogId, OpId, SegmentId, TransportKey,
    Window, Writer,
};
use kith_crdt::keys::KeyHashes;
use kith_crdt::link::InviteLink;
use kith_crdt::retention::{Retention, RetentionLimits};
use kith_crdt::term::Term;
use kith_crdt::time::Millis;

use super::{assert_recorded, recorded};

pub(super) const RECORDS: &str = include_str!("control.txt");
const NOW: Millis = Millis(1_800_000_000_000);

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&Secret::new([number; 32]))
}

/// The certificate of the account whose recovery, management and device keys have the seeds
/// `first`, `first + 1` and `first + 2`.
fn certificate(first: u8) -> Certificate {
    let account = AccountId(key(first).public());
    let device = DeviceId(key(first + 2).public());
    let epoch = AccountEpoch {
        account,
        n: 1,
        management: key(first + 1).public(),
    };
    let list = DeviceList {
        account,
        epoch: 1,
        version: 1,
        name: "Ada".to_owned(),
        devices: vec![device],
        revoked: Vec::new(),
        managing: vec![device],
        maker: None,
    };
    let record = DeviceRecord {
        device,
        account,
        transport: TransportKey([first; 32]),
        name: "phone".to_owned(),
        incarnation: 0,
    };
    Certificate {
        account_epoch: epoch.sign(&key(first)),
        device_list: list.sign(&key(first + 1)),
        records: vec![record.sign(&key(first + 2))],
    }
}

fn last_seen() -> LastSeen {
    let log = |index, device| LogId {
        segment: SegmentId {
            window: Window(499_992),
            index,
        },
        writer: Writer {
            device: DeviceId([device; 32]),
            incarnation: 1,
        },
    };
    LastSeen::new([(log(0, 7), 300), (log(1, 7), 2)])
}

fn create() -> Body {
    Body::Create {
        nonce: [9; 16],
        name: "tea".to_owned(),
        kind: CHANNEL_GROUP,
        certificate: certificate(1),
    }
}

fn link(channel: ChannelId) -> InviteLink {
    InviteLink {
        channel,
        name: "tea".to_owned(),
        secret: Secret::new([20; 32]),
        expires_at: NOW,
        hosts: Vec::new(),
    }
}

fn epoch() -> EpochOp {
    EpochOp {
        epoch: EpochId([1; 16]),
        replaces: vec![EpochId([2; 16])],
        roster_hash: [3; 32],
        first_window: Window(499_992),
        term: Term::FOREVER,
        key_hashes: KeyHashes {
            chain: [4; 32],
            gossip: [5; 32],
        },
    }
}

/// The bodies about somebody else, and the policies that came with them.
fn about() -> Vec<(&'static str, u16, Body)> {
    let account = AccountId([6; 32]);
    let policy = |policy| (7, Body::Policy(policy));
    let bodies = [
        ("policy-history", policy(Policy::History(History::Days(30)))),
        (
            "policy-history-all",
            policy(Policy::History(History::Everything)),
        ),
        (
            "policy-right",
            policy(Policy::Right {
                right: Right::Pin,
                least: Role::Moderator,
            }),
        ),
        (
            "policy-retention",
            policy(Policy::Retention {
                retention: Retention::Hours(168),
                existing: true,
            }),
        ),
        (
            "policy-retention-instant",
            policy(Policy::Retention {
                retention: Retention::Instant,
                existing: false,
            }),
        ),
        (
            "policy-retention-limits",
            policy(Policy::RetentionLimits(RetentionLimits {
                shortest: None,
                longest: Some(720),
            })),
        ),
        (
            "epoch-of-a-day",
            (
                8,
                Body::Epoch(EpochOp {
                    first_window: Window(500_003),
                    term: Term::hours(24).unwrap(),
                    ..epoch()
                }),
            ),
        ),
        (
            "add",
            (
                9,
                Body::Add {
                    role: Role::Member,
                    certificate: certificate(11),
                },
            ),
        ),
        (
            "set-role",
            (
                10,
                Body::SetRole {
                    account,
                    role: Role::Admin,
                },
            ),
        ),
        (
            "remove",
            (
                11,
                Body::Remove {
                    account,
                    last_seen: last_seen(),
                },
            ),
        ),
        (
            "ban",
            (
                12,
                Body::Ban {
                    account,
                    last_seen: LastSeen::new([]),
                    until: None,
                },
            ),
        ),
        (
            "ban-until",
            (
                12,
                Body::Ban {
                    account,
                    last_seen: last_seen(),
                    until: Some(NOW),
                },
            ),
        ),
        ("unban", (13, Body::Unban { account })),
        (
            "mute",
            (
                14,
                Body::Mute {
                    account,
                    until: NOW,
                },
            ),
        ),
    ];
    bodies.map(|(name, (kind, body))| (name, kind, body)).into()
}

fn sign(
    first: u8,
    channel: Option<ChannelId>,
    parents: Vec<OpId>,
    lamport: u64,
    body: Body,
) -> VerifiedOp {
    let op = ControlOp {
        channel,
        author: AccountId(key(first).public()),
        device: DeviceId(key(first + 2).public()),
        parents,
        lamport,
        at: NOW,
        body,
    };
    op.sign(&key(first + 2)).unwrap()
}

/// Create, Invite, Join: the shortest story with a second account in it.
fn story() -> [VerifiedOp; 3] {
    let created = sign(1, None, Vec::new(), 1, create());
    let channel = created.channel();
    let opening = link(channel).opening(Role::Moderator, 2);
    let invited = sign(1, Some(channel), vec![created.id()], 2, opening);
    let joining = link(channel).joining(&certificate(11)).unwrap();
    let joined = sign(11, Some(channel), vec![invited.id()], 3, joining);
    [created, invited, joined]
}

fn log() -> ControlLog {
    let [created, invited, joined] = story();
    let mut log = ControlLog::new(created.channel());
    for op in [created, invited, joined] {
        assert!(matches!(log.insert(op), Inserted::Added(_)));
    }
    log
}

#[test]
fn the_control_log_is_as_recorded() {
    let [created, invited, joined] = story();
    let invite = InviteId([4; 32]);
    let body = |body: Body| body.to_bytes();
    let mut made = vec![
        ("create", body(create())),
        (
            "devices",
            body(Body::Devices {
                certificate: certificate(1),
                last_seen: None,
            }),
        ),
        (
            "devices-revoking",
            body(Body::Devices {
                certificate: certificate(1),
                last_seen: Some(last_seen()),
            }),
        ),
        (
            "invite",
            body(Body::Invite {
                invite,
                role: Role::Member,
                uses: 7,
                expires_at: NOW,
            }),
        ),
        ("revoke-invite", body(Body::RevokeInvite { invite })),
        ("join", body(joined.op().body.clone())),
        ("leave", body(Body::Leave)),
        (
            "policy-name",
            body(Body::Policy(Policy::Name("coffee".to_owned()))),
        ),
        (
            "policy-topic",
            body(Body::Policy(Policy::Topic("☕".to_owned()))),
        ),
        ("epoch", body(Body::Epoch(epoch()))),
        ("create-op", created.to_bytes()),
        ("invite-op", invited.to_bytes()),
        ("join-op", joined.to_bytes()),
        ("channel", created.channel().0.to_vec()),
        ("join-op-id", joined.id().0.to_vec()),
        ("roster-hash", log().roster().hash().to_vec()),
    ];
    let about = about().into_iter();
    made.extend(about.map(|(name, _, body)| (name, body.to_bytes())));
    assert_recorded(RECORDS, &made);
}

#[test]
fn what_was_recorded_is_read() {
    let kinds = [
        (1, "create"),
        (2, "devices"),
        (3, "invite"),
        (4, "revoke-invite"),
        (5, "join"),
        (6, "leave"),
        (7, "policy-name"),
        (7, "policy-topic"),
        (8, "epoch"),
    ];
    let about: Vec<_> = about()
        .into_iter()
        .map(|(name, kind, _)| (kind, name))
        .collect();
    for (kind, name) in kinds.into_iter().chain(about) {
        let bytes = recorded(RECORDS, name);
        let body = Body::read(kind, &bytes);
        assert!(!matches!(body, Body::Unknown { .. }), "{name}");
        assert_eq!((body.kind(), body.to_bytes()), (kind, bytes), "{name}");
    }
    let mut log = ControlLog::new(ChannelId(recorded(RECORDS, "channel").try_into().unwrap()));
    for name in ["create-op", "invite-op", "join-op"] {
        let op = VerifiedOp::verify(&recorded(RECORDS, name)).unwrap();
        assert!(matches!(log.insert(op), Inserted::Added(_)), "{name}");
    }
    assert_eq!(
        log.roster().role(&AccountId(key(11).public())),
        Some(Role::Moderator)
    );
    assert_eq!(
        log.roster().hash().to_vec(),
        recorded(RECORDS, "roster-hash")
    );
}

#[test]
fn a_field_from_the_future_is_passed_over() {
    let mut bytes = Body::Epoch(epoch()).to_bytes();
    bytes[0] += 1;
    bytes.push(0x05);
    assert_eq!(Body::read(8, &bytes), Body::Epoch(epoch()));
}
