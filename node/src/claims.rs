//! What has become of a message: the claims about it out of the store, weighed by the roster. The
//! engine asks before it lets somebody do something to a message, the readers when they show it,
//! and both get the same answer.

use std::collections::BTreeSet;

use kith_crdt::control::Roster;
use kith_crdt::encoding;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{AccountId, ChannelId, EpochId, MessageId, Place};
use kith_crdt::keyring::Keyring;
use kith_crdt::limits::{PIN_ENTRIES, PINS_PER_CHANNEL};
use kith_crdt::projection::{self, Claim, ClaimKind, Original, Position, Rendered};
use kith_crdt::segment::{Entry, read_change};
use kith_crdt::time::Millis;
use kith_store::View;

use crate::engine::Places;
use crate::fate::Fates;

/// Bytes of a stored claim.
const CLAIM_MAX: usize = 1_024;

/// Where settings are filed, which are about no message.
pub(crate) const SETTINGS: MessageId = MessageId([0; 10]);

/// The claim that an entry makes, if it makes one, and what it is filed under.
pub(crate) fn filed(entry: &Entry) -> Option<(MessageId, ClaimKind)> {
    let target = match entry {
        Entry::Setting(_) => SETTINGS,
        other => other.target()?,
    };
    Some((target, ClaimKind::of(entry)?))
}

/// The claims about a message, whether they count or not.
pub(crate) fn about(view: &View<'_>, channel: &ChannelId, message: &MessageId) -> Vec<Claim> {
    read(&view.claims(channel, message))
}

/// Reads claims as they are stored.
pub(crate) fn read(stored: &[Vec<u8>]) -> Vec<Claim> {
    let claim = |bytes: &Vec<u8>| encoding::decode(bytes, CLAIM_MAX).ok();
    stored.iter().filter_map(claim).collect()
}

/// What the claims that count make of a message.
pub(crate) fn render(
    view: &View<'_>,
    (channel, roster): (&ChannelId, &Roster),
    original: &Original,
    claims: &[Claim],
) -> Rendered {
    projection::render(roster, original, claims, |at| epoch_of(view, channel, at))
}

/// Leaves the reactions of those out whom this account has blocked.
pub(crate) fn silence(mut rendered: Rendered, blocked: &BTreeSet<AccountId>) -> Rendered {
    for reaction in &mut rendered.reactions {
        reaction
            .accounts
            .retain(|account| !blocked.contains(account));
    }
    rendered
        .reactions
        .retain(|reaction| !reaction.accounts.is_empty());
    rendered
}

/// The messages of a channel that are pinned and there by `now`, those pinned first first, at most
/// [`PINS_PER_CHANNEL`]. `pins` are the entries that pin and unpin.
pub(crate) fn pinned(
    view: &View<'_>,
    (channel, roster, keys): (&ChannelId, &Roster, &Keyring),
    pins: &Places,
    now: Millis,
) -> Vec<Place> {
    let fates = Fates::new(view, (channel, roster), now);
    let is_there = |place: &Place| fates.at(keys, place).is_some_and(|fate| !fate.is_over());
    let entries = pins.iter().rev();
    let entries = entries.flat_map(|(log, seqs)| seqs.iter().map(|seq| log.place(seq)));
    let targets: BTreeSet<MessageId> = entries
        .take(PIN_ENTRIES)
        .filter_map(|at| entry_at(view, (channel, keys), at)?.target())
        .collect();
    let mut pinned: Vec<(Position, Place)> = targets
        .iter()
        .filter_map(|target| {
            let (of, place) = view.message(target)?;
            let author = roster.account_of(&place.log.writer.device)?;
            let message = envelope(view, channel, place).filter(|_| of == *channel)?;
            let written = (&place, message.header.hlc);
            let shown = projection::is_shown(roster, &author, written, &message.header.epoch);
            let original = Original { author, place };
            let about = about(view, channel, target);
            let rendered = render(view, (channel, roster), &original, &about);
            let at = rendered.pinned.filter(|_| shown)?;
            let pin = about.iter().find(|claim| claim.at == at)?;
            is_there(&place).then_some((Position::new(pin.hlc, at), place))
        })
        .collect();
    pinned.sort_unstable();
    pinned.truncate(PINS_PER_CHANNEL);
    pinned.into_iter().map(|(_, place)| place).collect()
}

/// The entry at a place, if it can be opened.
pub(crate) fn entry_at(
    view: &View<'_>,
    (channel, keys): (&ChannelId, &Keyring),
    at: Place,
) -> Option<Entry> {
    let envelope = envelope(view, channel, at)?;
    let key = keys.window_key(&envelope.header.epoch, at.log.segment.window)?;
    let change = envelope.open_change(channel, &key).ok()?;
    read_change(&change, &at.log.writer.actor(channel), at.seq).ok()
}

/// The epoch that what stands at a place is sealed in.
pub(crate) fn epoch_of(view: &View<'_>, channel: &ChannelId, place: &Place) -> Option<EpochId> {
    envelope(view, channel, *place).map(|envelope| envelope.header.epoch)
}

/// The envelope at a place.
pub(crate) fn envelope(view: &View<'_>, channel: &ChannelId, place: Place) -> Option<Envelope> {
    let stored = view.envelope(channel, &place)?;
    Envelope::from_stored(&stored, channel, place).ok()
}
