//! Forgetting much: what a sweep costs, what it costs those who write meanwhile, and what is left
//! of messages that lived and died: nothing.

use std::time::{Duration, Instant};

use kith_api::retention::SweepRequest;
use kith_crdt::time::{HOUR_MS, Millis};
use kith_node::clock;
use kith_tests::{Daemon, Home};

use crate::figure::{Bound, Report};
use crate::past::Past;
use crate::{Sizes, Stage, load, probe};

/// How long the messages that are swept asked to live. The keys of what asks for so long go after
/// twelve hours, so they are there still when the messages are over.
const SWEPT_AFTER_MS: u64 = 7 * HOUR_MS;
/// How long after the end of the messages the daemon starts, at least.
const OVER_FOR_MS: u64 = 60_000;
/// When nothing of them is left any more: the keys go twelve hours after the hour they are of.
const GONE_AFTER_MS: u64 = 14 * HOUR_MS;
/// Messages that live and die at a time.
const GENERATION: usize = 50_000;
/// From one generation to the next: they ask for an hour, and their keys go within two.
const LIFE_MS: u64 = 3 * HOUR_MS;
/// Starts that are timed; the median counts.
const STARTS: usize = 5;
/// Pages read for one figure.
const PAGES: usize = 1_000;

/// Measures all of it.
pub(crate) async fn measure(report: &mut Report, sizes: &Sizes) -> anyhow::Result<()> {
    sweep(report, sizes).await?;
    lives(report, sizes).await
}

/// Sweeps many messages that are over at once, while somebody writes; then destroys their window,
/// and compares the home with one that never had them.
async fn sweep(report: &mut Report, sizes: &Sizes) -> anyhow::Result<()> {
    let over = sizes.messages;
    // As many as are swept, so that both homes have as many events as a home keeps.
    let staying = over;
    let written_at = back(SWEPT_AFTER_MS + OVER_FOR_MS);
    let [swept, never] = ["Ana", "Ben"].map(Home::init);
    for (home, over) in [(&swept, over), (&never, 0)] {
        let mut past = Past::open(home, written_at)?;
        let channel = past.make_channel()?;
        past.say(channel, staying, None)?;
        past.say(channel, over, Some(SWEPT_AFTER_MS))?;
        past.live_until(back(2 * OVER_FOR_MS))?;
        past.close();
    }

    report.probe(swept.path());
    let daemon = Daemon::start(&swept);
    let client = Stage::client(&swept);
    let begun = Instant::now();
    let mut took = Duration::ZERO;
    let sweeping = async {
        let done = client.sweep(&SweepRequest::default()).await;
        took = begun.elapsed();
        done
    };
    let (done, meanwhile) = load::acknowledged_while(&client, sweeping).await?;
    let done = done?;
    let written = probe::written_bytes(daemon.pid())?;
    anyhow::ensure!(done.rewritten, "files were rewritten");
    let sent = usize::try_from(meanwhile.len())?;
    probe::until_idle(&[daemon.pid()]).await?;
    // As many, so that rare delays of the disk show in both or in neither.
    let usual = load::acknowledged(&client, sent).await?;
    daemon.stop();

    report.row(
        &format!("sweep of {over}, out of all files"),
        took.as_secs_f64(),
        "s",
        Bound::Open,
    );
    let megabytes = written as f64 / 1e6;
    report.row(
        &format!("written for that, with {sent} sends"),
        megabytes,
        "MB",
        Bound::Open,
    );
    report.latency("send until acknowledged, after the sweep", &usual, None);
    report.latency("send until acknowledged, while it sweeps", &meanwhile, None);
    let p99 = |samples: &load::Samples| samples.value_at_quantile(0.99) as f64;
    let ratio = p99(&meanwhile) / p99(&usual);
    report.row(
        "p99 while it sweeps over after",
        ratio,
        "x",
        Bound::AtMost(2.0),
    );

    let daemon = Daemon::start(&never);
    load::acknowledged(&Stage::client(&never), 2 * sent).await?;
    daemon.stop();
    let sizes = [&swept, &never].map(|home| -> anyhow::Result<u64> {
        let mut past = Past::open(home, clock::now())?;
        past.live_until(written_at.plus(GONE_AFTER_MS + HOUR_MS))?;
        past.close();
        Ok(probe::bytes_below(home.path()))
    });
    let [swept, never] = sizes;
    let ratio = swept? as f64 / never? as f64;
    let name = format!("home after {over} are gone over one that never had them");
    report.row(&name, ratio, "x", Bound::AtMost(1.05));
    Ok(())
}

/// Has messages live and die, a generation after the other, and compares what is left with a home
/// that had only those that live.
async fn lives(report: &mut Report, sizes: &Sizes) -> anyhow::Result<()> {
    let alive = sizes.alive;
    let [after, without] = ["Ana", "Ben"].map(Home::init);
    let generation = GENERATION.min(sizes.died);
    let generations = sizes.died / generation.max(1);
    for (home, generation) in [(&after, generation), (&without, 0)] {
        let mut past = Past::open(home, back(LIFE_MS * (generations as u64 + 1)))?;
        let channel = past.make_channel()?;
        for _ in 0..generations {
            let next = past.now().plus(LIFE_MS);
            past.say(channel, generation, Some(HOUR_MS))?;
            past.say(channel, alive / generations, None)?;
            past.live_until(next)?;
        }
        past.live_until(clock::now())?;
        past.close();
    }
    report.probe(after.path());
    let died = generations * generation;
    let with = look(&after).await?;
    let without = look(&without).await?;
    let after = format!("{alive} alive after {died} that died");
    report.row(
        &format!("start, {after}"),
        with.start.as_secs_f64() * 1e3,
        "ms",
        Bound::AtMost(1_000.0),
    );
    report.latency(
        &format!("page of the newest 50, {after}"),
        &with.page,
        Some((2.0, 10.0)),
    );
    report.row(
        &format!("resident, {after}"),
        with.resident as f64 / 1e6,
        "MB",
        Bound::AtMost(100.0),
    );
    report.row(
        &format!("home, {after}"),
        with.home as f64 / 1e6,
        "MB",
        Bound::Open,
    );
    let page = |look: &Look| look.page.value_at_quantile(0.5) as f64;
    let seconds = |look: &Look| look.start.as_secs_f64();
    let resident = |look: &Look| look.resident as f64;
    for (what, with, without) in [
        ("start", seconds(&with), seconds(&without)),
        ("page", page(&with), page(&without)),
        ("resident", resident(&with), resident(&without)),
    ] {
        let name = format!("{what}, {after}, over without those");
        report.row(&name, with / without, "x", Bound::AtMost(1.2));
    }
    Ok(())
}

/// What a home costs.
struct Look {
    start: Duration,
    resident: u64,
    page: load::Samples,
    home: u64,
}

async fn look(home: &Home) -> anyhow::Result<Look> {
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let begun = Instant::now();
        let daemon = Daemon::start(home);
        starts.push(begun.elapsed());
        daemon.stop();
    }
    starts.sort_unstable();
    let daemon = Daemon::start(home);
    let resident = probe::settled_resident_bytes(daemon.pid()).await?;
    let page = load::pages(&Stage::client(home), None, PAGES).await?;
    daemon.stop();
    Ok(Look {
        start: starts[STARTS / 2],
        resident,
        page,
        home: probe::bytes_below(home.path()),
    })
}

/// So long ago.
fn back(ms: u64) -> Millis {
    Millis(clock::now().0.saturating_sub(ms))
}
