//! What counts of what was written, by the roster.
//!
//! 1. **Everybody has the rights of the time at which they wrote.** A message is shown if its
//!    author then had the right to write; a claim counts if its author then had the right that it
//!    takes. Whoever is given another role later, or muted, said before what they said.
//! 2. What is one's own, a message or a reaction, one may always take back, whatever one's role,
//!    and also while muted: it takes away and adds nothing.
//! 3. What a removal hides (`control/roster/sanctions.rs`) is neither shown nor counted. A deletion
//!    of one's own is no exception: whether nodes have the entries that a removal hides depends on
//!    when they heard of it, so nothing shown may.

use super::against::Against;
use super::claims::{self, Claim, ClaimKind, Original, Rendered};
use crate::control::{Right, Roster};
use crate::ids::{AccountId, EpochId, Place};
use crate::segment::{ANNOUNCEMENT, Message};
use crate::time::Hlc;

/// What speaks against showing a message that an account wrote at a place and a time, sealed in an
/// epoch; nothing if it is shown.
pub fn against_message(
    roster: &Roster,
    author: &AccountId,
    (place, hlc): (&Place, Hlc),
    epoch: &EpochId,
) -> Option<Against> {
    let right = Right::Write;
    if let Some(why) = roster.unheard(author, right, hlc.millis()) {
        return Some(Against::Unheard(right, why));
    }
    let by = roster.hidden_by(author, place, epoch)?;
    Some(Against::Removed { by })
}

/// Whether a message is shown: as [`against_message`].
pub fn is_shown(
    roster: &Roster,
    author: &AccountId,
    written: (&Place, Hlc),
    epoch: &EpochId,
) -> bool {
    against_message(roster, author, written, epoch).is_none()
}

/// Whether a message of the form of an announcement is one: its author then had the right to
/// mention everybody. Otherwise it is a text like any other.
pub fn announces(roster: &Roster, author: &AccountId, message: &Message, hlc: Hlc) -> bool {
    message.form == ANNOUNCEMENT && roster.may(author, Right::MentionAll, hlc.millis())
}

/// What speaks against a claim about a message; nothing if it counts. `epoch_of` says in which
/// epoch an envelope is sealed; it is asked only about those of accounts that were removed at some
/// time.
pub fn against_claim(
    roster: &Roster,
    original: &Original,
    claim: &Claim,
    epoch_of: impl FnOnce(&Place) -> Option<EpochId>,
) -> Option<Against> {
    let Some(account) = roster.account_of(&claim.at.log.writer.device) else {
        return Some(Against::Stranger);
    };
    let term_of = |place: &Place| place.log.segment.term();
    if term_of(&claim.at) != term_of(&original.place) {
        return Some(Against::OtherTerm);
    }
    let right = match claim.kind {
        // A setting is about no message.
        ClaimKind::Setting(_) => return Some(Against::NotTheirs),
        ClaimKind::Edit if account != original.author => return Some(Against::NotTheirs),
        ClaimKind::Edit => Some(Right::Write),
        ClaimKind::Reaction { on: false, .. } => None,
        ClaimKind::Reaction { .. } => Some(Right::React),
        ClaimKind::Pin { .. } => Some(Right::Pin),
        ClaimKind::Deletion if account == original.author => None,
        ClaimKind::Deletion => Some(Right::DeleteOthers),
    };
    let unheard = |right: Right| {
        let why = roster.unheard(&account, right, claim.hlc.millis())?;
        Some(Against::Unheard(right, why))
    };
    if let Some(unheard) = right.and_then(unheard) {
        return Some(unheard);
    }
    let hidden = |epoch: &EpochId| roster.hidden_by(&account, &claim.at, epoch);
    let by = hidden(&EpochId([0; 16]))?;
    let by = epoch_of(&claim.at).map_or(Some(by), |epoch| hidden(&epoch))?;
    Some(Against::Removed { by })
}

/// Whose word a claim about a message is, if it counts. `epoch_of` as in [`against_claim`].
pub fn whose(
    roster: &Roster,
    original: &Original,
    claim: &Claim,
    epoch_of: impl FnOnce(&Place) -> Option<EpochId>,
) -> Option<AccountId> {
    match against_claim(roster, original, claim, epoch_of) {
        Some(_) => None,
        None => roster.account_of(&claim.at.log.writer.device),
    }
}

/// What the claims that count make of a message. `epoch_of` as in [`against_claim`].
pub fn render(
    roster: &Roster,
    original: &Original,
    claims: &[Claim],
    epoch_of: impl Fn(&Place) -> Option<EpochId>,
) -> Rendered {
    claims::render(original, claims, |claim| {
        whose(roster, original, claim, &epoch_of)
    })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::control::{Body, ControlLog, LastSeen, Role};
    use crate::crypto::phrase::Phrase;
    use crate::identity::{DeviceSecrets, create_account};
    use crate::ids::{LogId, SegmentId, Window, Writer};
    use crate::time::Millis;

    const THEN: Millis = Millis(1_800_000_000_000);
    const EPOCH: EpochId = EpochId([1; 16]);

    fn person(rng: &mut ChaCha20Rng, name: &str) -> DeviceSecrets {
        let phrase = Phrase::random(rng);
        create_account(&phrase, name, "phone", rng).unwrap()
    }

    /// Alice's channel, with Bob as a moderator for an hour.
    fn channel() -> (ControlLog, DeviceSecrets, DeviceSecrets) {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (alice, bob) = (person(&mut rng, "Alice"), person(&mut rng, "Bob"));
        let (mut log, _) = ControlLog::create(&alice, "tea", THEN, &mut rng).unwrap();
        let add = Body::Add {
            role: Role::Moderator,
            certificate: bob.certificate.clone(),
        };
        log.author(&alice, add, THEN).unwrap();
        let lower = Body::SetRole {
            account: bob.account,
            role: Role::Member,
        };
        log.author(&alice, lower, THEN.plus(3_600_000)).unwrap();
        (log, alice, bob)
    }

    fn place(who: &DeviceSecrets, seq: u32) -> Place {
        let writer = Writer {
            device: who.device(),
            incarnation: 1,
        };
        LogId {
            segment: SegmentId {
                window: Window(500_000 - 500_000 % 24),
                index: 0,
            },
            writer,
        }
        .place(seq)
    }

    fn claim(who: &DeviceSecrets, minutes: u64, kind: ClaimKind) -> Claim {
        Claim {
            at: place(who, 5),
            hlc: Hlc::at(THEN.plus(minutes * 60_000)),
            kind,
        }
    }

    fn reaction() -> ClaimKind {
        ClaimKind::Reaction {
            emoji: "👍".into(),
            on: true,
        }
    }

    #[test]
    fn a_claim_counts_by_the_rights_of_its_time() {
        let (log, alice, bob) = channel();
        let original = Original {
            author: alice.account,
            place: place(&alice, 1),
        };
        let by = |claim: Claim| whose(log.roster(), &original, &claim, |_| Some(EPOCH));
        let deletion = |minutes| claim(&bob, minutes, ClaimKind::Deletion);
        assert_eq!(by(deletion(30)), Some(bob.account));
        assert_eq!(by(deletion(90)), None);
        assert_eq!(by(claim(&bob, 90, reaction())), Some(bob.account));
        let own = claim(&alice, 90, ClaimKind::Deletion);
        assert_eq!(by(own), Some(alice.account));
        let edit = claim(&bob, 30, ClaimKind::Edit);
        let against = against_claim(log.roster(), &original, &edit, |_| Some(EPOCH));
        assert_eq!(against, Some(Against::NotTheirs));
    }

    #[test]
    fn what_was_claimed_after_coming_back_is_told_by_its_epoch() {
        let (mut log, alice, bob) = channel();
        let account = bob.account;
        let last_seen = LastSeen::new([]);
        let at = THEN.plus(7_200_000);
        log.author(&alice, Body::Remove { account, last_seen }, at)
            .unwrap();
        let add = Body::Add {
            role: Role::Member,
            certificate: bob.certificate.clone(),
        };
        log.author(&alice, add, at).unwrap();
        let secret = crate::keys::EpochSecret::new(crate::crypto::secret::Secret::new([1; 32]));
        let keys = secret.into_keys(
            &log.channel(),
            Hlc::at(at).window(24),
            crate::term::Term::FOREVER,
        );
        let epoch = log.roster().epoch_op(&keys);
        log.author(&alice, Body::Epoch(epoch), at).unwrap();
        let original = Original {
            author: alice.account,
            place: place(&alice, 1),
        };
        let against = |epoch| {
            let claim = claim(&bob, 180, reaction());
            against_claim(log.roster(), &original, &claim, |_| Some(epoch))
        };
        assert_eq!(against(keys.epoch), None);
        assert!(matches!(against(EPOCH), Some(Against::Removed { .. })));
    }

    #[test]
    fn one_s_own_is_taken_back_in_any_role_and_while_muted_and_not_after_a_removal() {
        let (mut log, alice, bob) = channel();
        let account = bob.account;
        let role = Role::Reader;
        log.author(&alice, Body::SetRole { account, role }, THEN)
            .unwrap();
        let until = THEN.plus(7_200_000);
        log.author(&alice, Body::Mute { account, until }, THEN)
            .unwrap();
        let original = Original {
            author: bob.account,
            place: place(&bob, 1),
        };
        let against = |log: &ControlLog, kind| {
            let claim = claim(&bob, 90, kind);
            against_claim(log.roster(), &original, &claim, |_| Some(EPOCH))
        };
        assert!(against(&log, reaction()).is_some(), "it adds something");
        assert!(against(&log, ClaimKind::Edit).is_some(), "so does it");
        assert_eq!(against(&log, ClaimKind::Deletion), None);
        let taken_back = || ClaimKind::Reaction {
            emoji: "👍".into(),
            on: false,
        };
        assert_eq!(against(&log, taken_back()), None);
        let last_seen = LastSeen::new([(place(&bob, 1).log, 4)]);
        let remove = Body::Remove { account, last_seen };
        let by = log
            .author(&alice, remove, THEN.plus(8_000_000))
            .unwrap()
            .id();
        let hidden = Some(Against::Removed { by });
        assert_eq!(against(&log, ClaimKind::Deletion), hidden);
        assert_eq!(against(&log, taken_back()), hidden);
    }

    #[test]
    fn what_a_removal_hides_counts_nowhere() {
        let (mut log, alice, bob) = channel();
        let remove = Body::Remove {
            account: bob.account,
            last_seen: LastSeen::new([(place(&bob, 1).log, 4)]),
        };
        log.author(&alice, remove, THEN.plus(7_200_000)).unwrap();
        let roster = log.roster();
        let original = Original {
            author: alice.account,
            place: place(&alice, 1),
        };
        let hidden = claim(&bob, 30, reaction());
        let seen = Claim {
            at: place(&bob, 4),
            ..hidden.clone()
        };
        assert_eq!(whose(roster, &original, &hidden, |_| Some(EPOCH)), None);
        assert_eq!(
            whose(roster, &original, &seen, |_| Some(EPOCH)),
            Some(bob.account)
        );
        let shown = |seq| {
            is_shown(
                roster,
                &bob.account,
                (&place(&bob, seq), Hlc::at(THEN)),
                &EPOCH,
            )
        };
        assert_eq!([4, 5].map(shown), [true, false]);
    }

    #[test]
    fn a_log_counts_without_a_look_into_it_if_nothing_was_done_about_its_author_that_day() {
        let (mut log, alice, bob) = channel();
        let on = |day: u32, seq| {
            let mut place = place(&bob, seq);
            let today = Hlc::at(THEN).window(24).0;
            place.log.segment.window = Window(today + 24 * day - 24);
            place
        };
        let counts = |log: &ControlLog| {
            let days = [0, 1, 2, 3].map(|day| {
                let roster = log.roster();
                roster.counts_up_to(&bob.account, Right::Write, &on(day, 4))
            });
            days.map(u8::from)
        };
        assert_eq!(counts(&log), [1, 1, 1, 1]);
        let account = bob.account;
        let until = THEN.plus(7_200_000);
        log.author(&alice, Body::Mute { account, until }, THEN)
            .unwrap();
        assert_eq!(counts(&log), [1, 0, 1, 1], "the day of the mute");
        let last_seen = LastSeen::new([(on(0, 1).log, 3), (on(1, 1).log, 4), (on(2, 1).log, 9)]);
        let remove = Body::Remove { account, last_seen };
        log.author(&alice, remove, THEN.plus(8_000_000)).unwrap();
        assert_eq!(counts(&log), [0, 0, 1, 0], "what the remover had");
        let everybody = log.roster();
        assert!(everybody.counts_up_to(&alice.account, Right::Write, &on(3, 4)));
        let nobody = AccountId([0; 32]);
        assert!(!everybody.counts_up_to(&nobody, Right::Write, &on(1, 1)));
    }

    #[test]
    fn a_log_of_a_day_on_which_a_right_or_a_role_changed_is_looked_into() {
        let (mut log, alice, bob) = channel();
        let counts = |log: &ControlLog, right| {
            let roster = log.roster();
            let mut day = place(&bob, 1);
            day.log.segment.window = Hlc::at(THEN).window(24);
            roster.counts_up_to(&bob.account, right, &day)
        };
        assert!(counts(&log, Right::Write));
        assert!(!counts(&log, Right::DeleteOthers), "not all day");
        let right = Right::Write;
        let least = Role::Admin;
        let policy = Body::Policy(crate::control::Policy::Right { right, least });
        log.author(&alice, policy, THEN.plus(9_000_000)).unwrap();
        assert!(!counts(&log, Right::Write), "not all day");
    }
}
