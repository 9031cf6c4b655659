//! What counts as one emoji: whatever Unicode's emoji table has, in its full spelling.

/// The text is not exactly one emoji.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reaction is exactly one emoji, like 👍")]
pub struct NotAnEmoji;

/// The variation selector that asks for the coloured form.
const EMOJI_STYLE: char = '\u{fe0f}';

/// Checks that a text is exactly one emoji and returns its full spelling, so that the same emoji
/// with and without variation selectors is one reaction.
///
/// # Errors
/// [`NotAnEmoji`] for letters, digits, several emoji, or one newer than this node's table.
pub fn check_emoji(text: &str) -> Result<&'static str, NotAnEmoji> {
    let plain: String = bare(text).collect();
    let found = emojis::get(text)
        .or_else(|| emojis::get(&plain))
        .ok_or(NotAnEmoji)?;
    // For couples of one skin tone written without a selector, the table names the neighbouring
    // tone: only what is spelled the same is the same emoji.
    [found]
        .into_iter()
        .chain(found.skin_tones().into_iter().flatten())
        .map(emojis::Emoji::as_str)
        .find(|full| bare(full).eq(plain.chars()))
        .ok_or(NotAnEmoji)
}

fn bare(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|&c| c != EMOJI_STYLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::EMOJI_MAX;

    #[test]
    fn every_emoji_counts_with_and_without_its_selectors() {
        for emoji in
            emojis::iter().flat_map(|emoji| emoji.skin_tones().into_iter().flatten().chain([emoji]))
        {
            let full = emoji.as_str();
            let bare = full.replace(EMOJI_STYLE, "");
            assert_eq!(check_emoji(full), Ok(full));
            assert_eq!(check_emoji(&bare), Ok(full));
            assert_eq!(check_emoji(&format!("{bare}{EMOJI_STYLE}")), Ok(full));
            assert!(full.len() <= EMOJI_MAX);
        }
    }

    #[test]
    fn tones_flags_and_families_are_one_emoji() {
        for emoji in ["👍🏽", "🇩🇪", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👨‍👩‍👧‍👦", "❤️", "❤", "1️⃣", "🏳️‍🌈", "✌️🏽"]
        {
            assert!(check_emoji(emoji).is_ok(), "{emoji}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "", "a", "1", "#", "👍👍", "👍 ", " 👍", "ok", "🇩", "\u{fe0f}", "\u{200d}", "é", "👍a",
        ] {
            assert_eq!(check_emoji(text), Err(NotAnEmoji), "{text:?}");
        }
    }
}
