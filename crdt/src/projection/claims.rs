//! Edits, deletions and reactions: claims about a message, and which of them count.
//!
//! 1. A claim by a device that no account of the roster has does not count (yet), nor does one
//!    whose author then lacked the right that it takes, or that a removal hides (`counting.rs`).
//! 2. An edit counts if its author is the message's account.
//! 3. Of the deletions the first one that counts is the one shown.
//! 4. Of the reactions of one account with one emoji to one message the latest holds. One emoji
//!    is one reaction however it is spelled; what this node's Unicode table does not have is not
//!    shown. At most [`EMOJI_PER_MESSAGE`] different ones are, the earliest.
//!
//! 5. Of all who pin a message or unpin it the latest word holds, whoever's it is: a pin is the
//!    channel's and not somebody's own. So of two who do the one and the other without knowing of
//!    each other the later has it, on every node alike.
//!
//! "First" and "latest" are by [`Position`].

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::Position;
use crate::ids::{AccountId, Place};
use crate::limits::EMOJI_PER_MESSAGE;
use crate::segment::{Entry, Setting, check_emoji};
use crate::time::Hlc;

/// What an entry claims about its target.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ClaimKind {
    /// A new text; it is in the envelope's body.
    #[n(0)]
    Edit,
    /// The end of the message; a reason may be in the envelope's body.
    #[n(1)]
    Deletion,
    /// A reaction given or taken back.
    #[n(2)]
    Reaction {
        /// The emoji as written.
        #[n(0)]
        emoji: String,
        /// Given, or taken back.
        #[n(1)]
        on: bool,
    },
    /// Pinned, or not any more.
    #[n(3)]
    Pin {
        /// Pinned, or not any more.
        #[n(0)]
        on: bool,
    },
    /// What an account sets for itself. It is about no message.
    #[n(4)]
    Setting(#[n(0)] Setting),
}

impl ClaimKind {
    /// The claim an entry makes, if it makes one.
    pub fn of(entry: &Entry) -> Option<Self> {
        match entry {
            Entry::Edit { .. } => Some(Self::Edit),
            Entry::Deletion { .. } => Some(Self::Deletion),
            Entry::Reaction { emoji, on, .. } => Some(Self::Reaction {
                emoji: emoji.clone(),
                on: *on,
            }),
            Entry::Pin { on, .. } => Some(Self::Pin { on: *on }),
            Entry::Setting(setting) => Some(Self::Setting(setting.clone())),
            Entry::Message(_) | Entry::Seen(_) | Entry::Unknown { .. } => None,
        }
    }

    /// The number by which the store keeps claims of one kind together.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Edit => 0,
            Self::Deletion => 1,
            Self::Reaction { .. } => 2,
            Self::Pin { .. } => 3,
            Self::Setting(_) => 4,
        }
    }
}

/// One claim about a message, as it is stored with the message's id.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Claim {
    /// Where the claim was written.
    #[n(0)]
    pub at: Place,
    /// When.
    #[n(1)]
    pub hlc: Hlc,
    /// What it claims.
    #[n(2)]
    pub kind: ClaimKind,
}

/// The message that claims are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// The account whose device wrote it.
    pub author: AccountId,
    /// Where it was written.
    pub place: Place,
}

/// One emoji on a message and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The emoji in its full spelling.
    pub emoji: &'static str,
    /// The accounts that give it.
    pub accounts: BTreeSet<AccountId>,
}

/// What the claims make of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Where its versions are: the original, then the edits that count, in order.
    pub versions: Vec<Place>,
    /// The deletion that counts.
    pub deleted: Option<Place>,
    /// The reactions that hold, by first use.
    pub reactions: Vec<Reaction>,
    /// The pin that holds; none on a message that is deleted.
    pub pinned: Option<Place>,
}

impl Rendered {
    /// Whether an edit counts.
    pub fn edited(&self) -> bool {
        self.versions.len() > 1
    }

    /// Where the text that is shown is: the last version.
    pub fn current(&self) -> Option<Place> {
        self.versions.last().copied()
    }
}

/// Renders a message. `whose` says whose word a claim is, if it counts.
pub(super) fn render(
    original: &Original,
    claims: &[Claim],
    whose: impl Fn(&Claim) -> Option<AccountId>,
) -> Rendered {
    let authored: BTreeMap<Position, (AccountId, &Claim)> = claims
        .iter()
        .filter_map(|claim| Some((whose(claim)?, claim)))
        .map(|(account, claim)| (Position::new(claim.hlc, claim.at), (account, claim)))
        .collect();
    let mut rendered = Rendered {
        versions: vec![original.place],
        deleted: None,
        reactions: Vec::new(),
        pinned: None,
    };
    let mut reactions = BTreeMap::new();
    for (&position, (account, claim)) in &authored {
        match &claim.kind {
            ClaimKind::Edit if *account == original.author => rendered.versions.push(claim.at),
            ClaimKind::Edit | ClaimKind::Setting(_) => {}
            ClaimKind::Deletion => rendered.deleted = rendered.deleted.or(Some(claim.at)),
            ClaimKind::Pin { on } => rendered.pinned = on.then_some(claim.at),
            ClaimKind::Reaction { emoji, on } => {
                if let Ok(emoji) = check_emoji(emoji) {
                    reactions.insert((*account, emoji), (position, *on));
                }
            }
        }
    }
    rendered.reactions = by_first_use(reactions);
    rendered.pinned = rendered.pinned.filter(|_| rendered.deleted.is_none());
    rendered
}

/// Puts the reactions that hold in the order in which their emoji was first given.
fn by_first_use(held: BTreeMap<(AccountId, &'static str), (Position, bool)>) -> Vec<Reaction> {
    let mut emoji: BTreeMap<&'static str, (Position, BTreeSet<AccountId>)> = BTreeMap::new();
    for ((account, name), (position, _)) in held.into_iter().filter(|(_, (_, on))| *on) {
        let (first, accounts) = emoji
            .entry(name)
            .or_insert_with(|| (position, BTreeSet::new()));
        *first = position.min(*first);
        accounts.insert(account);
    }
    let mut ordered: Vec<_> = emoji.into_iter().collect();
    ordered.sort_by_key(|(_, (first, _))| *first);
    ordered.truncate(EMOJI_PER_MESSAGE);
    ordered
        .into_iter()
        .map(|(emoji, (_, accounts))| Reaction { emoji, accounts })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::{decode, encode};
    use crate::ids::{DeviceId, LogId, SegmentId, Window, Writer};

    const AUTHOR: AccountId = AccountId([1; 32]);
    const FRIEND: AccountId = AccountId([2; 32]);
    const MODERATOR: AccountId = AccountId([3; 32]);

    /// Devices of account n are named n and n + 10; nobody has device 9.
    fn account_of(device: &DeviceId) -> Option<AccountId> {
        Some(AccountId([device.0[0] % 10; 32])).filter(|account| account.0[0] != 9)
    }

    fn place(device: u8, seq: u32) -> Place {
        let writer = Writer {
            device: DeviceId([device; 32]),
            incarnation: 0,
        };
        LogId {
            segment: SegmentId {
                window: Window(24),
                index: 0,
            },
            writer,
        }
        .place(seq)
    }

    fn claim(device: u8, seq: u32, kind: ClaimKind) -> Claim {
        Claim {
            at: place(device, seq),
            hlc: Hlc(u64::from(seq)),
            kind,
        }
    }

    fn reaction(device: u8, seq: u32, emoji: &str, on: bool) -> Claim {
        claim(
            device,
            seq,
            ClaimKind::Reaction {
                emoji: emoji.into(),
                on,
            },
        )
    }

    fn shown(claims: &[Claim]) -> Rendered {
        let original = Original {
            author: AUTHOR,
            place: place(1, 1),
        };
        render(&original, claims, |claim| {
            let account = account_of(&claim.at.log.writer.device)?;
            let may = account == AUTHOR || account == MODERATOR;
            (may || claim.kind != ClaimKind::Deletion).then_some(account)
        })
    }

    #[test]
    fn only_the_author_edits_from_whichever_device() {
        let edits = [(2, 2), (11, 4), (1, 3), (3, 5), (9, 6)]
            .map(|(device, seq)| claim(device, seq, ClaimKind::Edit));
        let rendered = shown(&edits);
        assert_eq!(rendered.versions, [place(1, 1), place(1, 3), place(11, 4)]);
        assert!(rendered.edited() && rendered.current() == Some(place(11, 4)));
    }

    #[test]
    fn the_author_and_moderators_delete_and_the_first_deletion_is_shown() {
        let deletions =
            [(2, 2), (1, 4), (3, 3)].map(|(device, seq)| claim(device, seq, ClaimKind::Deletion));
        assert_eq!(shown(&deletions[..1]).deleted, None);
        assert_eq!(shown(&deletions[..2]).deleted, Some(place(1, 4)));
        assert_eq!(shown(&deletions).deleted, Some(place(3, 3)));
    }

    #[test]
    fn an_accounts_latest_word_on_an_emoji_holds() {
        let given = reaction(2, 2, "❤", true);
        let taken = reaction(12, 3, "❤\u{fe0f}", false);
        let again = reaction(2, 4, "❤", true);
        let one = Reaction {
            emoji: "❤\u{fe0f}",
            accounts: BTreeSet::from([FRIEND]),
        };
        assert_eq!(
            shown(&[given.clone(), taken.clone(), again]).reactions,
            [one]
        );
        assert_eq!(shown(&[taken, given]).reactions, []);
    }

    #[test]
    fn reactions_stand_in_the_order_of_first_use_and_only_emoji_are_shown() {
        let claims = [
            reaction(2, 9, "👍", true),
            reaction(3, 5, "🎉", true),
            reaction(1, 7, "👍", true),
            reaction(1, 2, "hi", true),
            reaction(9, 1, "😀", true),
        ];
        let emoji: Vec<_> = shown(&claims)
            .reactions
            .iter()
            .map(|r| (r.emoji, r.accounts.len()))
            .collect();
        assert_eq!(emoji, [("🎉", 1), ("👍", 2)]);
    }

    #[test]
    fn at_most_so_many_emoji_are_shown() {
        let many: Vec<_> = emojis::iter()
            .take(100)
            .zip(2..)
            .map(|(emoji, seq)| reaction(2, seq, emoji.as_str(), true))
            .collect();
        let shown = shown(&many).reactions;
        assert_eq!(shown.len(), EMOJI_PER_MESSAGE);
        assert_eq!(shown[0].emoji, emojis::iter().next().unwrap().as_str());
    }

    #[test]
    fn the_latest_word_on_a_pin_holds_whoever_says_it() {
        let pin = |device, seq, on| claim(device, seq, ClaimKind::Pin { on });
        assert_eq!(shown(&[pin(2, 2, true)]).pinned, Some(place(2, 2)));
        let both = [pin(3, 5, false), pin(2, 4, true)];
        assert_eq!(shown(&both).pinned, None);
        let again = [pin(2, 6, true), pin(3, 5, false), pin(2, 4, true)];
        assert_eq!(shown(&again).pinned, Some(place(2, 6)));
        let deleted = [pin(2, 6, true), claim(1, 3, ClaimKind::Deletion)];
        assert_eq!(shown(&deleted).pinned, None);
        assert_eq!(shown(&[pin(9, 6, true)]).pinned, None, "nobody's device");
    }

    fn any_claim() -> impl Strategy<Value = Claim> {
        let kind = prop_oneof![
            Just(ClaimKind::Edit),
            Just(ClaimKind::Deletion),
            any::<bool>().prop_map(|on| ClaimKind::Pin { on }),
            (
                prop_oneof![Just("👍"), Just("❤"), Just("❤\u{fe0f}"), Just("x")],
                any::<bool>()
            )
                .prop_map(|(emoji, on)| ClaimKind::Reaction {
                    emoji: emoji.into(),
                    on
                }),
        ];
        let device = prop_oneof![1u8..4, 11u8..13, Just(9)];
        (device, 1u32..6, 0u64..4, kind).prop_map(|(device, seq, hlc, kind)| Claim {
            at: place(device, seq),
            hlc: Hlc(hlc),
            kind,
        })
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_render_alike(
            claims in proptest::collection::vec(any_claim(), 0..24),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            // One place holds one entry, so one claim.
            let claims: BTreeMap<_, _> = claims.into_iter().map(|claim| (claim.at, claim)).collect();
            let claims: Vec<_> = claims.into_values().collect();
            let mut shuffled: Vec<_> = claims.iter().rev().cloned().collect();
            if !claims.is_empty() {
                shuffled.extend(order.iter().map(|index| index.get(&claims).clone()));
                shuffled.rotate_left(order.len() % claims.len());
            }
            prop_assert_eq!(shown(&shuffled), shown(&claims));
        }

        #[test]
        fn claims_survive_the_store(claim in any_claim()) {
            prop_assert_eq!(decode::<Claim>(&encode(&claim), 512), Ok(claim));
        }
    }
}
