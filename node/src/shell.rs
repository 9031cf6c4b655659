//! The engine's thread: feeds it whatever waits, sleeps until its next deadline, and carries out
//! what it releases. It decides nothing.

use std::time::Duration;

use kith_crdt::ids::ChannelId;
use kith_crdt::term::Span;
use kith_store::Reader;
use tokio::sync::mpsc;

use crate::clock;
use crate::engine::{Engine, Event};
use crate::handle::Node;
use crate::network;

/// Events handled in one turn, and so by one commit.
const EVENTS_PER_TURN: usize = 256;
/// The longest sleep: a clock that jumps is noticed by then.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Runs the engine until it is told to stop or nobody can reach it any more.
pub(crate) async fn run(
    mut engine: Engine,
    mut events: mpsc::Receiver<Event>,
    node: Node,
    network: mpsc::Sender<network::Command>,
) {
    let mut waiting = Vec::with_capacity(EVENTS_PER_TURN);
    loop {
        let pause = engine.next_deadline().map_or(SLEEP_MAX, |at| {
            Duration::from_millis(at.since(clock::now())).min(SLEEP_MAX)
        });
        let received =
            tokio::time::timeout(pause, events.recv_many(&mut waiting, EVENTS_PER_TURN)).await;
        if received == Ok(0) {
            return;
        }
        let last = waiting.iter().any(|event| matches!(event, Event::Stop));
        let mut effects = engine.turn(clock::now(), waiting.drain(..));
        node.release(&mut effects);
        if !effects.erase.is_empty() {
            let (reader, spans) = (engine.reader(), std::mem::take(&mut effects.erase));
            tokio::spawn(erase(reader, spans, node.clone()));
        }
        for command in effects.network {
            if names_a_host(&command) {
                tokio::spawn(dial_by_name(command, network.clone()));
            } else if network.send(command).await.is_err() {
                return;
            }
        }
        if last {
            return;
        }
    }
}

/// Rewrites files of the store; whoever waits for the engine does not wait for it.
async fn erase(reader: Reader, spans: Vec<(ChannelId, Span)>, node: Node) {
    let places = spans.clone();
    let erased = tokio::task::spawn_blocking(move || reader.erase_replaced(&spans)).await;
    let failed = match erased {
        Ok(Ok(())) => Vec::new(),
        Ok(Err(error)) => {
            tracing::error!("what was deleted could not be taken out of the files: {error}");
            places
        }
        Err(_) => places,
    };
    node.tell_engine(Event::Erased(failed)).await;
}

/// Whether this dials an address of this node's own choice that has a host's name in it. What peers
/// claim is dialled as it stands: nobody makes this node ask for names.
fn names_a_host(command: &network::Command) -> bool {
    match command {
        network::Command::Dial {
            peer: None,
            addresses,
        } => addresses.iter().any(|address| network::is_named(address)),
        _ => false,
    }
}

/// Finds the hosts that a dial names, and dials. The engine tries again where that leads nowhere.
async fn dial_by_name(command: network::Command, network: mpsc::Sender<network::Command>) {
    let network::Command::Dial { peer, addresses } = command else {
        return;
    };
    let mut found = Vec::new();
    for address in addresses {
        if network::is_named(&address) {
            found.extend(network::look_up(&address).await);
        } else {
            found.push(address);
        }
    }
    if !found.is_empty() {
        let addresses = found;
        // A network that is gone dials nobody.
        let _ = network
            .send(network::Command::Dial { peer, addresses })
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_named_host_is_dialled_where_it_is() {
        let (network, mut dialled) = mpsc::channel(1);
        let by_name = network::Command::Dial {
            peer: None,
            addresses: vec!["/dns4/localhost/tcp/9".into()],
        };
        assert!(names_a_host(&by_name));

        dial_by_name(by_name, network).await;

        let by_address = network::Command::Dial {
            peer: None,
            addresses: vec!["/ip4/127.0.0.1/tcp/9".into()],
        };
        assert!(!names_a_host(&by_address));
        assert_eq!(dialled.recv().await, Some(by_address));
    }
}
