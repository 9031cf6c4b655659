//! `kith account`.

use std::io::{self, IsTerminal, Read};

use clap::Subcommand;
use kith_api::id::AccountId;
use kith_api::{ApiError, ErrorCode};
use kith_crdt::crypto::phrase::{PHRASE_WORDS, Phrase, PhraseError, Slip, find_slip};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::output::look::Look;
use crate::output::{Output, Show};
use crate::verbs::recover::RecoverArgs;
use crate::verbs::{Outcome, Session};

/// Bytes of a phrase that is typed or piped in: 24 words have fewer.
const PHRASE_BYTES_MAX: usize = 4_096;

/// Shows the account, or checks that its phrase was written down rightly.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountVerb {
    /// Show the account of this home and its devices
    Show,
    /// Bring the account back with its 24 words, on a device that has no home yet. Every device
    /// that it had is cut off; its channels come back from their members
    Recover(RecoverArgs),
    /// Check the 24 words that were shown when the account was made
    #[command(subcommand)]
    Phrase(PhraseVerb),
}

/// What to do with the phrase.
#[derive(Debug, Subcommand)]
pub(crate) enum PhraseVerb {
    /// Type the words from your paper, unseen: says whether they are this account's, and which one
    /// is wrong. They go no further than this command; from a pipe they are read as they come
    Verify,
}

/// The answer to words that are right.
#[derive(Serialize)]
struct Verified {
    account: AccountId,
    verified: bool,
}

impl Show for Verified {
    fn show(&self, _: &Look, out: &mut String) {
        out.push_str("These 24 words are this account's. Put the paper back.\n");
    }
}

impl Session {
    /// Does what the verb says.
    pub(crate) async fn account(&self, verb: &AccountVerb) -> Outcome {
        match verb {
            AccountVerb::Show => self.output.put(&self.client.account().await?),
            AccountVerb::Recover(_) => unreachable!("this does not ask a daemon"),
            AccountVerb::Phrase(PhraseVerb::Verify) => {
                let account = self.client.status().await?.account;
                verify(account, &typed()?, &self.output)
            }
        }
    }
}

/// The words, as somebody types them unseen or a program hands them over.
pub(super) fn typed() -> Result<Zeroizing<String>, ApiError> {
    let mut text = Zeroizing::new(String::with_capacity(PHRASE_BYTES_MAX));
    if !io::stdin().is_terminal() {
        let most = u64::try_from(PHRASE_BYTES_MAX).unwrap_or(u64::MAX);
        let read = io::stdin().lock().take(most).read_to_string(&mut text);
        read.map_err(|error| ApiError::usage(format_args!("the words cannot be read: {error}")))?;
        return Ok(without_numbers(&text));
    }
    // As they stand on the paper: some in a line, until there are enough.
    let mut prompt = format!("The {PHRASE_WORDS} words, in as many lines as you like: ");
    loop {
        let line = rpassword::prompt_password(&prompt).map(Zeroizing::new);
        let line = line.map_err(|error| ApiError::usage(format_args!("cannot ask: {error}")))?;
        if line.trim().is_empty() {
            return Ok(text);
        }
        text.push_str(&without_numbers(&line));
        text.push(' ');
        let words = text.split_whitespace().count();
        if words >= PHRASE_WORDS {
            return Ok(text);
        }
        prompt = format!("{} more: ", PHRASE_WORDS - words);
    }
}

/// The words without the numbers that `kith init` prints before each line.
fn without_numbers(text: &str) -> Zeroizing<String> {
    let mut words = Zeroizing::new(String::with_capacity(text.len()));
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    for word in text.split_whitespace().filter(|word| !is_number(word)) {
        words.push_str(word);
        words.push(' ');
    }
    words
}

fn verify(account: AccountId, text: &str, output: &Output) -> Outcome {
    let is_meant = |phrase: &Phrase| phrase.recovery_key().public() == account.0.0;
    let parsed = Phrase::parse(text);
    if parsed.as_ref().is_ok_and(is_meant) {
        return output.put(&Verified {
            account,
            verified: true,
        });
    }
    if let Err(error @ PhraseError::WordCount(_)) = parsed {
        return Err(ApiError::usage(error));
    }
    let told = match (find_slip(text, is_meant), parsed) {
        (Some(Slip::Word(at)), _) => {
            format!("word {at} is not this account's, the others are: compare it with your paper")
        }
        (Some(Slip::Swapped(a, b)), _) => format!("words {a} and {b} have changed places"),
        (None, Ok(_)) => "these are the words of another account".to_owned(),
        (None, Err(PhraseError::UnknownWord(at))) => {
            format!("word {at} is in no list of words, and it is not the only one that is wrong")
        }
        (None, Err(_)) => "more than one word is wrong, or they are another account's".to_owned(),
    };
    Err(ApiError::new(ErrorCode::Denied, told))
}
