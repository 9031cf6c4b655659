//! What was measured, for people and for programs.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::load::Samples;
use crate::probe;

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
    /// Nothing is promised.
    Open,
}

/// One measured number.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    must: String,
    holds: bool,
    /// The median of a synced append in the same minute, in microseconds.
    fsync_us: f64,
}

/// All figures of one run.
#[derive(Debug)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    fsync: Duration,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::Open => true,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
            Self::Open => "-".to_owned(),
        }
    }
}

impl Report {
    /// A report without figures.
    pub(crate) fn new() -> Self {
        Self {
            figures: Vec::new(),
            fsync: Duration::ZERO,
        }
    }

    /// Measures how fast the disk syncs now; the next figures stand beside that.
    pub(crate) fn probe(&mut self, home: &Path) {
        self.fsync = probe::fsync(home);
    }

    /// Adds a figure.
    pub(crate) fn row(&mut self, name: &str, value: f64, unit: &'static str, bound: Bound) {
        let figure = Figure {
            name: name.to_owned(),
            value,
            unit,
            must: bound.text(),
            holds: bound.holds(value),
            fsync_us: self.fsync.as_secs_f64() * 1e6,
        };
        progress(&line(&figure));
        self.figures.push(figure);
    }

    /// Adds the median and the 99th percentile of samples, in milliseconds, with
    /// what each must be.
    pub(crate) fn latency(&mut self, name: &str, samples: &Samples, must_ms: Option<(f64, f64)>) {
        let bounds = must_ms.map_or([Bound::Open; 2], |(p50, p99)| {
            [Bound::AtMost(p50), Bound::AtMost(p99)]
        });
        for ((label, quantile), bound) in [("p50", 0.5), ("p99", 0.99)].into_iter().zip(bounds) {
            let ms = samples.value_at_quantile(quantile) as f64 / 1e6;
            self.row(&format!("{name}, {label}"), ms, "ms", bound);
        }
    }

    /// Prints the table.
    #[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
    pub(crate) fn print(&self) {
        println!("{}", heading());
        for figure in &self.figures {
            println!("{}", line(figure));
        }
    }

    /// Writes the same for programs.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, serde_json::to_vec_pretty(&self.figures)?)?;
        progress(&format!("written to {}", path.display()));
        Ok(())
    }
}

/// Says on stderr how far it has come.
#[expect(clippy::print_stderr, reason = "a run takes minutes")]
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

fn heading() -> String {
    format!(
        "{:<52} {:>12}    {:>9}  {:<4} {:>9}",
        "figure", "measured", "must", "", "fsync"
    )
}

fn line(figure: &Figure) -> String {
    let Figure {
        name,
        value,
        unit,
        must,
        holds,
        fsync_us,
    } = figure;
    let verdict = if *holds { "ok" } else { "MISS" };
    format!("{name:<52} {value:>12.3} {unit:<2} {must:>9}  {verdict:<4} {fsync_us:>6.0} us")
}
