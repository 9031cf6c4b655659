//! What an opened envelope says, if all of it holds together: the one judgement that decides, on
//! every node alike, between an entry that counts and one that is quarantined.

use super::entry::Entry;
use super::gate::{ChangeError, read_change};
use crate::envelope::{Header, Opened};
use crate::ids::ChannelId;
use crate::limits::TEXT_MAX_CHARS;
use crate::term::Term;

/// Why what an envelope says does not count. It is kept and passed on all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Quarantine {
    /// Its segment is kept longer or shorter than its epoch, so that it would outlive its key or
    /// be gone before it.
    #[error("its segment is not kept as long as its epoch")]
    OtherTerm,
    /// Its change does not pass the gate.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A body where there may be none, or none where there has to be one.
    #[error("its body does not go with its entry")]
    Body,
    /// The text is not UTF-8, empty, or longer than a text may be.
    #[error("its text is not UTF-8 of 1 to {TEXT_MAX_CHARS} characters")]
    Text,
}

/// An entry and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What is said.
    pub entry: Entry,
    /// The text of a message or edit, the reason of a deletion; none if it has been erased.
    pub text: Option<String>,
}

/// Reads what an envelope says out of its opened parts, in an epoch of a term. The body of an
/// entry of an unknown kind is not looked at.
///
/// # Errors
/// [`Quarantine`], for a reason that every node finds.
pub fn read(
    channel: &ChannelId,
    header: &Header,
    opened: Opened,
    term: Term,
) -> Result<Said, Quarantine> {
    if header.place.log.segment.term() != term {
        return Err(Quarantine::OtherTerm);
    }
    let actor = header.place.log.writer.actor(channel);
    let entry = read_change(&opened.change, &actor, header.place.seq)?;
    if !entry.takes_body(header.body_hash.is_some()) {
        return Err(Quarantine::Body);
    }
    let text = entry.text(opened.body).map_err(|_| Quarantine::Text)?;
    Ok(Said { entry, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::fixtures::{CHANNEL, envelope, log_id, window_key};
    use crate::ids::MessageId;
    use crate::segment::{Branch, Message};

    fn said(entry: &Entry, body: Option<&[u8]>, term: Term) -> Result<Said, Quarantine> {
        let change = Branch::new(log_id().writer.actor(&CHANNEL)).write(entry);
        let envelope = envelope(1, [0; 32], &change, body);
        let opened = envelope.open(&CHANNEL, &window_key()).unwrap();
        read(&CHANNEL, &envelope.header, opened, term)
    }

    const TARGET: MessageId = MessageId([7; 10]);

    #[test]
    fn an_entry_comes_with_the_text_that_belongs_to_it() {
        let entry = Entry::Message(Message::default());
        let expected = Said {
            entry: entry.clone(),
            text: Some("hé".into()),
        };
        assert_eq!(
            said(&entry, Some("hé".as_bytes()), Term::FOREVER),
            Ok(expected)
        );
        let deletion = Entry::Deletion { target: TARGET };
        assert_eq!(said(&deletion, None, Term::FOREVER).unwrap().text, None);
        assert_eq!(
            said(&deletion, Some(b"spam"), Term::FOREVER).unwrap().text,
            Some("spam".into())
        );
    }

    #[test]
    fn a_body_is_there_where_it_belongs_and_nowhere_else() {
        let edit = Entry::Edit { target: TARGET };
        assert_eq!(said(&edit, None, Term::FOREVER), Err(Quarantine::Body));
        assert_eq!(
            said(&Entry::Seen(vec![]), Some(b"x"), Term::FOREVER),
            Err(Quarantine::Body)
        );
        let later = Entry::Unknown {
            kind: 'q',
            entry: vec![1],
        };
        assert_eq!(
            said(&later, Some(&[0xff]), Term::FOREVER).unwrap().text,
            None
        );
    }

    #[test]
    fn a_text_is_text_of_a_bounded_length() {
        let message = Entry::Message(Message::default());
        let longest = "é".repeat(TEXT_MAX_CHARS);
        assert!(said(&message, Some(longest.as_bytes()), Term::FOREVER).is_ok());
        for body in [&b""[..], &[0xff], (longest + "e").as_bytes()] {
            assert_eq!(
                said(&message, Some(body), Term::FOREVER),
                Err(Quarantine::Text)
            );
        }
    }

    #[test]
    fn an_erased_body_leaves_the_entry() {
        let entry = Entry::Message(Message::default());
        let change = Branch::new(log_id().writer.actor(&CHANNEL)).write(&entry);
        let mut envelope = envelope(1, [0; 32], &change, Some(b"gone"));
        envelope.erase_body();
        let opened = envelope.open(&CHANNEL, &window_key()).unwrap();
        assert_eq!(
            read(&CHANNEL, &envelope.header, opened, Term::FOREVER),
            Ok(Said { entry, text: None })
        );
    }

    #[test]
    fn what_is_kept_longer_or_shorter_than_its_epoch_does_not_count() {
        let entry = Entry::Message(Message::default());
        let term = Term::hours(48).unwrap();
        assert_eq!(
            said(&entry, Some(b"noon"), term),
            Err(Quarantine::OtherTerm)
        );
    }
}
