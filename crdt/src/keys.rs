//! The key schedule: everything that an epoch's secret `S` turns into.
//!
//! ```text
//! C[w0]       = Expand(S, "chain", epoch id)          topic key = Expand(S, "topic-key", epoch id)
//! C[w + unit] = Expand(C[w], "next", w + unit)        frame key = Expand(S, "frame-key", epoch id)
//! K[w]        = Expand(C[w], "window", w)             envelope keys: `envelope/seal.rs`
//! ```
//!
//! The chain goes forward only: whoever holds `C[w]` reads from window `w` on and nothing before.
//! Who is given which chain is decided elsewhere.
//!
//! A chain that begins later than its epoch can be told from a false one all the same. The Epoch
//! op bears a **seal** of its first [`CHAIN_WINDOWS`] windows, which runs along the chain:
//!
//! ```text
//! P[0] = 32 zero bytes     P[i + 1] = H("epoch-chain", P[i] ‖ C[w0 + i·unit])     seal = P[256]
//! ```
//!
//! Whoever holds `C` of window `i` and `P[i]` computes the rest. `P[i]` is a hash of keys that are
//! random, so it tells nothing of the windows before.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::crypto::hash;
use crate::crypto::kdf::expand_secret;
use crate::crypto::secret::Secret;
use crate::encoding::DecodeError;
use crate::ids::{ChannelId, EpochId, Window, base32};
use crate::limits::{CHAIN_STEPS_MAX, CHAIN_WINDOWS};
use crate::term::Term;

/// The secret of an epoch, held only between making the epoch and deriving its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochSecret(Secret);

impl EpochSecret {
    /// Draws a fresh secret.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// Takes 32 bytes that already are an epoch's secret.
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The id of the epoch that this secret makes in `channel`.
    pub fn id(&self, channel: &ChannelId) -> EpochId {
        let full = hash::derive("epoch-id", &[self.0.expose(), &channel.0]);
        let mut id = [0; EpochId::LEN];
        id.copy_from_slice(&full[..EpochId::LEN]);
        EpochId(id)
    }

    /// Derives the epoch's keys and ends the secret.
    pub fn into_keys(self, channel: &ChannelId, first_window: Window, term: Term) -> EpochKeys {
        let epoch = self.id(channel);
        let draw = |what| expand_secret(&self.0, what, &[&epoch.0]);
        EpochKeys {
            epoch,
            window: first_window,
            term,
            chain: draw("chain"),
            topic_key: draw("topic-key"),
            frame_key: draw("frame-key"),
            before: [0; 32],
        }
    }
}

/// What a device keeps of an epoch, and what one device grants another: the chain from some
/// window on and the keys of gossip. As CBOR it is the grant of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EpochKeys {
    /// The epoch.
    #[n(0)]
    pub epoch: EpochId,
    /// The window whose chain value is held.
    #[n(1)]
    pub window: Window,
    /// How long what is sealed in the epoch is kept; gives the length of its windows.
    #[n(2)]
    pub term: Term,
    /// `C[window]`.
    #[n(3)]
    pub chain: Secret,
    /// Names the gossip topic.
    #[n(4)]
    pub topic_key: Secret,
    /// Seals gossip frames.
    #[n(5)]
    pub frame_key: Secret,
    /// The seal of the windows before `window`: zeros where the epoch begins there.
    #[cbor(n(6), with = "minicbor::bytes", default)]
    pub before: [u8; 32],
}

/// What an Epoch op says of its keys, so that whoever is given them can tell that they are those.
/// The keys are 32 random bytes each, so nobody finds them from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeyHashes {
    /// The seal of the chain's first [`CHAIN_WINDOWS`] windows.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub chain: [u8; 32],
    /// `H("epoch-gossip", topic key ‖ frame key)`.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub gossip: [u8; 32],
}

impl EpochKeys {
    /// The hashes by which these keys, from where their epoch begins, can be told from others.
    pub fn hashes(&self) -> KeyHashes {
        self.hashes_at(0)
    }

    /// Whether these are keys of the epoch that begins at `first_window` and has these hashes. A
    /// chain that begins [`CHAIN_WINDOWS`] windows or more after it cannot be told.
    pub fn are_of(&self, first_window: Window, hashes: &KeyHashes) -> bool {
        let passed = steps(first_window, self.window, self.term.unit_hours());
        passed.is_some_and(|passed| passed < CHAIN_WINDOWS && self.hashes_at(passed) == *hashes)
    }

    /// The hashes of the epoch, of whose windows so many have been passed.
    fn hashes_at(&self, passed: u32) -> KeyHashes {
        let mut end = self.clone();
        (passed..CHAIN_WINDOWS).for_each(|_| end.step());
        KeyHashes {
            chain: end.before,
            gossip: hash::derive(
                "epoch-gossip",
                &[self.topic_key.expose(), self.frame_key.expose()],
            ),
        }
    }

    /// Goes one window on.
    fn step(&mut self) {
        self.before = hash::derive("epoch-chain", &[&self.before, self.chain.expose()]);
        self.window = Window(
            self.window
                .0
                .saturating_add(u32::from(self.term.unit_hours())),
        );
        self.chain = next(&self.chain, self.window);
    }

    /// Checks that the term is one of the protocol's and that the window is one of that term's.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] naming the field.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.term.check()?;
        if !self
            .window
            .0
            .is_multiple_of(u32::from(self.term.unit_hours()))
        {
            return Err(DecodeError::OutOfRange("window"));
        }
        Ok(())
    }

    /// The gossip topic of the epoch.
    pub fn topic(&self) -> String {
        base32(&hash::keyed(self.topic_key.expose(), &[b"kith/topic/v1"])[..16])
    }

    /// Moves the chain to a later window, after which no earlier window can be read. Tells
    /// whether the chain now begins there; it does not where the window is earlier, not on the
    /// unit, or further than [`CHAIN_STEPS_MAX`] steps.
    pub fn advance(&mut self, window: Window) -> bool {
        let steps = steps(self.window, window, self.term.unit_hours());
        let Some(steps) = steps.filter(|steps| *steps <= CHAIN_STEPS_MAX) else {
            return false;
        };
        (0..steps).for_each(|_| self.step());
        true
    }
}

/// Walks a chain from `C[from]` to `C[to]`, at most [`CHAIN_STEPS_MAX`] steps.
pub(crate) fn walk(chain: &Secret, from: Window, to: Window, unit_hours: u8) -> Option<Secret> {
    let steps = steps(from, to, unit_hours).filter(|steps| *steps <= CHAIN_STEPS_MAX)?;
    let windows = (1..=steps).map(|step| Window(from.0 + step * u32::from(unit_hours)));
    Some(windows.fold(chain.clone(), |chain, window| next(&chain, window)))
}

/// How many windows of so many hours lie between two; nothing if `to` is earlier or not on the
/// unit.
pub(crate) fn steps(from: Window, to: Window, unit_hours: u8) -> Option<u32> {
    let unit = u32::from(unit_hours);
    let hours = to.0.checked_sub(from.0)?;
    (unit > 0 && hours.is_multiple_of(unit)).then(|| hours / unit)
}

/// `C[window]` of the chain value before it.
fn next(chain: &Secret, window: Window) -> Secret {
    expand_secret(chain, "next", &[&window.0.to_be_bytes()])
}

/// `K[window]` of the chain value `C[window]`.
pub(crate) fn window_key(chain: &Secret, window: Window) -> Secret {
    expand_secret(chain, "window", &[&window.0.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: ChannelId = ChannelId([9; 32]);

    fn keys(window: u32) -> EpochKeys {
        EpochSecret::new(Secret::new([1; 32])).into_keys(&CHANNEL, Window(window), Term::FOREVER)
    }

    #[test]
    fn walking_in_two_strides_is_walking_in_one() {
        let (mut once, mut twice) = (keys(240), keys(240));
        assert!(once.advance(Window(480)));
        assert!(twice.advance(Window(312)) && twice.advance(Window(480)));
        assert_eq!(once, twice);
        assert!(!once.advance(Window(456)), "a chain does not go back");
    }

    #[test]
    fn a_walk_is_bounded_and_stays_on_the_unit() {
        let far = 240 + 24 * (CHAIN_STEPS_MAX + 1);
        assert!(!keys(240).advance(Window(far)));
        assert!(!keys(240).advance(Window(250)));
        let mut hourly = EpochKeys {
            term: Term::hours(24).unwrap(),
            ..keys(240)
        };
        assert!(hourly.advance(Window(250)));
    }

    #[test]
    fn keys_from_any_window_on_are_told_by_the_seal() {
        let (whole, first) = (keys(240), Window(240));
        let hashes = whole.hashes();
        for days in [0, 1, 7, CHAIN_WINDOWS - 1] {
            let mut later = whole.clone();
            assert!(later.advance(Window(240 + 24 * days)));
            assert!(later.are_of(first, &hashes), "{days} days on");
            assert!(!later.are_of(Window(216), &hashes));
            let other_chain = EpochKeys {
                chain: Secret::new([7; 32]),
                ..later.clone()
            };
            let other_topic = EpochKeys {
                topic_key: Secret::new([7; 32]),
                ..later.clone()
            };
            let of_another_day = EpochKeys {
                window: Window(later.window.0 + 24),
                ..later.clone()
            };
            for wrong in [other_chain, other_topic, of_another_day] {
                assert!(!wrong.are_of(first, &hashes), "{days} days on");
            }
        }
        let mut beyond = whole;
        assert!(beyond.advance(Window(240 + 24 * CHAIN_WINDOWS)));
        assert!(
            !beyond.are_of(first, &hashes),
            "the seal does not reach so far"
        );
    }

    #[test]
    fn an_epoch_belongs_to_one_channel() {
        let secret = EpochSecret::new(Secret::new([1; 32]));
        assert_ne!(secret.id(&CHANNEL), secret.id(&ChannelId([8; 32])));
        assert_ne!(keys(240).topic_key, keys(240).frame_key);
    }
}
