//! Taking messages out of their envelopes, before anything that others did to them.

use kith_crdt::crypto::secret::Secret;
use kith_crdt::envelope::{Envelope, Opened};
use kith_crdt::ids::{AccountId, EpochId, MessageId, Place, Window};
use kith_crdt::limits::TEXT_MAX_CHARS;
use kith_crdt::projection::Original;
use kith_crdt::segment::{Entry, Message as Said, read_change};
use kith_crdt::time::Hlc;

use super::Reading;
use crate::claims;
use crate::engine::ChannelView;

/// A message taken out of its envelope, before anything that others did to it.
pub(super) struct Found {
    pub(super) id: MessageId,
    pub(super) place: Place,
    pub(super) hlc: Hlc,
    pub(super) epoch: EpochId,
    pub(super) author: AccountId,
    pub(super) said: Said,
    /// None where it is no text within bounds, or erased.
    pub(super) text: Option<String>,
}

impl Found {
    /// The message that claims are about.
    pub(super) const fn original(&self) -> Original {
        Original {
            author: self.author,
            place: self.place,
        }
    }
}

/// Opens envelopes of one channel. Neighbours in a page are mostly of one window, so the key of
/// the last one is kept.
pub(super) struct Opener<'c> {
    channel: &'c ChannelView,
    last: Option<(EpochId, Window, Secret)>,
}

impl<'c> Opener<'c> {
    /// An opener that has no key at hand yet.
    pub(super) const fn new(channel: &'c ChannelView) -> Self {
        Self {
            channel,
            last: None,
        }
    }

    /// Both parts of an envelope; none where its key is not here or it does not open.
    fn open(&mut self, envelope: &Envelope) -> Option<Opened> {
        let (epoch, window) = (envelope.header.epoch, envelope.place().log.segment.window);
        if !matches!(&self.last, Some((e, w, _)) if (*e, *w) == (epoch, window)) {
            let key = self.channel.keys.window_key(&epoch, window)?;
            self.last = Some((epoch, window, key));
        }
        let (_, _, key) = self.last.as_ref()?;
        envelope.open(&self.channel.id, key).ok()
    }
}

impl Reading<'_> {
    /// The envelope at a place.
    pub(super) fn envelope(&self, channel: &ChannelView, place: Place) -> Option<Envelope> {
        claims::envelope(&self.view, &channel.id, place)
    }

    /// The message at a place; none if it cannot be opened or is none.
    pub(super) fn find(&self, channel: &ChannelView, place: Place) -> Option<Found> {
        let stored = self.view.envelope(&channel.id, &place)?;
        open(&mut Opener::new(channel), place, &stored)
    }
}

/// Takes a message out of its envelope; none if the envelope does not open or says something else.
pub(super) fn open(opener: &mut Opener<'_>, place: Place, stored: &[u8]) -> Option<Found> {
    let channel = opener.channel;
    let envelope = Envelope::from_stored(stored, &channel.id, place).ok()?;
    let opened = opener.open(&envelope)?;
    let actor = place.log.writer.actor(&channel.id);
    let Entry::Message(said) = read_change(&opened.change, &actor, place.seq).ok()? else {
        return None;
    };
    let author = channel.roster.account_of(&place.log.writer.device)?;
    Some(Found {
        id: place.message_id(&channel.id),
        place,
        hlc: envelope.header.hlc,
        epoch: envelope.header.epoch,
        author,
        said,
        text: opened.body.and_then(text_within_bounds),
    })
}

/// The text in an envelope's body; none where it cannot be opened or is no text within bounds.
pub(super) fn text_of(channel: &ChannelView, envelope: &Envelope) -> Option<String> {
    text_within_bounds(Opener::new(channel).open(envelope)?.body?)
}

fn text_within_bounds(body: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(body).ok()?;
    // No text has more characters than bytes.
    let fits = text.len() <= TEXT_MAX_CHARS || text.chars().count() <= TEXT_MAX_CHARS;
    fits.then_some(text)
}
