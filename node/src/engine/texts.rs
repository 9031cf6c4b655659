//! Names and other single lines that people type, and what is wrong with them.

use super::effect::Refusal;
use super::write::shows_nothing;

/// Checks a name: a line that shows something.
///
/// # Errors
/// As [`check_line`], and if it shows nothing.
pub(super) fn check_name(text: &str, what: &str, max: usize) -> Result<(), Refusal> {
    if shows_nothing(text) {
        return Err(Refusal::Usage(format!("the {what} is empty")));
    }
    check_line(text, what, max)
}

/// Checks a text of one line.
///
/// # Errors
/// [`Refusal::Limit`] if it is longer than `max` characters, [`Refusal::Usage`] if it is no line.
pub(super) fn check_line(text: &str, what: &str, max: usize) -> Result<(), Refusal> {
    let chars = text.chars().count();
    if chars > max {
        return Err(Refusal::Limit(format!(
            "the {what} has {chars} characters, the most is {max}"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::Usage(format!(
            "the {what} contains control characters"
        )));
    }
    Ok(())
}
