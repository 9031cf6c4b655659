//! What others wrote, made harmless for a terminal.
//!
//! A terminal obeys control characters wherever they come from: they move the cursor, rewrite
//! the title, answer on the keyboard. Characters that turn the writing direction make a line read
//! as another one. Neither ever reaches the terminal; a mark is shown where one was.

use std::borrow::Cow;

/// Whether a terminal would obey the character rather than show it, or read the line otherwise.
///
/// That is: the controls of ASCII and of Latin-1, the separators that are line breaks, the
/// embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9), and the
/// interlinear annotations. The joiners that emoji and many scripts need are none of these.
pub(crate) const fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{fff9}'..='\u{fffb}')
}

/// One line of text that may come from anyone, fit for a terminal.
///
/// A tab becomes a space, a control character of ASCII its picture, anything else that is
/// dangerous the replacement character.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match c {
        '\t' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        c if is_dangerous(c) => '\u{fffd}',
        c => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// The lines of a text that may come from anyone, each fit for a terminal.
pub(crate) fn clean_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(clean)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the standards say, not what the code above says.
    fn is_obeyed(c: char) -> bool {
        let turns_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns_direction
    }

    #[test]
    fn escapes_are_shown_and_not_obeyed() {
        assert_eq!(clean("\u{1b}[2Jhi\u{7}\r"), "␛[2Jhi␇␍");
        assert_eq!(clean("\u{9b}31m\u{202e}txt.exe\u{7f}"), "�31m�txt.exe�");
        assert_eq!(clean_lines("a\tb\r\nc").collect::<Vec<_>>(), ["a b", "c"]);
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["hello", "👩‍👩‍👧 🏴󠁧󠁢󠁳󠁣󠁴󠁿", "שלום עולם", "नमस्ते", "می‌خواهم", "e\u{301}"]
        {
            assert!(matches!(clean(text), Cow::Borrowed(same) if same == text));
        }
    }

    proptest! {
        #[test]
        fn nothing_dangerous_gets_through(text in any::<String>(), extra in "[\u{0}-\u{9f}\u{2020}-\u{2070}]{0,40}") {
            let text = format!("{text}{extra}{text}");
            prop_assert!(!clean(&text).contains(is_obeyed));
            prop_assert!(clean_lines(&text).all(|line| !line.contains(is_obeyed)));
            prop_assert_eq!(clean(&text).chars().count(), text.chars().count());
        }
    }
}
