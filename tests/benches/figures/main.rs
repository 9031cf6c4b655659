//! Measures every figure that Kith promises, with real daemons on this machine,
//! each beside the time that the disk took to sync in the same minute.
//!
//! `KITH_BENCH_MESSAGES`, `KITH_BENCH_DEPTH`, `KITH_BENCH_CHANNELS`,
//! `KITH_BENCH_SENDS`, `KITH_BENCH_ALIVE` and `KITH_BENCH_DIED` set the sizes; `KITH_BENCH_JSON` names the file that gets
//! the same figures for programs. `KITH_BENCH_ONLY=backup`, `=forgetting`,
//! `=linked` or `=reconnect` measures that part alone.

mod backup;
mod core;
mod figure;
mod forgetting;
mod linked;
mod load;
mod newcomer;
mod past;
mod probe;
mod reconnect;
mod rekey;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kith_api::Client;
use kith_api::channel::CreateChannel;
use kith_api::invite::{InviteRequest, JoinRequest};
use kith_tests::{Daemon, Home};

use crate::figure::{Bound, Report};
use crate::load::CHANNEL;

/// How much is measured.
struct Sizes {
    /// Messages that a newcomer catches up on, and at which costs must be flat.
    messages: usize,
    /// Messages in the channel when pages, memory and disk are measured.
    depth: usize,
    /// Channels of the idle node.
    channels: usize,
    /// Messages of each latency measurement.
    sends: usize,
    /// Messages that are left of many that lived and died.
    alive: usize,
    /// Those that died.
    died: usize,
}

/// Pages read for one figure.
const PAGES: usize = 1_000;
/// Costs are compared from here on.
const FEW: usize = 1_000;

impl Sizes {
    fn from_env() -> anyhow::Result<Self> {
        let size = |name: &str, default| {
            std::env::var(name).map_or(Ok(default), |value| value.replace('_', "").parse())
        };
        Ok(Self {
            messages: size("KITH_BENCH_MESSAGES", 100_000)?,
            depth: size("KITH_BENCH_DEPTH", 200_000)?,
            channels: size("KITH_BENCH_CHANNELS", 100)?,
            sends: size("KITH_BENCH_SENDS", 1_000)?,
            alive: size("KITH_BENCH_ALIVE", 10_000)?,
            died: size("KITH_BENCH_DIED", 1_000_000)?,
        })
    }
}

/// The two nodes that are measured.
struct Stage {
    ana: Home,
    ben: Home,
    a: Daemon,
    b: Option<Daemon>,
    report: Report,
}

impl Stage {
    fn client(home: &Home) -> Client {
        Client::new(home.path()).with_timeout(Duration::from_secs(120))
    }

    async fn open(report: Report) -> anyhow::Result<Self> {
        let (ana, ben) = (Home::init("Ana"), Home::init("Ben"));
        let a = Daemon::start(&ana);
        let b = Daemon::start_towards(&ben, &a.addresses());
        make_channel(&Self::client(&ana), CHANNEL).await?;
        join(&Self::client(&ana), &Self::client(&ben), CHANNEL).await?;
        Ok(Self {
            ana,
            ben,
            a,
            b: Some(b),
            report,
        })
    }

    /// Stops the second node.
    fn suspend_ben(&mut self) {
        if let Some(daemon) = self.b.take() {
            daemon.stop();
        }
    }

    /// Starts the second node again.
    fn resume_ben(&mut self) {
        self.b = Some(Daemon::start_towards(&self.ben, &self.a.addresses()));
    }
}

async fn make_channel(client: &Client, name: &str) -> anyhow::Result<()> {
    let request = CreateChannel {
        name: name.to_owned(),
        topic: None,
        retention: None,
        key: None,
    };
    client.create_channel(&request).await?;
    Ok(())
}

async fn invite(host: &Client, channel: &str) -> anyhow::Result<JoinRequest> {
    let request = InviteRequest {
        role: None,
        uses: None,
        expires_ms: None,
        key: None,
    };
    let link = host.invite(channel, &request).await?.link;
    Ok(JoinRequest {
        link,
        wait_ms: None,
    })
}

async fn join(host: &Client, guest: &Client, channel: &str) -> anyhow::Result<()> {
    guest.join(&invite(host, channel).await?).await?;
    Ok(())
}

// One thread, as the `kith` command has for its requests.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let sizes = Sizes::from_env()?;
    let mut report = Report::new();
    match std::env::var("KITH_BENCH_ONLY").as_deref() {
        Err(_) => {}
        Ok("forgetting") => {
            forgetting::measure(&mut report, &sizes).await?;
            report.print();
            return Ok(());
        }
        Ok("backup") => {
            backup::measure(&mut report, &sizes).await?;
            report.print();
            return Ok(());
        }
        Ok("linked") => {
            linked::measure(&mut report, &sizes).await?;
            report.print();
            return Ok(());
        }
        Ok("reconnect") => {
            let mut stage = Stage::open(report).await?;
            load::fill(&Stage::client(&stage.ana), 0..sizes.sends).await?;
            load::until_held(&Stage::client(&stage.ben), sizes.sends).await?;
            reconnect::measure(&mut stage).await?;
            stage.report.print();
            return Ok(());
        }
        Ok(part) => {
            anyhow::bail!(
                "KITH_BENCH_ONLY is {part}: `backup`, `forgetting`, `linked` and `reconnect` are parts"
            )
        }
    }
    core::measure(&mut report);
    rekey::measure(&mut report);
    let mut stage = Stage::open(report).await?;

    let few = latencies(&mut stage, &sizes, 0, FEW).await?;
    let small = probe::bytes_below(stage.ana.path());
    sustained(&mut stage, &sizes).await?;
    newcomer::measure(&mut stage, sizes.messages).await?;
    let many = latencies(&mut stage, &sizes, sizes.messages, sizes.messages).await?;
    flatness(&mut stage.report, &few, &many);
    deep(&mut stage, &sizes, small).await?;
    reconnect::measure(&mut stage).await?;
    let mut report = idle(stage, &sizes).await?;
    linked::measure(&mut report, &sizes).await?;
    backup::measure(&mut report, &sizes).await?;
    forgetting::measure(&mut report, &sizes).await?;

    report.print();
    report.write(&json_path())
}

/// What a message costs at some number of messages, as medians.
struct Costs {
    at: usize,
    acknowledged: Duration,
    visible: Duration,
    page: Duration,
}

/// Measures what one message costs when there are `at` already.
async fn latencies(
    stage: &mut Stage,
    sizes: &Sizes,
    first: usize,
    at: usize,
) -> anyhow::Result<Costs> {
    let (a, b) = (Stage::client(&stage.ana), Stage::client(&stage.ben));
    load::fill(&a, first..at.max(first)).await?;
    load::until_held(&b, at.max(first)).await?;
    let others = stage.b.as_ref().map(Daemon::pid);
    let pids: Vec<u32> = std::iter::once(stage.a.pid()).chain(others).collect();
    probe::until_idle(&pids).await?;
    stage.report.probe(stage.ana.path());
    let acknowledged = load::acknowledged(&a, sizes.sends).await?;
    stage.report.latency(
        &format!("send until acknowledged, at {at}"),
        &acknowledged,
        Some((1.0, 10.0)),
    );
    let visible = load::visible(&a, &b, sizes.sends).await?;
    stage.report.latency(
        &format!("send until visible at a peer, at {at}"),
        &visible,
        Some((2.0, 10.0)),
    );
    let page = load::pages(&a, None, PAGES).await?;
    stage.report.latency(
        &format!("page of the newest 50, at {at}"),
        &page,
        Some((2.0, 10.0)),
    );
    Ok(Costs {
        at,
        acknowledged: median(&acknowledged),
        visible: median(&visible),
        page: median(&page),
    })
}

/// Fills the channel with nobody else up, as fast as it goes.
async fn sustained(stage: &mut Stage, sizes: &Sizes) -> anyhow::Result<()> {
    let client = Stage::client(&stage.ana);
    let have = load::held(&client).await?;
    stage.report.probe(stage.ana.path());
    let begun = Instant::now();
    load::fill(&client, have..sizes.messages).await?;
    let rate = sizes.messages.saturating_sub(have) as f64 / begun.elapsed().as_secs_f64();
    stage.report.row(
        "sustained durable sending",
        rate,
        "/s",
        Bound::AtLeast(2_000.0),
    );
    load::until_held(&Stage::client(&stage.ben), sizes.messages).await
}

fn flatness(report: &mut Report, few: &Costs, many: &Costs) {
    let rows = [
        ("send", few.acknowledged, many.acknowledged),
        ("remote apply", few.visible, many.visible),
        ("page", few.page, many.page),
    ];
    for (what, before, after) in rows {
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        let name = format!("cost of {what}, {} over {}", many.at, few.at);
        report.row(&name, ratio, "x", Bound::AtMost(1.2));
    }
}

/// Pages at the far end of the channel, and what a message takes on disk.
async fn deep(stage: &mut Stage, sizes: &Sizes, small: u64) -> anyhow::Result<()> {
    let client = Stage::client(&stage.ana);
    let have = load::held(&client).await?;
    load::fill(&client, have..sizes.depth).await?;
    let held = load::held(&client).await?;
    let oldest = load::oldest_cursor(&client).await?;
    stage.report.probe(stage.ana.path());
    let page = load::pages(&client, Some(oldest), PAGES).await?;
    stage.report.latency(
        &format!("page of 50 at depth {held}"),
        &page,
        Some((2.0, 10.0)),
    );
    let grown = probe::bytes_below(stage.ana.path()).saturating_sub(small);
    let each = grown as f64 / (held - FEW) as f64;
    stage.report.row(
        "disk per 120-character message",
        each,
        "B",
        Bound::AtMost(700.0),
    );
    Ok(())
}

/// A node that has just started and is asked nothing.
async fn idle(mut stage: Stage, sizes: &Sizes) -> anyhow::Result<Report> {
    let client = Stage::client(&stage.ana);
    for number in 1..sizes.channels {
        make_channel(&client, &format!("quiet-{number}")).await?;
    }
    let held = load::held(&client).await?;
    stage.suspend_ben();
    let Stage {
        ana, a, mut report, ..
    } = stage;
    a.stop();
    report.probe(ana.path());
    let begun = Instant::now();
    let a = Daemon::start(&ana);
    let started = begun.elapsed().as_secs_f64() * 1e3;
    report.row(
        &format!("start until it serves, {held} messages"),
        started,
        "ms",
        Bound::AtMost(1_000.0),
    );
    let name = format!(
        "resident, idle, {} channels, {held} messages",
        sizes.channels
    );
    let resident = probe::settled_resident_bytes(a.pid()).await?;
    report.row(&name, resident as f64 / 1e6, "MB", Bound::AtMost(100.0));
    Ok(report)
}

fn median(samples: &load::Samples) -> Duration {
    Duration::from_nanos(samples.value_at_quantile(0.5))
}

fn json_path() -> PathBuf {
    let target = || std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    std::env::var_os("KITH_BENCH_JSON").map_or_else(
        || {
            target()
                .unwrap_or_else(std::env::temp_dir)
                .join("figures.json")
        },
        PathBuf::from,
    )
}
