//! Sizes on a disk, as people type and read them.

use std::fmt;
use std::str::FromStr;

/// The units, by powers of 1000 and of 1024. What is shown is shown by the first.
const DECIMAL: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
const BINARY: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];

/// So many bytes. As text a number and a unit: `500MB`, `1.5 GB`, `64KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

/// Says why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseSizeError {
    /// It is no number with a unit.
    #[error("write a number and a unit, such as 100KB, 500MB or 2GB")]
    Unknown,
    /// It is less than a byte.
    #[error("a size is at least 1B: write it like 100KB, 500MB or 2GB, or none for no quota")]
    Nothing,
    /// It is more than can be counted.
    #[error("a size is at most 9000000TB: write it like 100KB, 500MB or 2GB")]
    TooLarge,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unit = 0;
        let mut in_unit = 1_u64;
        // What would be shown as 1000 of a unit is 1 of the next.
        while unit + 1 < DECIMAL.len() && self.0 >= in_unit * 1_000 - in_unit / 20 {
            unit += 1;
            in_unit *= 1_000;
        }
        let name = DECIMAL[unit];
        let tenths = (u128::from(self.0) * 10 + u128::from(in_unit) / 2) / u128::from(in_unit);
        let text = match (unit, tenths % 10) {
            (0, _) | (_, 0) => format!("{} {name}", tenths / 10),
            (_, tenth) => format!("{}.{tenth} {name}", tenths / 10),
        };
        f.pad(&text)
    }
}

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let factor = factor(unit.trim()).ok_or(ParseSizeError::Unknown)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || part.len() > 9 {
            return Err(ParseSizeError::Unknown);
        }
        let scale = 10_u128.pow(part.len().try_into().unwrap_or(u32::MAX));
        let bytes = whole
            .parse::<u128>()
            .ok()
            .and_then(|whole| whole.checked_mul(scale)?.checked_add(part.parse().ok()?))
            .and_then(|number| number.checked_mul(factor))
            .map(|bytes| bytes / scale)
            .filter(|bytes| *bytes <= MOST)
            .ok_or(ParseSizeError::TooLarge)?;
        match u64::try_from(bytes) {
            Ok(0) => Err(ParseSizeError::Nothing),
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(ParseSizeError::TooLarge),
        }
    }
}

/// The largest size: JSON readers take larger numbers for something else.
const MOST: u128 = 9_000_000_000_000_000_000;

/// How many bytes a unit is, in whatever case it is written.
fn factor(unit: &str) -> Option<u128> {
    let of = |names: &[&str], base: u128, first: u32| {
        let at = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(unit))?;
        Some(base.pow(first + u32::try_from(at).ok()?))
    };
    of(&DECIMAL, 1_000, 0).or_else(|| of(&BINARY, 1_024, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_in_the_units_people_know() {
        for (text, bytes) in [
            ("1B", 1),
            ("100KB", 100_000),
            ("100kb", 100_000),
            ("500MB", 500_000_000),
            ("500 MB", 500_000_000),
            ("2GB", 2_000_000_000),
            ("1.5GB", 1_500_000_000),
            ("64KiB", 65_536),
            ("1GiB", 1 << 30),
            ("3TB", 3_000_000_000_000),
            ("9000000TB", 9_000_000_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_none_says_what_one_looks_like() {
        use ParseSizeError::{Nothing, TooLarge, Unknown};
        for (text, why) in [
            ("", Unknown),
            ("MB", Unknown),
            ("500", Unknown),
            ("-5MB", Unknown),
            ("+5MB", Unknown),
            ("5.MB", Unknown),
            (".5MB", Unknown),
            ("1.2.3MB", Unknown),
            ("1e9B", Unknown),
            ("5XB", Unknown),
            ("lots", Unknown),
            ("0MB", Nothing),
            ("0.0000001KB", Nothing),
            ("9000001TB", TooLarge),
            ("99999999999999999999999999999999999999999999TB", TooLarge),
        ] {
            let read = text.parse::<Size>();
            assert_eq!(read, Err(why), "{text}");
            let said = read.unwrap_err().to_string();
            assert!(said.contains("500MB"), "{said}");
        }
    }

    #[test]
    fn a_size_is_shown_in_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (949, "949 B"),
            (999, "999 B"),
            (1_000, "1 KB"),
            (1_550, "1.6 KB"),
            (999_949, "999.9 KB"),
            (999_950, "1 MB"),
            (12_345_678, "12.3 MB"),
            (2_000_000_000, "2 GB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
