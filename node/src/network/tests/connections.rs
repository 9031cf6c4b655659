//! Finding, losing and refusing each other.

use super::*;

#[tokio::test]
async fn two_nodes_prove_who_they_are_and_say_where_they_listen() {
    let (mut a, mut b) = pair(&[]).await;
    let addresses = b
        .expect(|event| match event {
            NetworkEvent::Identified { peer, addresses } if peer == a.key => Some(addresses),
            _ => None,
        })
        .await;
    assert_eq!(addresses, [a.address.clone()]);
    assert_works(&mut a, &mut b, 1).await;
}

#[tokio::test]
async fn a_peer_that_goes_away_can_be_dialled_again() {
    let (mut a, mut b) = pair(&[]).await;
    a.send(Command::Disconnect(b.key)).await;
    a.expect_disconnected(b.key).await;
    b.expect_disconnected(a.key).await;
    connect(&mut b, &mut a).await;
    assert_works(&mut a, &mut b, 1).await;
}

#[tokio::test]
async fn a_node_that_stops_is_missed() {
    let (mut a, b) = pair(&[]).await;
    let (
        gone,
        Node {
            network, events, ..
        },
    ) = (b.key, b);
    drop((network.commands, events));
    network.task.await.unwrap();
    a.expect_disconnected(gone).await;
    a.request(1, gone, vec![]).await;
    assert_eq!(a.expect_outcome(1).await, Err(RequestFailure::NotConnected));
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_at_once_are_connected_once() {
    for seed in 0..5 {
        let (mut a, mut b) = (
            Node::start(10 + 2 * seed).await,
            Node::start(11 + 2 * seed).await,
        );
        let (dial_a, dial_b) = (a.dial(), b.dial());
        tokio::join!(a.send(dial_b), b.send(dial_a));
        a.expect_connected(b.key).await;
        b.expect_connected(a.key).await;
        assert_works(&mut a, &mut b, 1).await;
        a.send(Command::Disconnect(b.key)).await;
        loop {
            match a.next().await {
                NetworkEvent::Disconnected(_) => break,
                event => assert!(!matches!(event, NetworkEvent::Connected { .. })),
            }
        }
    }
}

#[tokio::test]
async fn dialling_a_connected_peer_changes_nothing() {
    let (mut a, mut b) = pair(&[]).await;
    a.send(b.dial()).await;
    a.request(1, b.key, vec![]).await;
    let (id, bytes) = b.expect_request().await;
    b.send(Command::Answer { id, bytes }).await;
    loop {
        match a.next().await {
            NetworkEvent::Answered { .. } => break,
            event => assert!(matches!(event, NetworkEvent::Identified { .. })),
        }
    }
}

#[tokio::test]
async fn a_dial_that_leads_nowhere_names_its_addresses() {
    let (mut a, b) = (Node::start(1).await, Node::start(2).await);
    let stranger =
        TransportKey(kith_crdt::crypto::sign::SecretKey::from_seed(&Secret::new([9; 32])).public());
    let dials = [
        (Some(stranger), b.address.clone()),
        (Some(b.key), "/ip4/127.0.0.1/tcp/1".to_owned()),
        (Some(b.key), "no address".to_owned()),
        (None, a.address.clone()),
    ];
    for (peer, address) in dials {
        let addresses = vec![address];
        a.send(Command::Dial {
            peer,
            addresses: addresses.clone(),
        })
        .await;
        let failed = a
            .expect(|event| matches!(event, NetworkEvent::DialFailed { .. }).then_some(event))
            .await;
        assert_eq!(failed, NetworkEvent::DialFailed { peer, addresses });
    }
}

#[tokio::test]
async fn whoever_answers_is_welcome_where_no_key_is_named() {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    a.send(Command::Dial {
        peer: None,
        addresses: vec![b.address.clone()],
    })
    .await;
    assert!(a.expect_connected(b.key).await);
    assert!(!b.expect_connected(a.key).await);
    assert_works(&mut b, &mut a, 1).await;
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_named() {
    let listen_on = |address: &str| {
        start(NetworkConfig {
            transport_seed: Secret::new([1; 32]),
            listen: vec![address.into()],
            mdns: false,
        })
        .map(|_| ())
    };
    assert!(matches!(
        listen_on("nonsense"),
        Err(NetworkError::Address { .. })
    ));
    // TEST-NET-1 is no machine's own address.
    let refused = listen_on("/ip4/192.0.2.1/tcp/0").unwrap_err();
    assert!(
        refused.to_string().contains("/ip4/192.0.2.1/tcp/0"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_node_listens_by_default() {
    let config = NetworkConfig {
        transport_seed: Secret::new([1; 32]),
        listen: vec![],
        mdns: false,
    };
    let (_network, mut events) = start(config).unwrap();
    let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    assert!(matches!(event, Some(NetworkEvent::Listening(_))));
}

#[tokio::test]
#[ignore = "needs a network interface with multicast"]
async fn two_nodes_find_each_other_on_the_local_network() {
    let start_with_mdns = |seed| {
        let transport_seed = Secret::new([seed; 32]);
        start(NetworkConfig {
            transport_seed,
            listen: vec![],
            mdns: true,
        })
        .unwrap()
    };
    let (_a, mut events) = start_with_mdns(1);
    let (_b, _events) = start_with_mdns(2);
    let found = async {
        loop {
            if let Some(NetworkEvent::Discovered { peer, .. }) = events.recv().await {
                return peer;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await.unwrap();
    assert_eq!(
        keys::peer_id(&found),
        keys::keypair(&Secret::new([2; 32])).public().to_peer_id()
    );
}

#[tokio::test]
async fn of_two_nodes_with_one_key_the_first_is_not_driven_out_at_once() {
    let (mut home, mut copy) = (Node::start(1).await, Node::start(1).await);
    let mut other = Node::start(2).await;
    home.send(other.dial()).await;
    home.expect_connected(other.key).await;
    other.expect_connected(home.key).await;
    let is_named = |event| matches!(event, NetworkEvent::Identified { .. }).then_some(());
    other.expect(is_named).await;

    copy.send(other.dial()).await;
    copy.expect_connected(other.key).await;
    copy.expect_disconnected(other.key).await;

    home.request(7, other.key, b"still there?".to_vec()).await;
    let (asked, _) = other.expect_request().await;
    let bytes = b"yes".to_vec();
    other.send(Command::Answer { id: asked, bytes }).await;
    assert_eq!(home.expect_outcome(7).await.unwrap(), b"yes");
}
