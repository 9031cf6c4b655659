//! Columns that line up, whatever script they are written in.

use unicode_width::UnicodeWidthStr;

use super::clean::clean;
use super::look::{Look, Paint};

/// One cell: a clean text and how it is painted.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
    right: bool,
}

impl Cell {
    /// A text that may come from anyone.
    pub(crate) fn new(paint: Paint, text: &str) -> Self {
        Self {
            text: clean(text).into_owned(),
            paint,
            right: false,
        }
    }

    /// A number, to the right of its column.
    pub(crate) fn number(number: u64) -> Self {
        Self::right(&number.to_string())
    }

    /// A text to the right of its column.
    pub(crate) fn right(text: &str) -> Self {
        Self {
            right: true,
            ..Self::new(Paint::Plain, text)
        }
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    fn padded(&self, look: &Look, width: usize) -> String {
        let space = " ".repeat(width.saturating_sub(self.width()));
        let text = look.paint(self.paint, &self.text);
        if self.right {
            format!("{space}{text}")
        } else {
            format!("{text}{space}")
        }
    }
}

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let cell = |heading: &&str| Cell::new(Paint::Faint, heading);
        Self {
            rows: vec![headings.iter().map(cell).collect()],
        }
    }

    /// A table without headings.
    pub(crate) const fn bare() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as lines.
    pub(crate) fn write(&self, look: &Look, out: &mut String) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self
                .rows
                .iter()
                .filter_map(|row: &Vec<Cell>| row.get(column));
            cells.map(Cell::width).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| cell.padded(look, *width))
                .collect();
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use kith_api::Timestamp;

    use super::*;

    #[test]
    fn columns_line_up_for_wide_scripts_and_hostile_names() {
        let mut table = Table::new(&["NAME", "COUNT"]);
        table.row(vec![Cell::new(Paint::Plain, "日本"), Cell::number(7)]);
        table.row(vec![Cell::new(Paint::Plain, "\u{1b}[2J"), Cell::number(12)]);
        let mut out = String::new();
        table.write(&Look::plain(Timestamp(0)), &mut out);
        assert_eq!(out, "NAME  COUNT\n日本      7\n␛[2J     12\n");
    }
}
