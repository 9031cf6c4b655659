//! The engine's thread: feeds it whatever waits, sleeps until its next deadline, and carries out
//! what it releases. It decides nothing.

use std::time::Duration;

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
        for command in effects.network {
            if network.send(command).await.is_err() {
                return;
            }
        }
        if last {
            return;
        }
    }
}
