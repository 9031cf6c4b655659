//! Text from the command line, or from the standard input where it is `-`.

use std::io::{self, Read};

use kith_api::ApiError;
use kith_crdt::limits::TEXT_MAX_CHARS;

/// Bytes read at most: the longest text in the widest script, and a little more so that what is
/// too long is seen to be.
const READ_MAX: u64 = 4 * TEXT_MAX_CHARS as u64 + 64;

/// The text itself, or all of the standard input without its last line break.
pub(crate) fn text_or_stdin(text: &str) -> Result<String, ApiError> {
    if text == "-" {
        from_reader(io::stdin().lock())
    } else {
        Ok(text.to_owned())
    }
}

fn from_reader(reader: impl Read) -> Result<String, ApiError> {
    let mut text = String::new();
    reader
        .take(READ_MAX)
        .read_to_string(&mut text)
        .map_err(|error| {
            ApiError::usage(format_args!("cannot read the text from stdin: {error}"))
        })?;
    let whole = text.strip_suffix('\n').unwrap_or(&text);
    Ok(whole.strip_suffix('\r').unwrap_or(whole).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_break_is_left_out() {
        assert_eq!(from_reader(&b"a\nb\n\n"[..]).unwrap(), "a\nb\n");
        assert_eq!(from_reader(&b"a\r\n"[..]).unwrap(), "a");
        assert!(from_reader(&[0xff][..]).is_err());
    }

    #[test]
    fn endless_input_is_not_read_to_its_end() {
        let text = from_reader(io::repeat(b'a')).unwrap();
        assert!(text.chars().count() > TEXT_MAX_CHARS);
    }
}
