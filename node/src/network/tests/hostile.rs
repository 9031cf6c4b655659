//! Peers that break the rules, and what the others notice of it: nothing.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, SwarmBuilder, gossipsub, identify, noise, tcp, yamux,
};

use super::limits::{
    CONNECTIONS_PER_PEER, COST_FRAME_TOO_LARGE, COST_MESSAGE_TOO_LONG, REFUSED_AT,
    REQUESTS_IN_PER_PEER,
};
use super::*;

/// Writes what it is given, without any framing.
#[derive(Clone, Default)]
struct Raw;

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = [0; 4];
        io.read_exact(&mut bytes).await?;
        Ok(bytes.to_vec())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

#[derive(libp2p::swarm::NetworkBehaviour)]
struct Protocols {
    gossip: gossipsub::Behaviour,
    raw: request_response::Behaviour<Raw>,
    identify: identify::Behaviour,
}

/// A peer that speaks Kith's protocols as it likes.
fn intruder(version: &str) -> Swarm<Protocols> {
    SwarmBuilder::with_existing_identity(keys::keypair(&Secret::new([66; 32])))
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|key| Protocols {
            gossip: unscrupulous(),
            raw: request_response::Behaviour::new(
                [(codec::PROTOCOL, ProtocolSupport::Full)],
                request_response::Config::default(),
            ),
            identify: identify::Behaviour::new(identify::Config::new(
                version.to_owned(),
                key.public(),
            )),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build()
}

/// gossipsub without any scruples.
fn unscrupulous() -> gossipsub::Behaviour {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .message_id_fn(gossip::message_id)
        .max_transmit_size(limits::GOSSIP_MESSAGE_MAX)
        .build()
        .unwrap();
    gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, config).unwrap()
}

/// An intruder that is connected to a node.
async fn intrude(node: &Node) -> Swarm<Protocols> {
    let mut swarm = intruder("kith/1");
    dial(&mut swarm, node);
    until_connected(&mut swarm).await;
    swarm
}

fn dial(swarm: &mut Swarm<Protocols>, node: &Node) {
    swarm
        .dial(node.address.parse::<Multiaddr>().unwrap())
        .unwrap();
}

/// Runs the intruder until something happens to it.
async fn until<T>(
    swarm: &mut Swarm<Protocols>,
    mut pick: impl FnMut(SwarmEvent<ProtocolsEvent>) -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = pick(swarm.select_next_some().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .expect("nothing happened to the intruder")
}

async fn until_connected(swarm: &mut Swarm<Protocols>) {
    until(swarm, |event| {
        matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(())
    })
    .await;
}

/// Runs the intruder until it knows a topic of the node.
async fn until_subscribed(swarm: &mut Swarm<Protocols>) {
    until(swarm, |event| {
        let is_news = matches!(
            event,
            SwarmEvent::Behaviour(ProtocolsEvent::Gossip(gossipsub::Event::Subscribed { .. }))
        );
        is_news.then_some(())
    })
    .await;
}

async fn until_closed(swarm: &mut Swarm<Protocols>) {
    until(swarm, |event| {
        matches!(event, SwarmEvent::ConnectionClosed { .. }).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_claims_endless_messages_is_refused_and_others_are_not_touched() {
    let (mut a, mut b) = pair(&[]).await;
    let mut swarm = intrude(&b).await;
    let claims = REFUSED_AT.div_ceil(COST_MESSAGE_TOO_LONG);
    for _ in 0..claims {
        let claim = u32::MAX.to_be_bytes().to_vec();
        swarm
            .behaviour_mut()
            .raw
            .send_request(&keys::peer_id(&b.key), claim);
    }
    until_closed(&mut swarm).await;
    assert_eq!(b.network.counts().messages_malformed, u64::from(claims));
    assert_eq!(b.network.counts().peers_refused, 1);
    dial(&mut swarm, &b);
    until_closed(&mut swarm).await;
    assert_works(&mut a, &mut b, 1).await;
}

#[tokio::test]
async fn an_answer_that_claims_to_be_endless_fails_the_request() {
    let mut a = Node::start(1).await;
    let mut swarm = intrude(&a).await;
    let peer = keys::transport_key(swarm.local_peer_id()).unwrap();
    a.expect_connected(peer).await;
    a.request(1, peer, vec![]).await;
    let channel = until(&mut swarm, |event| match event {
        SwarmEvent::Behaviour(ProtocolsEvent::Raw(request_response::Event::Message {
            message: request_response::Message::Request { channel, .. },
            ..
        })) => Some(channel),
        _ => None,
    })
    .await;
    let claim = u32::MAX.to_be_bytes().to_vec();
    swarm
        .behaviour_mut()
        .raw
        .send_response(channel, claim)
        .unwrap();
    let driven = async { while swarm.next().await.is_some() {} };
    let outcome = tokio::select! {
        outcome = a.expect_outcome(1) => outcome,
        () = driven => unreachable!("a swarm does not end"),
    };
    assert_eq!(outcome, Err(RequestFailure::Malformed));
}

#[tokio::test]
async fn a_peer_that_sends_huge_frames_is_refused_and_none_of_them_arrives() {
    let topics = topics(1);
    let (mut a, mut b) = pair(&topics).await;
    let mut swarm = intrude(&b).await;
    until_subscribed(&mut swarm).await;
    let huge = |n| [vec![n; kith_crdt::limits::FRAME_SEALED_MAX], vec![0]].concat();
    for n in 0..REFUSED_AT.div_ceil(COST_FRAME_TOO_LARGE) as u8 {
        let topic = gossipsub::IdentTopic::new(&topics[0]);
        swarm
            .behaviour_mut()
            .gossip
            .publish(topic, huge(n))
            .unwrap();
    }
    until_closed(&mut swarm).await;
    assert!(b.network.counts().frames_too_large > 0);
    a.publish(&topics[0], b"small").await;
    assert_eq!(b.expect_frame().await.2, b"small");
    assert_works(&mut a, &mut b, 1).await;
}

#[tokio::test]
async fn a_peer_that_stops_reading_holds_up_nobody() {
    let topics = topics(1);
    let (a, mut b) = pair(&topics).await;
    let mut swarm = intrude(&a).await;
    let topic = gossipsub::IdentTopic::new(&topics[0]);
    swarm.behaviour_mut().gossip.subscribe(&topic).unwrap();
    until_subscribed(&mut swarm).await;
    // From here on the intruder is not driven. What is sent is more than all buffers hold.
    for n in 0..1_000_u32 {
        a.publish(
            &topics[0],
            &[&n.to_be_bytes()[..], &[0; 32 * 1024]].concat(),
        )
        .await;
        let (ticket, _, data) = b.expect_frame().await;
        assert_eq!(data[..4], n.to_be_bytes());
        b.send(Command::Judge {
            ticket,
            verdict: Verdict::Ignore,
        })
        .await;
    }
}

#[tokio::test]
async fn a_peer_has_only_so_many_connections() {
    let mut a = Node::start(1).await;
    let mut swarm = intruder("kith/1");
    for _ in 0..=CONNECTIONS_PER_PEER {
        dial(&mut swarm, &a);
    }
    until_closed(&mut swarm).await;
    a.expect_connected(keys::transport_key(swarm.local_peer_id()).unwrap())
        .await;
}

#[tokio::test]
async fn a_node_of_another_network_is_sent_away() {
    let mut a = Node::start(1).await;
    let mut swarm = intruder("ipfs/0.1.0");
    dial(&mut swarm, &a);
    until_closed(&mut swarm).await;
    a.expect_disconnected(keys::transport_key(swarm.local_peer_id()).unwrap())
        .await;
}

#[tokio::test]
async fn a_peer_whose_frames_are_rejected_is_refused_in_the_end() {
    let topics = topics(1);
    let (mut a, mut b) = pair(&topics).await;
    let rejected = limits::REFUSED_AT.div_ceil(limits::COST_FRAME_REJECTED);
    for n in 0..rejected {
        a.publish(&topics[0], &n.to_be_bytes()).await;
        let (ticket, ..) = b.expect_frame().await;
        b.send(Command::Judge {
            ticket,
            verdict: Verdict::Reject,
        })
        .await;
    }
    b.expect_disconnected(a.key).await;
    a.expect_disconnected(b.key).await;
    assert_eq!(b.network.counts().peers_refused, 1);
}

#[tokio::test]
async fn a_peer_that_the_engine_penalises_is_refused_both_ways() {
    let (mut a, mut b) = pair(&[]).await;
    b.send(Command::Penalise {
        peer: a.key,
        cost: limits::REFUSED_AT,
    })
    .await;
    b.expect_disconnected(a.key).await;
    b.send(a.dial()).await;
    b.expect(|event| matches!(event, NetworkEvent::DialFailed { .. }).then_some(()))
        .await;
    a.expect_disconnected(b.key).await;
}

#[tokio::test]
async fn an_engine_that_does_not_listen_loses_hints_but_no_facts() {
    let topics = topics(1);
    let (mut a, mut b) = pair(&topics).await;
    let mut others = [Node::start(3).await, Node::start(4).await];
    for other in &mut others {
        other.subscribe(&topics).await;
        connect(other, &mut b).await;
        other.expect_listener(b.key, &topics).await;
    }
    let [c, d] = others;
    for flooder in [&a, &c, &d] {
        flood_until_ignored(flooder, &b, &topics[0]).await;
    }
    a.send(Command::Disconnect(b.key)).await;
    a.expect_disconnected(b.key).await;
    let mut frames = 0;
    loop {
        match b.next().await {
            NetworkEvent::Frame { ticket, .. } => {
                frames += 1;
                b.send(Command::Judge {
                    ticket,
                    verdict: Verdict::Accept,
                })
                .await;
            }
            NetworkEvent::Disconnected(peer) if peer == a.key => break,
            _ => {}
        }
    }
    assert!(frames <= limits::EVENTS_QUEUED, "{frames}");
    let mut c = c;
    assert_works(&mut c, &mut b, 1).await;
}

/// Publishes until a node that does not listen has ignored some of it.
async fn flood_until_ignored(from: &Node, to: &Node, topic: &str) {
    let before = to.network.counts().frames_ignored;
    let flood = async {
        let mut n = 0_u64;
        while to.network.counts().frames_ignored < before + 100 {
            n += 1;
            from.publish(topic, &[from.key.as_bytes(), &n.to_be_bytes()[..]].concat())
                .await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, flood)
        .await
        .expect("nothing was ignored");
}

#[tokio::test]
async fn a_peer_that_asks_too_much_at_once_is_refused_the_rest() {
    let (mut a, mut b) = pair(&[]).await;
    let mut swarm = intrude(&b).await;
    let empty = 0_u32.to_be_bytes().to_vec();
    for _ in 0..REQUESTS_IN_PER_PEER + 5 {
        swarm
            .behaviour_mut()
            .raw
            .send_request(&keys::peer_id(&b.key), empty.clone());
    }
    let mut refused = 0;
    until(&mut swarm, |event| {
        if let SwarmEvent::Behaviour(ProtocolsEvent::Raw(
            request_response::Event::Message { .. }
            | request_response::Event::OutboundFailure { .. },
        )) = event
        {
            refused += 1;
        }
        (refused == 5).then_some(())
    })
    .await;
    assert_eq!(b.network.counts().requests_refused, 5);
    let mut waiting = Vec::new();
    for _ in 0..REQUESTS_IN_PER_PEER {
        waiting.push(b.expect_request().await.0);
    }
    assert_works(&mut a, &mut b, 1).await;
}
