//! What happens, told as it happens, and the figures at the end.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::output::look::{Look, Paint};
use crate::output::table::{Cell, Table};
use crate::output::{Output, Show};
use crate::verbs::Outcome;

/// Tells the story and keeps its figures.
pub(super) struct Report<'a> {
    output: &'a Output,
    begun: Instant,
    figures: Vec<Figure>,
}

/// Something that was measured.
#[derive(Debug, Serialize)]
struct Figure {
    figure: &'static str,
    ms: f64,
}

/// Something that happened.
#[derive(Debug, Serialize)]
struct Step<'a> {
    at_ms: f64,
    who: &'a str,
    what: &'a str,
}

impl<'a> Report<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self {
            output,
            begun: Instant::now(),
            figures: Vec::new(),
        }
    }

    /// Says what somebody did.
    pub(super) fn tell(&self, who: &str, what: &str) -> Outcome {
        let at_ms = milliseconds(self.begun.elapsed());
        self.output.put(&Step { at_ms, who, what })
    }

    /// Keeps a figure for the end.
    pub(super) fn measured(&mut self, figure: &'static str, took: Duration) {
        let ms = milliseconds(took);
        self.figures.push(Figure { figure, ms });
    }

    /// Shows the figures.
    pub(super) fn sum_up(&self) -> Outcome {
        self.output.put_each(&self.figures)
    }
}

/// Milliseconds to the tenth.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// A time as people say it: `3.1 ms`, `1.24 s`.
pub(super) fn said(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{:.1} ms", took.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", took.as_secs_f64())
    }
}

impl Show for Step<'_> {
    fn show(&self, look: &Look, out: &mut String) {
        let at = look.paint(Paint::Faint, format_args!("{:>7.2} s", self.at_ms / 1000.0));
        let who = look.paint(Paint::Person, format_args!("{:<5}", self.who));
        let _written = writeln!(out, "{at}  {who} {}", self.what);
    }
}

impl Show for [Figure] {
    fn show(&self, look: &Look, out: &mut String) {
        out.push('\n');
        let mut table = Table::bare();
        for Figure { figure, ms } in self {
            let took = Duration::from_secs_f64(ms / 1000.0);
            table.row(vec![
                Cell::new(Paint::Faint, figure),
                Cell::new(Paint::Strong, &said(took)),
            ]);
        }
        table.write(look, out);
        out.push('\n');
    }
}
