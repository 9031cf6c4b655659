//! What the machine says of itself: its disk, and a process's memory.

use anyhow::Context as _;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of the append whose sync is timed: a message's worth.
const APPEND: [u8; 512] = [7; 512];
const APPENDS: usize = 200;

/// Returns the median time of a small synced append beside `home`.
///
/// # Panics
///
/// If the file system refuses it.
pub(crate) fn fsync(home: &Path) -> Duration {
    let path = home.with_file_name("fsync-probe");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.expect("the place beside the home is writable");
    let mut times: Vec<Duration> = (0..APPENDS)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&APPEND).expect("a small append");
            file.sync_data().expect("the disk syncs");
            begun.elapsed()
        })
        .collect();
    let _ = fs::remove_file(path);
    times.sort_unstable();
    times[APPENDS / 2]
}

/// Returns how many bytes the files below a directory have.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(file) if file.is_dir() => bytes_below(&entry.path()),
            Ok(file) => file.len(),
            // Compaction removes files while we look.
            Err(_) => 0,
        })
        .sum()
}

/// Returns the resident memory of a process once it stays the same for a second.
///
/// # Errors
///
/// If there is no such process.
pub(crate) async fn settled_resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let mut pause = tokio::time::interval(Duration::from_secs(1));
    let mut before = 0;
    loop {
        pause.tick().await;
        let now = resident_bytes(pid)?;
        if now.abs_diff(before) < 1 << 20 {
            return Ok(now);
        }
        before = now;
    }
}

/// Returns how many bytes a process has had written to the disk.
///
/// # Errors
///
/// If there is no such process.
pub(crate) fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("proc(5) has it")?.trim().parse()?)
}

fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.unwrap_or_default().trim().parse()?;
    Ok(kilobytes * 1024)
}

/// Waits until processes have used no time to speak of for a second, so that what a fill has left
/// to do in the background is not measured as what comes after it.
///
/// # Errors
/// If there is no such process.
pub(crate) async fn until_idle(pids: &[u32]) -> anyhow::Result<()> {
    /// Hundredths of a second that an idle node uses in a second.
    const IDLE_TICKS: u64 = 5;
    let mut pause = tokio::time::interval(Duration::from_secs(1));
    let mut before = None;
    loop {
        pause.tick().await;
        let used = pids
            .iter()
            .map(|pid| used_ticks(*pid))
            .sum::<anyhow::Result<u64>>()?;
        if before.is_some_and(|before| used - before <= IDLE_TICKS) {
            return Ok(());
        }
        before = Some(used);
    }
}

/// User and system time of a process, in hundredths of a second: fields 14 and 15 of proc(5).
fn used_ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat
        .rsplit_once(')')
        .context("proc(5) has the name in parentheses")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| -> anyhow::Result<u64> {
        Ok(fields
            .get(number - 3)
            .context("proc(5) has more fields")?
            .parse()?)
    };
    Ok(field(14)? + field(15)?)
}
