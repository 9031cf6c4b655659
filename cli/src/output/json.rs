//! JSON that is harmless on a terminal too: what a terminal would obey is written as an escape.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::clean::is_dangerous;

/// Compact JSON in which every dangerous character is `\uXXXX`. It reads back the same.
pub(crate) fn to_line(value: &impl Serialize) -> String {
    let mut line = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut line, Harmless);
    value
        .serialize(&mut serializer)
        .expect("results are plain data with text keys");
    String::from_utf8(line).expect("serde_json writes UTF-8")
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_dangerous(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_back_the_same_and_holds_nothing_dangerous(text in any::<String>(), extra in "[\u{0}-\u{9f}\u{2020}-\u{2070}]{0,40}") {
            let text = format!("{text}{extra}");
            let line = to_line(&text);
            prop_assert!(!line.contains(is_dangerous), "{line:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
