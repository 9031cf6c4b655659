//! `kith contact …`: what this account calls others, and whom it does not want to hear.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use clap::Subcommand;
use kith_api::ApiError;
use kith_api::contact::UpdateContact;

use crate::args::reference;
use crate::verbs::{Outcome, Session};

/// Bytes that are read of a number.
const TYPED_MAX: u64 = 256;

/// What to do about people. It is on all of your devices, and nobody else learns of it.
#[derive(Debug, Subcommand)]
pub(crate) enum ContactVerb {
    /// List whom you share a channel with, what you call them and whom you have blocked
    List,
    /// Give somebody a name, by which they are shown to you everywhere
    Name {
        /// The name they have here now, or a prefix of their account's id
        #[arg(value_parser = reference())]
        account: String,
        /// What to call them
        #[arg(value_parser = reference(), required_unless_present = "clear")]
        name: Option<String>,
        /// Call them what they call themselves
        #[arg(long, conflicts_with = "name")]
        clear: bool,
    },
    /// Make sure that somebody is who they seem to be: type the safety number that `kith account
    /// show` shows them, as they read it to you over a call or in person
    Verify {
        /// Their name, or a prefix of their account's id
        #[arg(value_parser = reference())]
        account: String,
        /// Their safety number, six groups of five digits [default: asked for]
        number: Vec<String>,
        /// Take it back
        #[arg(long, conflicts_with = "number")]
        undo: bool,
    },
    /// Hear nothing more of somebody: what they write, react and type is not shown to you, and they
    /// cannot add you to channels. They are not told; you will just never have read what they write
    Block {
        /// Their name, or a prefix of their account's id
        #[arg(value_parser = reference())]
        account: String,
    },
    /// Hear somebody again: what they wrote meanwhile is there
    Unblock {
        /// Their name, or a prefix of their account's id
        #[arg(value_parser = reference())]
        account: String,
    },
}

impl Session {
    /// Does what the verb says.
    pub(crate) async fn contact(&self, verb: &ContactVerb) -> Outcome {
        let (account, request) = match verb {
            ContactVerb::List => return self.output.put_each(&self.client.contacts().await?),
            ContactVerb::Name { account, name, .. } => {
                let name = Some(name.clone().unwrap_or_default());
                let update = UpdateContact {
                    name,
                    ..UpdateContact::default()
                };
                (account, update)
            }
            ContactVerb::Verify {
                account,
                number,
                undo,
            } => {
                let number = match (undo, number.as_slice()) {
                    (true, _) => String::new(),
                    (false, []) => ask_for_number()?,
                    (false, groups) => groups.join(" "),
                };
                let update = UpdateContact {
                    safety_number: Some(number),
                    ..UpdateContact::default()
                };
                (account, update)
            }
            ContactVerb::Block { account } => (account, blocking(true)),
            ContactVerb::Unblock { account } => (account, blocking(false)),
        };
        let contact = self.client.update_contact(account, &request);
        self.output.put(&contact.await?)
    }
}

fn blocking(on: bool) -> UpdateContact {
    UpdateContact {
        blocked: Some(on),
        ..UpdateContact::default()
    }
}

/// Asks for a safety number, on a terminal.
fn ask_for_number() -> Result<String, ApiError> {
    let unasked = "there is no terminal to ask for the number: give it behind the name";
    if !io::stdin().is_terminal() {
        return Err(ApiError::usage(unasked));
    }
    let mut typed = String::new();
    let mut stderr = io::stderr().lock();
    let asked = stderr
        .write_all(b"The safety number that they read to you: ")
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().take(TYPED_MAX).read_line(&mut typed));
    asked.map_err(|error| ApiError::other(format_args!("cannot ask: {error}")))?;
    match typed.trim() {
        "" => Err(ApiError::usage("no number was typed: nothing has changed")),
        typed => Ok(typed.to_owned()),
    }
}
