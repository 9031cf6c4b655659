//! ISO/IEC 7816-4 padding to Padmé size classes (PURBs, 2019, §4): a ciphertext tells the size of
//! what is in it to within an eighth, and everything up to 31 bytes looks the same.

/// The smallest padded size in bytes.
const FLOOR: usize = 32;

/// The padded size of a plaintext of `len` bytes.
pub fn padded_len(len: usize) -> usize {
    let len = (len + 1).max(FLOOR);
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - kept)) - 1;
    (len + mask) & !mask
}

/// Pads a plaintext: 0x80, then zeros up to its class.
pub(crate) fn pad(plain: &[u8]) -> Vec<u8> {
    let mut padded = Vec::with_capacity(padded_len(plain.len()));
    padded.extend_from_slice(plain);
    padded.push(0x80);
    padded.resize(padded_len(plain.len()), 0);
    padded
}

/// Takes the padding off; none if it is not exactly what [`pad`] puts on.
pub(crate) fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let total = padded.len();
    let len = padded.iter().rposition(|&byte| byte != 0)?;
    (padded[len] == 0x80 && padded_len(len) == total).then(|| {
        padded.truncate(len);
        padded
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn padding_comes_off_and_wastes_at_most_an_eighth(plain in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let padded = pad(&plain);
            prop_assert!(padded.len() <= (plain.len() + 1).max(32) * 9 / 8);
            prop_assert_eq!(unpad(padded), Some(plain));
        }

        #[test]
        fn a_class_is_its_own_size_and_classes_are_few(len in 0usize..70_000) {
            let class = padded_len(len);
            prop_assert_eq!(padded_len(class - 1), class);
            let classes = (0..=70_000).map(padded_len).collect::<std::collections::BTreeSet<_>>();
            prop_assert!(classes.len() < 160);
        }
    }

    #[test]
    fn sizes_are_those_of_the_paper() {
        assert_eq!(
            [0, 31, 32, 64, 99, 1_000].map(padded_len),
            [32, 32, 36, 72, 104, 1_024]
        );
    }

    #[test]
    fn anything_else_is_not_padding() {
        assert_eq!(unpad(vec![]), None);
        assert_eq!(unpad(vec![0; 32]), None);
        assert_eq!(unpad([pad(b"a"), vec![0; 4]].concat()), None);
        assert_eq!(unpad(vec![1; 32]), None);
    }
}
