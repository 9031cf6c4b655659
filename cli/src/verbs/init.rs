//! `kith init`: a new account, its first device and their home.

use std::fmt::{Display, Write};
use std::fs;
use std::io;
use std::path::Path;

use clap::Args;
use getrandom::SysRng;
use kith_api::ApiError;
use kith_api::id::{AccountId, DeviceId};
use kith_crdt::crypto::phrase::Phrase;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::encoding::encode;
use kith_crdt::identity::{DeviceSecrets, create_account};
use kith_store::{HomeLock, KdfCost, Vault, destroy, is_being_destroyed, prepare};
use rand_core::UnwrapErr;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::Place;
use crate::home::VAULT;
use crate::output::clean::clean;
use crate::output::look::{Look, Paint};
use crate::output::table::{Cell, Table};
use crate::output::{Output, Show};
use crate::passphrase::Passphrase;
use crate::verbs::Outcome;

/// Words of the phrase in a line, so that four lines are copied one after the other.
const WORDS_PER_LINE: usize = 6;
/// What a crash while a home was being made may leave behind.
const LEFTOVERS: [&str; 2] = ["vault.new", "lock"];

/// Makes a home.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The name by which others will see you [default: your login name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Created<'a> {
    account: AccountId,
    device: DeviceId,
    phrase: &'a str,
}

/// Makes the home, and shows the recovery phrase this once.
pub(crate) fn init(args: &InitArgs, place: &Place, output: &Output) -> Outcome {
    let home = place.home()?;
    clear(&home)?;
    let name = args.name.clone().unwrap_or_else(login_name);
    check_name(&name)?;
    let passphrase = place.new_passphrase()?;
    let (secrets, phrase) = make_home(&home, &name, &passphrase)?;
    output.put(&Created {
        account: secrets.account.into(),
        device: secrets.device().into(),
        phrase: &phrase.words(),
    })
}

/// Makes an empty directory for a home that is to be, and keeps it from others.
pub(crate) fn claim_home(home: &Path) -> Result<HomeLock, ApiError> {
    clear(home)?;
    prepare(home).map_err(|error| unusable(home, &error))?;
    let lock = HomeLock::acquire(home).map_err(|error| unusable(home, &error))?;
    refuse_existing(home)?;
    Ok(lock)
}

/// Sees to it that nothing is in the way of a new home: a home that was being destroyed goes, and
/// anything else is left alone and refused.
pub(crate) fn clear(home: &Path) -> Outcome {
    if is_being_destroyed(home) {
        let lock = HomeLock::acquire(home).map_err(|error| unusable(home, &error))?;
        destroy(home, lock).map_err(|error| unusable(home, &error))?;
    }
    refuse_existing(home)
}

/// Refuses a name that shows nothing.
pub(crate) fn check_name(name: &str) -> Outcome {
    if name.trim().is_empty() {
        return Err(ApiError::usage(
            "the name is empty: say with --name how others are to see you",
        ));
    }
    Ok(())
}

/// Makes a home with a new account, and gives back what has to be shown of it.
pub(crate) fn make_home(
    home: &Path,
    name: &str,
    passphrase: &Passphrase,
) -> Result<(DeviceSecrets, Phrase), ApiError> {
    let mut rng = UnwrapErr(SysRng);
    let phrase = Phrase::random(&mut rng);
    let secrets = create_account(&phrase, name, &host_name(), &mut rng).map_err(ApiError::usage)?;
    let lock = claim_home(home)?;
    make_vault(home, &lock, passphrase, &secrets)?;
    Ok((secrets, phrase))
}

/// Makes the vault of a home that was claimed, and gives back its master key.
pub(crate) fn make_vault(
    home: &Path,
    _lock: &HomeLock,
    passphrase: &Passphrase,
    secrets: &DeviceSecrets,
) -> Result<Secret, ApiError> {
    let identity = Zeroizing::new(encode(secrets));
    let passphrase = passphrase.as_bytes();
    let mut rng = UnwrapErr(SysRng);
    let opened = Vault::create(home, passphrase, &identity, &mut rng, KdfCost::default());
    let opened = opened.map_err(|error| unusable(home, &error))?;
    Ok(opened.master)
}

/// Refuses a directory that holds a home, or anything else, and touches nothing in it.
fn refuse_existing(home: &Path) -> Outcome {
    let shown = home.display();
    if home.join(VAULT).exists() {
        return Err(ApiError::other(format_args!(
            "{shown} is a home already: run `kith daemon`, or choose another directory with --home"
        )));
    }
    let entries = match fs::read_dir(home) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(home, &error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| unusable(home, &error))?.file_name();
        if !LEFTOVERS.iter().any(|leftover| name == *leftover) {
            return Err(ApiError::other(format_args!(
                "{shown} is not empty: choose another directory with --home"
            )));
        }
    }
    Ok(())
}

fn unusable(home: &Path, error: &impl Display) -> ApiError {
    let home = home.display();
    ApiError::other(format_args!(
        "cannot make a home in {home}: {error}; choose another directory with --home"
    ))
}

pub(crate) fn login_name() -> String {
    let name = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "me".to_owned())
}

pub(crate) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = clean(name.trim()).into_owned();
    if name.is_empty() {
        "device".to_owned()
    } else {
        name
    }
}

impl Show for Created<'_> {
    fn show(&self, look: &Look, out: &mut String) {
        let _written = writeln!(
            out,
            "Your home is made.\n\naccount  {}\ndevice   {}\n",
            self.account, self.device
        );
        let _written = writeln!(
            out,
            "{}",
            look.paint(Paint::Strong, "Your recovery phrase:")
        );
        out.push('\n');
        let words: Vec<&str> = self.phrase.split(' ').collect();
        let mut table = Table::bare();
        for (number, line) in words.chunks(WORDS_PER_LINE).enumerate() {
            let first = Cell::new(Paint::Faint, &format!("{:>4}", number * WORDS_PER_LINE + 1));
            let words = line.iter().map(|word| Cell::new(Paint::Strong, word));
            table.row(std::iter::once(first).chain(words).collect());
        }
        table.write(look, out);
        out.push_str(
            "\nWrite these 24 words down, on paper, now. They are shown this once and kept \
             nowhere.\nWhoever has them is you: with them `kith account recover` brings your account \
             back when every\ndevice is lost, and cuts off a thief. They are not the passphrase, which \
             only opens this home.\n\nNext: `kith daemon`, and `kith channel create NAME` in another terminal.\n",
        );
    }
}
