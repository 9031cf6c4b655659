//! The short authentication string: six digits to be typed, four pictures to be compared.

use std::fmt;

/// How many codes there are.
const CODES: u64 = 1_000_000;

/// Pictures that are told apart at a glance and have one name each: 32, five bits.
const PICTURES: [(&str, &str); 32] = [
    ("🐝", "bee"),
    ("🐢", "turtle"),
    ("🐙", "octopus"),
    ("🦋", "butterfly"),
    ("🐘", "elephant"),
    ("🦔", "hedgehog"),
    ("🐧", "penguin"),
    ("🐌", "snail"),
    ("🌵", "cactus"),
    ("🌻", "sunflower"),
    ("🍄", "mushroom"),
    ("🌈", "rainbow"),
    ("🌙", "moon"),
    ("🔥", "fire"),
    ("⛄", "snowman"),
    ("🌊", "wave"),
    ("🍋", "lemon"),
    ("🍒", "cherries"),
    ("🥕", "carrot"),
    ("🧀", "cheese"),
    ("🍩", "doughnut"),
    ("🎈", "balloon"),
    ("🎸", "guitar"),
    ("🎩", "hat"),
    ("🔑", "key"),
    ("🔔", "bell"),
    ("🚲", "bicycle"),
    ("🚀", "rocket"),
    ("⛵", "sailboat"),
    ("🏠", "house"),
    ("☂️", "umbrella"),
    ("✂️", "scissors"),
];

/// What both devices show of one exchange. Two that saw different things show the same once in a
/// million times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code {
    number: u32,
    pictures: [u8; 4],
}

impl Code {
    /// The code of a hash: the first eight bytes, big-endian, modulo a million, and the lower five
    /// bits of each of the next four.
    pub(super) fn of(transcript: &[u8; 32]) -> Self {
        let (number, rest) = transcript
            .split_first_chunk::<8>()
            .expect("a hash is longer");
        let pictures = rest.first_chunk::<4>().expect("a hash is longer");
        let number = u64::from_be_bytes(*number) % CODES;
        Self {
            number: u32::try_from(number).unwrap_or_default(),
            pictures: pictures.map(|byte| byte % 32),
        }
    }

    /// Whether a text is a code at all, in whatever groups.
    pub fn is_one(text: &str) -> bool {
        let typed = without_groups(text);
        typed.len() == 6 && typed.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether this is what somebody typed, in whatever groups.
    pub fn is_typed(&self, text: &str) -> bool {
        without_groups(text) == self.digits()
    }

    /// Its six digits.
    pub fn digits(&self) -> String {
        format!("{:06}", self.number)
    }

    /// Its four pictures, each with its name.
    pub fn pictures(&self) -> [(&'static str, &'static str); 4] {
        self.pictures.map(|at| PICTURES[usize::from(at)])
    }
}

fn without_groups(text: &str) -> String {
    let separates = |c: &char| c.is_whitespace() || *c == '-';
    text.chars().filter(|c| !separates(c)).collect()
}

/// Not in logs: whoever reads it there could confirm it.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_typed_in_whatever_groups_and_not_without_its_zeros() {
        let mut transcript = [0; 32];
        transcript[6..8].copy_from_slice(&4_711_u16.to_be_bytes());
        let code = Code::of(&transcript);
        assert_eq!(code.digits(), "004711");
        for typed in ["004711", " 004 711\n", "00-47-11"] {
            assert!(code.is_typed(typed), "{typed}");
        }
        for typed in ["4711", "004712", "", "0047110"] {
            assert!(!code.is_typed(typed), "{typed}");
        }
        assert!(Code::is_one(" 004 712") && !Code::is_one("4711") && !Code::is_one("00471x"));
    }

    #[test]
    fn every_picture_and_every_name_is_there_once() {
        let pictures: BTreeSet<&str> = PICTURES.iter().map(|(picture, _)| *picture).collect();
        let names: BTreeSet<&str> = PICTURES.iter().map(|(_, name)| *name).collect();
        assert_eq!((pictures.len(), names.len()), (32, 32));
    }
}
