//! `kith account recover`: an account that is brought back with its phrase.

use std::fmt::Write;
use std::time::SystemTime;

use clap::Args;
use getrandom::SysRng;
use kith_api::id::{AccountId, DeviceId};
use kith_api::{ApiError, ErrorCode};
use kith_crdt::crypto::phrase::{Phrase, PhraseError};
use kith_crdt::identity::{recover_account, recovery_epoch};
use kith_crdt::time::Millis;
use rand_core::UnwrapErr;
use serde::Serialize;

use crate::args::Place;
use crate::output::clean::clean;
use crate::output::look::{Look, Paint};
use crate::output::{Output, Show};
use crate::verbs::Outcome;
use crate::verbs::account::typed;
use crate::verbs::init::{check_name, claim_home, host_name, login_name, make_vault};

/// Makes a home of an account that there is already.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The name by which others see you [default: your login name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What to call this device [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// An account that is back.
#[derive(Serialize)]
struct Recovered {
    account: AccountId,
    device: DeviceId,
    name: String,
}

/// Makes a home with the account of a phrase, from which every earlier device is cut off.
pub(crate) fn recover(args: &RecoverArgs, place: &Place, output: &Output) -> Outcome {
    let home = place.home()?;
    let lock = claim_home(&home)?;
    let name = args.name.clone().unwrap_or_else(login_name);
    let device_name = args.device_name.clone().unwrap_or_else(host_name);
    check_name(&name)?;
    check_name(&device_name)?;
    let phrase = Phrase::parse(&typed()?).map_err(|error| match error {
        PhraseError::WordCount(_) => ApiError::usage(error),
        _ => ApiError::new(ErrorCode::Denied, error),
    })?;
    let passphrase = place.new_passphrase()?;
    let names = (name.as_str(), device_name.as_str());
    let n = recovery_epoch(now()?);
    let secrets = recover_account(&phrase, n, names, &mut UnwrapErr(SysRng));
    let secrets = secrets.map_err(ApiError::usage)?;
    make_vault(&home, &lock, &passphrase, &secrets)?;
    output.put(&Recovered {
        account: secrets.account.into(),
        device: secrets.device().into(),
        name,
    })
}

/// The time by which this recovery counts instead of earlier ones.
fn now() -> Result<Millis, ApiError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|_| ApiError::other("the clock says a time before 1970: set it"))?;
    Ok(Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

impl Show for Recovered {
    fn show(&self, look: &Look, out: &mut String) {
        let name = look.paint(Paint::Strong, clean(&self.name));
        let _written = writeln!(
            out,
            "Your account has this device now, and no other: what its earlier devices write from \
             now on\ncounts nowhere.\n\naccount  {}\ndevice   {}\nname     {name}\n",
            self.account, self.device
        );
        out.push_str(
            "Next: `kith daemon`. Your channels come back from other members, or from a device that \
             you had,\nwhichever it meets first: on the local network by itself, elsewhere with \
             --bootstrap ADDRESS. It\nlooks for them for seven days. A device that you still have \
             comes back into the account with\n`kith device link`, in a new home.\n",
        );
    }
}
