//! The recovery phrase: 24 English words (BIP-39) that stand for the recovery key.
//!
//! Shown once, written down on paper, never stored. BIP-39's own seed derivation is not used:
//! the key comes from the entropy itself, under a context of ours.

use bip39::{Language, Mnemonic};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::hash;
use super::secret::Secret;
use super::sign::SecretKey;

/// Words in a phrase.
pub const PHRASE_WORDS: usize = 24;

/// Why a text is not a recovery phrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Another number of words.
    #[error("a recovery phrase has {PHRASE_WORDS} words, this has {0}: copy all of it, in order")]
    WordCount(usize),
    /// A word that is not in the list. The word itself is not repeated: it may be a secret.
    #[error("word {0} is not in the list of recovery words: check its spelling")]
    UnknownWord(usize),
    /// Every word is known, but they do not belong together.
    #[error("the words do not belong together: one of them is wrong or two are swapped")]
    Checksum,
}

/// A recovery phrase: 256 bits of entropy, redacted in `Debug`, zeroized when dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase(Secret);

impl Phrase {
    /// Draws a fresh phrase.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Reads a phrase as people type it: any case, any white space between the words.
    ///
    /// # Errors
    /// [`PhraseError`], which counts words from 1.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let typed = Zeroizing::new(text.to_lowercase());
        let count = typed.split_whitespace().count();
        if count != PHRASE_WORDS {
            return Err(PhraseError::WordCount(count));
        }
        let mut mnemonic = Mnemonic::parse_in_normalized(Language::English, &typed).map_err(
            |error| match error {
                bip39::Error::UnknownWord(index) => PhraseError::UnknownWord(index + 1),
                _ => PhraseError::Checksum,
            },
        )?;
        let (mut padded, _) = mnemonic.to_entropy_array();
        let mut entropy = [0; 32];
        entropy.copy_from_slice(&padded[..32]);
        let phrase = Self(Secret::new(entropy));
        entropy.zeroize();
        padded.zeroize();
        mnemonic.zeroize();
        Ok(phrase)
    }

    /// The words, separated by single spaces, to be shown once.
    ///
    /// # Panics
    /// Never: 256 bits are a length that BIP-39 knows.
    pub fn words(&self) -> Zeroizing<String> {
        let mut mnemonic = Mnemonic::from_entropy_in(Language::English, self.0.expose())
            .expect("256 bits of entropy make 24 words");
        let words = Zeroizing::new(mnemonic.to_string());
        mnemonic.zeroize();
        words
    }

    /// The recovery key that the phrase stands for; its public half is the account id.
    pub fn recovery_key(&self) -> SecretKey {
        SecretKey::from_seed(&Secret::new(hash::derive(
            "recovery-key",
            &[self.0.expose()],
        )))
    }
}

/// Where a phrase was copied wrongly, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// This word is another one.
    Word(usize),
    /// These two have changed places.
    Swapped(usize, usize),
}

/// Finds the one slip by which a text differs from the phrase that is meant, if one word is wrong
/// or two have changed places. The checksum leaves about one candidate in 256, of which `is_meant`
/// tells the right one, by the account that it stands for. Words that are in no list count as
/// wrong ones.
pub fn find_slip(text: &str, is_meant: impl Fn(&Phrase) -> bool) -> Option<Slip> {
    let typed = Zeroizing::new(text.to_lowercase());
    let list = Language::English.word_list();
    let number = |word: &str| list.iter().position(|known| *known == word);
    let words: Zeroizing<Vec<u16>> = Zeroizing::new(
        typed
            .split_whitespace()
            // One that nobody knows may be any: the first is as good as another.
            .map(|word| number(word).and_then(|number| u16::try_from(number).ok()))
            .map(Option::unwrap_or_default)
            .collect(),
    );
    if words.len() != PHRASE_WORDS {
        return None;
    }
    let is_known = |word: &str| number(word).is_some();
    let all_known = typed.split_whitespace().all(is_known);
    let holds = |words: &[u16]| from_numbers(words).is_some_and(|phrase| is_meant(&phrase));
    let swaps = (0..PHRASE_WORDS).flat_map(|a| (a + 1..PHRASE_WORDS).map(move |b| (a, b)));
    for (a, b) in swaps.filter(|(a, b)| all_known && words[*a] != words[*b]) {
        let mut tried = words.clone();
        tried.swap(a, b);
        if holds(&tried) {
            return Some(Slip::Swapped(a + 1, b + 1));
        }
    }
    for at in 0..PHRASE_WORDS {
        let mut tried = words.clone();
        for number in 0..2_048 {
            tried[at] = number;
            if holds(&tried) {
                return Some(Slip::Word(at + 1));
            }
        }
    }
    None
}

/// The phrase of the words with these numbers, 11 bits each, if their checksum holds.
fn from_numbers(words: &[u16]) -> Option<Phrase> {
    let mut bits = Zeroizing::new([0_u8; 33]);
    for (at, word) in words.iter().enumerate() {
        for bit in 0..11 {
            if word & (1 << (10 - bit)) != 0 {
                let place = at * 11 + bit;
                bits[place / 8] |= 1 << (7 - place % 8);
            }
        }
    }
    let mut entropy = [0; 32];
    entropy.copy_from_slice(&bits[..32]);
    let mut made = Mnemonic::from_entropy_in(Language::English, &entropy).ok()?;
    let last = made.word_indices().last();
    let holds = last == words.last().map(|word| usize::from(*word));
    made.zeroize();
    let phrase = holds.then(|| Phrase(Secret::new(entropy)));
    entropy.zeroize();
    phrase
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase() -> Phrase {
        Phrase(Secret::new([0x5a; 32]))
    }

    #[test]
    fn a_phrase_survives_paper_and_careless_typing() {
        let words = phrase().words();
        assert_eq!(words.split(' ').count(), PHRASE_WORDS);
        assert_eq!(Phrase::parse(&words), Ok(phrase()));
        let careless = format!("  {}\n", words.to_uppercase().replace(' ', "\n  "));
        assert_eq!(Phrase::parse(&careless), Ok(phrase()));
    }

    #[test]
    fn one_slip_is_found_by_what_the_phrase_stands_for() {
        let meant = phrase().recovery_key().public();
        let is_meant = |phrase: &Phrase| phrase.recovery_key().public() == meant;
        let words = phrase().words();
        let list: Vec<&str> = words.split(' ').collect();
        let slip = |change: &dyn Fn(&mut Vec<&str>)| {
            let mut list = list.clone();
            change(&mut list);
            find_slip(&list.join(" "), is_meant)
        };
        assert_eq!(slip(&|list| list[16] = "zoo"), Some(Slip::Word(17)));
        assert_eq!(slip(&|list| list[23] = "kith"), Some(Slip::Word(24)));
        assert_eq!(slip(&|list| list[2] = "kith"), Some(Slip::Word(3)));
        let other = (1..24).find(|at| list[*at] != list[0]).unwrap();
        let swapped = Some(Slip::Swapped(1, other + 1));
        assert_eq!(slip(&|list| list.swap(0, other)), swapped);
        assert_eq!(slip(&|list| (list[3], list[9]) = ("zoo", "zoo")), None);
        let short = |list: &mut Vec<&str>| list.truncate(23);
        assert_eq!(slip(&short), None);
    }

    #[test]
    fn the_position_of_an_unknown_word_is_named_from_one() {
        let words = phrase().words();
        let mut list: Vec<&str> = words.split(' ').collect();
        list[6] = "kith";
        assert_eq!(
            Phrase::parse(&list.join(" ")),
            Err(PhraseError::UnknownWord(7))
        );
        list.pop();
        assert_eq!(
            Phrase::parse(&list.join(" ")),
            Err(PhraseError::WordCount(23))
        );
    }

    #[test]
    fn two_swapped_words_are_noticed() {
        let words = Phrase(Secret::new([0x13; 32])).words();
        let mut list: Vec<&str> = words.split(' ').collect();
        list.swap(0, 1);
        assert_ne!(list[0], list[1]);
        assert_eq!(Phrase::parse(&list.join(" ")), Err(PhraseError::Checksum));
    }

    #[test]
    fn a_phrase_does_not_show_itself() {
        assert!(!format!("{:?}", phrase()).contains(phrase().words().split(' ').next().unwrap()));
    }
}
