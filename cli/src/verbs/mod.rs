//! The verbs: each asks the daemon one thing and prints what it answers.

pub(crate) mod account;
pub(crate) mod backup;
pub(crate) mod channel;
pub(crate) mod completions;
pub(crate) mod contact;
pub(crate) mod daemon;
mod damage;
pub(crate) mod device;
pub(crate) mod draft;
pub(crate) mod erase;
pub(crate) mod init;
pub(crate) mod invite;
pub(crate) mod man;
pub(crate) mod member;
pub(crate) mod message;
pub(crate) mod pin;
pub(crate) mod policy;
pub(crate) mod read;
mod recover;
pub(crate) mod retention;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod storage;
pub(crate) mod tail;
pub(crate) mod why;

use kith_api::{ApiError, Client};
use tokio::runtime::Builder;

use crate::args::{Cli, Verb};
use crate::demo;
use crate::output::Output;
use crate::verbs::account::AccountVerb;
use crate::verbs::backup::BackupVerb;
use crate::verbs::device::DeviceVerb;

/// How a verb ends.
pub(crate) type Outcome = Result<(), ApiError>;

/// What the verbs that ask the daemon have at hand.
pub(crate) struct Session {
    /// The daemon.
    pub(crate) client: Client,
    /// Where results go.
    pub(crate) output: Output,
}

/// Does what the command line says.
pub(crate) fn run(cli: &Cli) -> Outcome {
    let output = Output::new(cli.json);
    match &cli.verb {
        Verb::Init(args) => init::init(args, &cli.place, &output),
        Verb::Daemon(args) => {
            let mut runtime = Builder::new_multi_thread();
            wait(
                runtime.enable_all(),
                daemon::daemon(args, &cli.place, &output),
            )
        }
        Verb::Device(DeviceVerb::Join(args)) => {
            let mut runtime = Builder::new_multi_thread();
            wait(
                runtime.enable_all(),
                device::join_account(args, &cli.place, &output),
            )
        }
        Verb::Account(AccountVerb::Recover(args)) => recover::recover(args, &cli.place, &output),
        Verb::Backup(BackupVerb::Check(args)) => backup::check_backup(args, &output),
        Verb::Backup(BackupVerb::Restore(args)) => {
            backup::restore_backup(args, &cli.place, &output)
        }
        Verb::Backup(BackupVerb::Create(args)) => {
            let client = cli.place.client()?;
            let session = Session { client, output };
            let work = session.create_backup(args, &cli.place);
            wait(Builder::new_current_thread().enable_all(), work)
                .map_err(|error| cli.place.explain(error))
        }
        Verb::Demo => {
            let mut runtime = Builder::new_current_thread();
            wait(runtime.enable_all(), demo::demo(&output))
        }
        Verb::Completions(args) => completions::completions(args),
        Verb::Man(args) => man::man(args),
        verb => {
            let client = cli.place.client()?;
            let session = Session { client, output };
            let mut runtime = Builder::new_current_thread();
            let work = async {
                let done = session.ask(verb).await;
                session.warn_of_damage(verb).await;
                done
            };
            wait(runtime.enable_all(), work).map_err(|error| cli.place.explain(error))
        }
    }
}

impl Session {
    async fn ask(&self, verb: &Verb) -> Outcome {
        match verb {
            Verb::Status => self.status().await,
            Verb::Account(verb) => self.account(verb).await,
            Verb::Device(verb) => self.device(verb).await,
            Verb::Channel(verb) => self.channel(verb).await,
            Verb::Invite(args) => self.invite(args).await,
            Verb::Join(args) => self.join(args).await,
            Verb::Contact(verb) => self.contact(verb).await,
            Verb::Draft(args) => self.draft(args).await,
            Verb::Member(verb) => self.member(verb).await,
            Verb::Role(args) => self.role(args).await,
            Verb::Why(verb) => self.why(verb).await,
            Verb::Audit(args) => self.audit(args).await,
            Verb::Verify(args) => self.verify(args).await,
            Verb::Policy(args) => self.policy(args).await,
            Verb::Retention(verb) => self.retention(verb).await,
            Verb::Storage(args) => self.storage(args).await,
            Verb::Send(args) => self.send(args).await,
            Verb::Read(args) => self.read(args).await,
            Verb::Mark(args) => self.mark(args).await,
            Verb::Show(args) => self.show(args).await,
            Verb::React(args) => self.react(args).await,
            Verb::Pin(args) => self.pin(args).await,
            Verb::Pins(args) => self.pins(args).await,
            Verb::Edit(args) => self.edit(args).await,
            Verb::History(args) => self.history(args).await,
            Verb::Delete(args) => self.delete(args).await,
            Verb::Erase(args) => self.erase(args).await,
            Verb::Typing(args) => self.typing(args).await,
            Verb::Tail(args) => self.tail(args).await,
            Verb::Init(_)
            | Verb::Daemon(_)
            | Verb::Backup(_)
            | Verb::Demo
            | Verb::Completions(_)
            | Verb::Man(_) => {
                unreachable!("these do not ask a daemon, or see to it themselves")
            }
        }
    }
}

fn wait(runtime: &mut Builder, work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = runtime
        .build()
        .map_err(|error| ApiError::other(format_args!("cannot start: {error}")))?;
    runtime.block_on(work)
}
