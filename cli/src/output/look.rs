//! How things look to this reader: in colour or not, and when now is.

use std::fmt::Display;
use std::io::IsTerminal;

use jiff::Zoned;
use jiff::tz::TimeZone;
use kith_api::Timestamp;

/// What a piece of text is, and so how it is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it is.
    Plain,
    /// A heading, or what the eye should find first.
    Strong,
    /// What is there for those who look for it.
    Faint,
    /// A person.
    Person,
    /// Something to type again, such as an id.
    Handle,
    /// All is well.
    Good,
    /// Something is wrong or needs somebody.
    Bad,
}

impl Paint {
    /// The parameters of the terminal's "select graphic rendition" sequence (ECMA-48).
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Person => "1;36",
            Self::Handle => "33",
            Self::Good => "32",
            Self::Bad => "31",
        }
    }
}

/// How things look to this reader.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    colour: bool,
    now: Zoned,
}

impl Look {
    /// The look of a stream that a person may be reading: in colour on a terminal, unless
    /// `NO_COLOR` is set or the terminal is dumb.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: stream.is_terminal() && !set("NO_COLOR") && !dumb,
            now: Zoned::now(),
        }
    }

    /// A look without colour at a fixed time in UTC.
    #[cfg(test)]
    pub(crate) fn plain(now: Timestamp) -> Self {
        Self {
            colour: false,
            now: now.to_jiff().to_zoned(TimeZone::UTC),
        }
    }

    /// The same look in colour.
    #[cfg(test)]
    pub(crate) fn in_colour(self) -> Self {
        Self {
            colour: true,
            ..self
        }
    }

    /// Paints a text that is already clean.
    pub(crate) fn paint(&self, paint: Paint, text: impl Display) -> String {
        if self.colour && paint != Paint::Plain {
            format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code())
        } else {
            text.to_string()
        }
    }

    /// A picture made of characters, black on white whatever the terminal's colours are; nothing
    /// where there are none.
    pub(crate) fn picture(&self, lines: &str) -> Option<String> {
        let on_white = |line: &str| format!("\u{1b}[30;107m{line}\u{1b}[0m\n");
        self.colour.then(|| lines.lines().map(on_white).collect())
    }

    /// A time as short as the reader needs it: today's by the clock, this year's by day and
    /// clock, others by date.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        let time = time.to_jiff().to_zoned(self.zone());
        let format = if time.date() == self.now.date() {
            "%H:%M"
        } else if time.year() == self.now.year() {
            "%-d %b %H:%M"
        } else {
            "%Y-%m-%d"
        };
        time.strftime(format).to_string()
    }

    /// The day of a time, and the clock unless the day begins then.
    pub(crate) fn day(&self, time: Timestamp) -> String {
        let time = time.to_jiff().to_zoned(self.zone());
        let begins = time.hour() == 0 && time.minute() == 0;
        let format = if begins { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
        time.strftime(format).to_string()
    }

    /// A time in full, to the second.
    pub(crate) fn full_time(&self, time: Timestamp) -> String {
        let time = time.to_jiff().to_zoned(self.zone());
        time.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn zone(&self) -> TimeZone {
        self.now.time_zone().clone()
    }
}

/// A stretch of time in its two largest units.
pub(crate) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, letter) in UNITS {
        if rest >= unit || (unit == 1 && parts.is_empty()) {
            parts.push(format!("{}{letter}", rest / unit));
            rest %= unit;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_short_as_it_can_be() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let look = Look::plain(at("2026-11-20T10:00:00.000Z"));
        assert_eq!(look.time(at("2026-11-20T09:05:00.000Z")), "09:05");
        assert_eq!(look.time(at("2026-03-02T23:59:00.000Z")), "2 Mar 23:59");
        assert_eq!(look.time(at("2025-11-20T09:05:00.000Z")), "2025-11-20");
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (3_600, "1h"), (90_061, "1d 1h")] {
            assert_eq!(span(seconds), text);
        }
    }
}
