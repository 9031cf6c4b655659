//! What passes over the wire when two nodes meet again and neither has anything
//! new, beside what two nodes exchange that share nothing at all.

use std::time::{Duration, Instant};

use kith_tests::{Daemon, Home, PATIENCE, Relay, until};

use crate::Stage;
use crate::figure::Bound;
use crate::load::CHANNEL;

/// A wire on which nothing has passed for so long is taken to be silent.
const SILENCE: Duration = Duration::from_secs(2);

/// Reconnects the second node through a relay that counts.
pub(crate) async fn measure(stage: &mut Stage) -> anyhow::Result<()> {
    let relay = Relay::to(&stage.a.address());
    let towards = [relay.address().to_owned()];
    let stranger = Home::init("Stranger");
    let daemon = Daemon::start_towards(&stranger, &towards);
    until_connected(&stranger);
    let strangers = until_silent(&relay).await;
    daemon.stop();

    until_silent(&relay).await;
    let before = relay.passed();
    let b = std::mem::replace(&mut stage.b, Daemon::start(&stranger));
    b.stop();
    stage.report.probe(stage.ben.path());
    let b = Daemon::start_towards(&stage.ben, &towards);
    until_connected(&stage.ben);
    until("Ben to be up to date", PATIENCE, || {
        let channel = stage.ben.json(&["channel", "show", CHANNEL]);
        (channel["sync"]["up_to_date"] == true).then_some(())
    });
    let after = until_silent(&relay).await;
    stage.b = b;

    for (way, label) in ["out", "back"].into_iter().enumerate() {
        let all = (after[way] - before[way]) as f64;
        let handshake = strangers[way] as f64;
        let name = format!("reconnect with nothing new, {label}");
        stage
            .report
            .row(&name, all - handshake, "B", Bound::AtMost(1_024.0));
        let name = format!("  of two nodes that share nothing, {label}");
        stage.report.row(&name, handshake, "B", Bound::Open);
    }
    Ok(())
}

fn until_connected(home: &Home) {
    until("a connection", PATIENCE, || {
        let peers = home.json(&["status"])["peers"].as_array().map(Vec::len);
        (peers >= Some(1)).then_some(())
    });
}

/// Waits until nothing passes any more, and returns how much has.
async fn until_silent(relay: &Relay) -> [usize; 2] {
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    let mut last = (relay.passed(), Instant::now());
    while last.1.elapsed() < SILENCE {
        pause.tick().await;
        let passed = relay.passed();
        if passed != last.0 {
            last = (passed, Instant::now());
        }
    }
    last.0
}
