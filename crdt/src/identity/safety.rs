//! The safety number of an account: what people tell each other to know that they mean the same.
//!
//! Names are not unique, and whoever adds somebody believes what the channel's members say. The
//! number is made of the account's key alone, so that one look in person, or one call, settles it
//! for good. 100 bits of a hash withstand whoever looks for a key with the same number; Signal's
//! fingerprints have as many for each side.

use std::fmt;

use crate::crypto::hash;
use crate::ids::AccountId;

/// Groups of five digits.
const GROUPS: usize = 6;
/// Digits in all.
const DIGITS: usize = 5 * GROUPS;

/// Thirty digits, in groups of five, that stand for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber([u32; GROUPS]);

impl SafetyNumber {
    /// The number of an account: of `H("safety-number", account)` five bytes each, big-endian,
    /// modulo 100,000.
    pub fn of(account: &AccountId) -> Self {
        let hash = hash::derive("safety-number", &[&account.0]);
        let mut groups = [0; GROUPS];
        for (group, bytes) in groups.iter_mut().zip(hash.chunks_exact(5)) {
            let number = bytes
                .iter()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            *group = u32::try_from(number % 100_000).unwrap_or_default();
        }
        Self(groups)
    }

    /// Whether a text is a safety number at all, in whatever groups.
    pub fn is_one(text: &str) -> bool {
        let typed = without_groups(text);
        typed.len() == DIGITS && typed.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether this is what somebody typed, in whatever groups.
    pub fn is_typed(&self, text: &str) -> bool {
        without_groups(text) == without_groups(&self.to_string())
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = &self.0;
        write!(f, "{first:05}")?;
        rest.iter().try_for_each(|group| write!(f, " {group:05}"))
    }
}

fn without_groups(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_whitespace() && *char != '-')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_typed_in_whatever_groups() {
        let number = SafetyNumber::of(&AccountId([1; 32]));
        let shown = number.to_string();
        assert_eq!((shown.len(), shown.split(' ').count()), (35, 6));
        let typed = [
            shown.clone(),
            shown.replace(' ', ""),
            shown.replace(' ', "-"),
            format!("\t{shown}\n"),
        ];
        assert!(
            typed
                .iter()
                .all(|text| SafetyNumber::is_one(text) && number.is_typed(text))
        );
        let other = SafetyNumber::of(&AccountId([2; 32]));
        assert!(other != number && !other.is_typed(&shown));
        for text in [
            "",
            "12345",
            &shown[1..],
            "١٢٣٤٥ 12345 12345 12345 12345 12345",
        ] {
            assert!(
                !SafetyNumber::is_one(text) && !number.is_typed(text),
                "{text:?}"
            );
        }
    }
}
