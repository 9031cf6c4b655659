//! What passes over the wire when two nodes meet again and neither has anything
//! new, beside what two nodes exchange that share nothing at all.

use std::time::{Duration, Instant};

use kith_tests::{Daemon, Home, PATIENCE, Relay, until};

use crate::Stage;
use crate::figure::Bound;
use crate::load::CHANNEL;

/// A wire on which nothing has passed for so long is taken to be silent.
const SILENCE: Duration = Duration::from_secs(3);

/// Meetings of each kind, of which the median counts: a ping may fall into one.
const MEETINGS: usize = 3;

/// Has the second node, and then a stranger, meet the first through a relay that
/// counts.
pub(crate) async fn measure(stage: &mut Stage) -> anyhow::Result<()> {
    let relay = Relay::to(&stage.a.address());
    let stranger = Home::init("Stranger");
    let strangers = meetings(&relay, &stranger, || true).await;
    stage.report.probe(stage.ben.path());
    stage.suspend_ben();
    let friends = meetings(&relay, &stage.ben, || {
        let channel = stage.ben.json(&["channel", "show", CHANNEL]);
        channel["sync"]["up_to_date"] == true
    })
    .await;
    stage.resume_ben();

    for (way, label) in ["out", "back"].into_iter().enumerate() {
        let (all, handshake) = (friends[way] as f64, strangers[way] as f64);
        let name = format!("reconnect with nothing new, {label}");
        stage
            .report
            .row(&name, all - handshake, "B", Bound::AtMost(1_024.0));
        let name = format!("  handshakes of two who share nothing, {label}");
        stage.report.row(&name, handshake, "B", Bound::Open);
    }
    Ok(())
}

/// Returns the median bytes, out and back, of starting a node that meets the
/// other through the relay, until all has been said.
async fn meetings(relay: &Relay, home: &Home, settled: impl Fn() -> bool) -> [usize; 2] {
    let mut passed = [Vec::new(), Vec::new()];
    for _ in 0..MEETINGS {
        let before = until_silent(relay).await;
        let daemon = Daemon::start_towards(home, &[relay.address().to_owned()]);
        until("a connection", PATIENCE, || {
            let peers = home.json(&["status"])["peers"].as_array().map(Vec::len);
            (peers >= Some(1) && settled()).then_some(())
        });
        let after = until_silent(relay).await;
        daemon.kill();
        for (way, passed) in passed.iter_mut().enumerate() {
            passed.push(after[way] - before[way]);
        }
    }
    passed.map(|mut passed| {
        passed.sort_unstable();
        passed[MEETINGS / 2]
    })
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
