//! `kith contact …`: what this account calls others, and whom it does not want to hear.

use clap::Subcommand;
use kith_api::contact::UpdateContact;

use crate::args::reference;
use crate::verbs::{Outcome, Session};

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
    /// Hear nothing more of somebody: what they write, react and type is not shown to you, and they
    /// cannot add you to channels. They see no difference
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
                let blocked = None;
                (account, UpdateContact { name, blocked })
            }
            ContactVerb::Block { account } => (account, blocking(true)),
            ContactVerb::Unblock { account } => (account, blocking(false)),
        };
        let contact = self.client.update_contact(account, &request);
        self.output.put(&contact.await?)
    }
}

const fn blocking(on: bool) -> UpdateContact {
    UpdateContact {
        name: None,
        blocked: Some(on),
    }
}
