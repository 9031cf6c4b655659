//! Backups: how long one takes, how large it is, and how long a home takes to come back from it.

use std::time::Instant;

use anyhow::ensure;
use kith_crdt::time::{DAY_MS, Millis};
use kith_node::clock;
use kith_tests::{Daemon, Home};

use crate::figure::{Bound, Report};
use crate::past::Past;
use crate::{Sizes, Stage};

/// Channels that the messages are in.
const CHANNELS: usize = 20;
/// Days that they were written on.
const DAYS: usize = 50;

/// Measures all of it.
pub(crate) async fn measure(report: &mut Report, sizes: &Sizes) -> anyhow::Result<()> {
    let ana = Home::init("Ana");
    let each = sizes.messages / CHANNELS / DAYS;
    let all = each * CHANNELS * DAYS;
    let begins = clock::now().0.saturating_sub(DAYS as u64 * DAY_MS);
    let mut past = Past::open(&ana, Millis(begins))?;
    let mut channels = Vec::new();
    for number in 0..CHANNELS {
        channels.push(past.make_channel_named(&format!("room-{number}"))?);
    }
    for day in 1..=DAYS as u64 {
        for channel in &channels {
            past.say(*channel, each, None)?;
        }
        past.live_until(Millis(begins).plus(day * DAY_MS))?;
    }
    past.close();
    let daemon = Daemon::start(&ana);
    report.probe(ana.path());

    let (file, passphrase) = (ana.beside("kith.backup"), ana.passphrase_file());
    let (file, passphrase) = (file.display().to_string(), passphrase.display().to_string());
    let with = ["--backup-passphrase-file", passphrase.as_str()];
    let begun = Instant::now();
    let created = ana.json(&[&["backup", "create", &file], &with[..]].concat());
    let of = format!("{all} messages in {CHANNELS} channels and {DAYS} days");
    let took = begun.elapsed().as_secs_f64();
    report.row(&format!("backup of {of}"), took, "s", Bound::Open);
    let bytes = created["bytes"].as_f64().unwrap_or_default() / all as f64;
    report.row("backup, for each message", bytes, "B", Bound::Open);
    daemon.stop();

    let copy = Home::vacant("copy");
    let begun = Instant::now();
    copy.json(&[&["backup", "restore", &file], &with[..]].concat());
    let took = begun.elapsed().as_secs_f64();
    report.row(&format!("home restored from {of}"), took, "s", Bound::Open);
    let _daemon = Daemon::start(&copy);
    let channels = Stage::client(&copy).channels().await?;
    let held: u64 = channels.iter().map(|channel| channel.facts.messages).sum();
    ensure!(held == all as u64, "{held} of {all} messages came back");
    Ok(())
}
