//! What has become of a message: the claims about it out of the store, weighed by the roster. The
//! engine asks before it lets somebody do something to a message, the readers when they show it,
//! and both get the same answer.

use kith_crdt::control::Roster;
use kith_crdt::encoding;
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, EpochId, MessageId, Place};
use kith_crdt::projection::{self, Claim, Original, Rendered};
use kith_store::View;

/// Bytes of a stored claim.
const CLAIM_MAX: usize = 1_024;

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

/// The epoch that what stands at a place is sealed in.
pub(crate) fn epoch_of(view: &View<'_>, channel: &ChannelId, place: &Place) -> Option<EpochId> {
    envelope(view, channel, *place).map(|envelope| envelope.header.epoch)
}

/// The envelope at a place.
pub(crate) fn envelope(view: &View<'_>, channel: &ChannelId, place: Place) -> Option<Envelope> {
    let stored = view.envelope(channel, &place)?;
    Envelope::from_stored(&stored, channel, place).ok()
}
