//! Scenarios of two or three networks in one process, over 127.0.0.1.

mod connections;
mod frames;
mod hostile;
mod measure;
mod requests;

use std::time::Duration;

use super::*;

/// Until something expected has to happen; far more than it ever takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network with the events that it has reported.
struct Node {
    key: TransportKey,
    address: String,
    network: Network,
    events: mpsc::Receiver<NetworkEvent>,
}

impl Node {
    /// Starts a network that can be reached on this machine.
    async fn start(seed: u8) -> Self {
        let config = NetworkConfig {
            transport_seed: Secret::new([seed; 32]),
            listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
            mdns: false,
        };
        let (network, events) = start(config).unwrap();
        let key = keys::keypair(&Secret::new([seed; 32]))
            .public()
            .to_peer_id();
        let key = keys::transport_key(&key).unwrap();
        let mut node = Self {
            key,
            address: String::new(),
            network,
            events,
        };
        node.address = node
            .expect(|event| match event {
                NetworkEvent::Listening(address) => Some(address),
                _ => None,
            })
            .await;
        node
    }

    async fn send(&self, command: Command) {
        self.network.commands.send(command).await.unwrap();
    }

    /// The next event.
    async fn next(&mut self) -> NetworkEvent {
        tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .expect("nothing happened")
            .expect("the network stopped")
    }

    /// What is picked out of the first event that holds it; those before it are passed over.
    async fn expect<T>(&mut self, mut pick: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the network stopped");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .expect("what was expected did not happen")
    }

    async fn expect_connected(&mut self, other: TransportKey) -> bool {
        self.expect(|event| match event {
            NetworkEvent::Connected { peer, outbound, .. } if peer == other => Some(outbound),
            _ => None,
        })
        .await
    }

    async fn expect_disconnected(&mut self, other: TransportKey) {
        self.expect(|event| (event == NetworkEvent::Disconnected(other)).then_some(()))
            .await;
    }

    /// Waits until another node is known to listen to all these topics.
    async fn expect_listener(&mut self, other: TransportKey, topics: &[String]) {
        let mut missing: std::collections::BTreeSet<_> = topics.iter().cloned().collect();
        self.expect(|event| {
            if let NetworkEvent::Subscribed { peer, topics } = event
                && peer == other
            {
                for topic in topics {
                    missing.remove(&topic);
                }
            }
            missing.is_empty().then_some(())
        })
        .await;
    }

    /// The next frame: ticket, topic and data.
    async fn expect_frame(&mut self) -> (u64, String, Vec<u8>) {
        self.expect(|event| match event {
            NetworkEvent::Frame {
                ticket,
                topic,
                data,
                ..
            } => Some((ticket, topic, data)),
            _ => None,
        })
        .await
    }

    /// The next request: its number and bytes.
    async fn expect_request(&mut self) -> (u64, Vec<u8>) {
        self.expect(|event| match event {
            NetworkEvent::Request { id, bytes, .. } => Some((id, bytes)),
            _ => None,
        })
        .await
    }

    /// What became of a request of this node.
    async fn expect_outcome(&mut self, asked: u64) -> Result<Vec<u8>, RequestFailure> {
        self.expect(|event| match event {
            NetworkEvent::Answered { id, bytes, .. } if id == asked => Some(Ok(bytes)),
            NetworkEvent::RequestFailed { id, reason, .. } if id == asked => Some(Err(reason)),
            _ => None,
        })
        .await
    }

    async fn subscribe(&self, topics: &[String]) {
        for topic in topics {
            self.send(Command::Subscribe(topic.clone())).await;
        }
    }

    async fn publish(&self, topic: &str, data: &[u8]) {
        self.send(Command::Publish {
            topic: topic.into(),
            data: data.to_vec(),
        })
        .await;
    }

    async fn request(&self, id: u64, peer: TransportKey, bytes: Vec<u8>) {
        self.send(Command::Request { id, peer, bytes }).await;
    }

    /// A command to dial this node.
    fn dial(&self) -> Command {
        Command::Dial {
            peer: Some(self.key),
            addresses: vec![self.address.clone()],
        }
    }
}

/// Connects two nodes, the first dialling.
async fn connect(a: &mut Node, b: &mut Node) {
    a.send(b.dial()).await;
    assert!(a.expect_connected(b.key).await);
    assert!(!b.expect_connected(a.key).await);
}

/// Two connected nodes that listen to the same topics.
async fn pair(topics: &[String]) -> (Node, Node) {
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    a.subscribe(topics).await;
    b.subscribe(topics).await;
    connect(&mut a, &mut b).await;
    if !topics.is_empty() {
        a.expect_listener(b.key, topics).await;
        b.expect_listener(a.key, topics).await;
    }
    (a, b)
}

/// Names as long as real topics.
fn topics(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:0>26}")).collect()
}

/// Asks and is answered, which shows that a connection works both ways.
async fn assert_works(a: &mut Node, b: &mut Node, id: u64) {
    a.request(id, b.key, b"are you there".to_vec()).await;
    let (number, bytes) = b.expect_request().await;
    b.send(Command::Answer { id: number, bytes }).await;
    assert_eq!(a.expect_outcome(id).await, Ok(b"are you there".to_vec()));
}
