//! Somebody who stands between two devices that are being linked: they have copied the link, given
//! the new device one that leads to themselves, and speak with both.

use kith_api::account::ConfirmDeviceLink;
use kith_api::{Client, ErrorCode};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::crypto::sign::SecretKey;
use kith_crdt::device_link::{Ask, DeviceLink};
use kith_crdt::identity::NewDevice;
use kith_crdt::ids::TransportKey;
use kith_crdt::sync::{Answer, Refusal, Request};
use kith_node::network::{Command, Network, NetworkConfig, NetworkEvent, start};
use kith_tests::{Daemon, Home, Talk};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

/// One of their two faces.
struct Face {
    key: TransportKey,
    network: Network,
    events: Receiver<NetworkEvent>,
}

impl Face {
    fn new(seed: &Secret) -> Self {
        let (network, events) = start(NetworkConfig {
            transport_seed: seed.clone(),
            listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
            mdns: false,
        })
        .expect("a socket");
        Self {
            key: TransportKey(SecretKey::from_seed(seed).public()),
            network,
            events,
        }
    }

    async fn send(&self, command: Command) {
        self.network.commands.send(command).await.expect("it runs");
    }

    /// The next event of which something is made.
    async fn next<T>(&mut self, mut pick: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv().await.expect("it runs");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    }

    /// Connects to the device that shows a link.
    async fn dial(&mut self, link: &DeviceLink) {
        self.send(Command::Dial {
            peer: Some(link.host),
            addresses: link.addresses.clone(),
        })
        .await;
        self.next(|event| matches!(event, NetworkEvent::Connected { .. }).then_some(()))
            .await;
    }

    async fn ask(&mut self, peer: TransportKey, request: &Request) -> Answer {
        let (id, bytes) = (1, request.to_bytes());
        self.send(Command::Request { id, peer, bytes }).await;
        let answered = |event| match event {
            NetworkEvent::Answered { bytes, .. } => Answer::parse(&bytes).ok(),
            _ => None,
        };
        self.next(answered).await
    }

    /// The next request, which is answered by what `reply` makes of it.
    async fn serve(&mut self, reply: Answer) -> (TransportKey, Request) {
        let asked = |event| match event {
            NetworkEvent::Request { id, peer, bytes } => {
                Some((id, peer, Request::parse(&bytes).ok()?))
            }
            _ => None,
        };
        let (id, peer, request) = self.next(asked).await;
        let bytes = reply.to_bytes();
        self.send(Command::Answer { id, bytes }).await;
        (peer, request)
    }
}

fn pictures(shown: &Value) -> Vec<&str> {
    let shown = shown["pictures"].as_array().expect("pictures");
    shown
        .iter()
        .map(|picture| picture["emoji"].as_str().expect("a text"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_between_two_devices_makes_their_codes_differ() {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let (ana, laptop) = (Home::init("Ana"), Home::vacant("laptop"));
    let _a = Daemon::start(&ana);
    let mut showing = Talk::begin(&ana, &["device", "link"]);
    let link = showing.line()["link"].as_str().expect("a link").to_owned();
    let link: DeviceLink = link.parse().expect("a good one");

    // The new device is given another link, and shows the code of what it has seen.
    let mut as_old = Face::new(&Secret::new([7; 32]));
    let listening = |event| match event {
        NetworkEvent::Listening(address) => Some(address),
        _ => None,
    };
    let address = as_old.next(listening).await;
    let theirs = DeviceLink {
        host: as_old.key,
        addresses: vec![address],
        ..link.clone()
    };
    let join = ["device", "join", &theirs.to_string(), "--no-mdns"];
    let mut joining = Talk::begin(&laptop, &join);
    let nonce = [5; 32];
    let (peer, asked) = as_old.serve(Answer::LinkNonce { nonce }).await;
    let Request::Link(asked) = asked else {
        panic!("it asks first: {asked:?}");
    };
    let (_, opened) = as_old.serve(Answer::LinkAwaited).await;
    let Request::LinkOpen { nonce: ours } = opened else {
        panic!("then it opens: {opened:?}");
    };
    let compared = joining.line();
    // It was not looked at.
    joining.answer("yes");
    as_old.serve(Answer::LinkAwaited).await;
    let shown = joining.line();
    let between = theirs.code((&as_old.key, &peer), &asked.record, (&nonce, &ours));
    assert_eq!(shown["code"], between.digits(), "they know what it shows");

    // To the old device they are a new one: theirs, for its keys are what they want certified.
    let device = NewDevice::generate(link.account, "laptop", &mut rng).expect("a good name");
    let mut as_new = Face::new(device.transport());
    let (ask, opening) = Ask::new(
        &link,
        (&link.host, &as_new.key),
        device.record.clone(),
        &mut rng,
    );
    as_new.dial(&link).await;
    let answer = as_new.ask(link.host, &Request::Link(Box::new(ask))).await;
    assert!(matches!(answer, Answer::LinkNonce { .. }), "{answer:?}");
    let open = Request::LinkOpen { nonce: opening };
    assert_eq!(as_new.ask(link.host, &open).await, Answer::LinkAwaited);
    assert_eq!(as_new.ask(link.host, &open).await, Answer::LinkAwaited);

    // Ana sees that the pictures are others; had she not looked, the digits are others, too.
    let to_compare = showing.line();
    assert_ne!(pictures(&to_compare), pictures(&compared));
    for _ in 0..3 {
        showing.answer(shown["code"].as_str().expect("digits"));
    }
    let (ended, lines, stderr) = showing.end();
    assert!(ended == 5 && lines.is_empty(), "{stderr}");
    let answer = as_new.ask(link.host, &open).await;
    assert_eq!(answer, Answer::Refused(Refusal::LinkOver));
    assert_eq!(ana.lines(&["device", "list"]).len(), 1);
    drop(joining);
    assert!(!laptop.path().join("vault").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_takes_the_link_and_a_commitment_and_is_good_for_three_tries() {
    let mut rng = ChaCha20Rng::seed_from_u64(10);
    let ana = Home::init("Ana");
    let _a = Daemon::start(&ana);
    let mut showing = Talk::begin(&ana, &["device", "link"]);
    let shown = showing.line();
    let link: DeviceLink = shown["link"]
        .as_str()
        .and_then(|link| link.parse().ok())
        .expect("a good link");
    let device = NewDevice::generate(link.account, "laptop", &mut rng).expect("a good name");
    let mut face = Face::new(device.transport());
    face.dial(&link).await;
    let refused = |why| Answer::Refused(why);
    let both = (link.host, face.key);
    let both = (&both.0, &both.1);

    // Without the link, however often.
    let guessed = DeviceLink {
        secret: Secret::new([1; 32]),
        ..link.clone()
    };
    for _ in 0..5 {
        let (ask, _) = Ask::new(&guessed, both, device.record.clone(), &mut rng);
        let answer = face.ask(link.host, &Request::Link(Box::new(ask))).await;
        assert_eq!(answer, refused(Refusal::NotForYou));
    }
    // With a record of somebody else's device, or for another account.
    let other = NewDevice::generate(link.account, "other", &mut rng).expect("a good name");
    let stranger = kith_crdt::ids::AccountId([3; 32]);
    let stranger = NewDevice::generate(stranger, "other", &mut rng).expect("a good name");
    for record in [other.record, stranger.record] {
        let (ask, _) = Ask::new(&link, both, record, &mut rng);
        let answer = face.ask(link.host, &Request::Link(Box::new(ask))).await;
        assert_eq!(answer, refused(Refusal::Malformed));
    }
    // What was committed to is what is shown, and to whom it was said.
    let open = |nonce| Request::LinkOpen { nonce };
    assert_eq!(
        face.ask(link.host, &open([0; 32])).await,
        refused(Refusal::LinkOver)
    );
    let (ask, nonce) = Ask::new(&link, both, device.record.clone(), &mut rng);
    let again = Request::Link(Box::new(ask));
    let first = face.ask(link.host, &again).await;
    assert!(matches!(first, Answer::LinkNonce { .. }));
    assert_eq!(face.ask(link.host, &again).await, first, "the same try");
    assert_eq!(
        face.ask(link.host, &open([0; 32])).await,
        refused(Refusal::NotForYou)
    );
    let mut elsewhere = Face::new(&Secret::new([8; 32]));
    elsewhere.dial(&link).await;
    assert_eq!(
        elsewhere.ask(link.host, &open(nonce)).await,
        refused(Refusal::LinkOver)
    );
    assert_eq!(face.ask(link.host, &open(nonce)).await, Answer::LinkAwaited);
    // Nothing is typed before the new device waits for it, and what is no code is no try.
    let client = Client::new(ana.path());
    let typed = async |code: &str| {
        let id = shown["id"].as_str().expect("an id").to_owned();
        let code = code.to_owned();
        let request = ConfirmDeviceLink { id, code };
        let confirmed = client.confirm_device_link(&request).await;
        confirmed.expect_err("it is not the code").code
    };
    assert_eq!(typed("000 000").await, ErrorCode::Unreachable);
    assert_eq!(face.ask(link.host, &open(nonce)).await, Answer::LinkAwaited);
    assert_eq!(typed("4711").await, ErrorCode::Usage);
    let left = client.device_link().await.expect("it is shown").codes_left;
    assert_eq!(left, Some(3));
    // Two more tries take its place, and then there are none.
    for answered in [true, true, false] {
        let (ask, _) = Ask::new(&link, both, device.record.clone(), &mut rng);
        let answer = face.ask(link.host, &Request::Link(Box::new(ask))).await;
        let is_nonce = matches!(answer, Answer::LinkNonce { .. });
        assert_eq!(is_nonce, answered, "{answer:?}");
    }
    assert_eq!(
        face.ask(link.host, &open(nonce)).await,
        refused(Refusal::NotForYou),
        "the first try is over"
    );
}
