//! `kith account recover`: an account that is brought back with its phrase.

use std::fmt::Write;

use clap::Args;
use getrandom::SysRng;
use kith_api::id::{AccountId, DeviceId};
use kith_api::{ApiError, ErrorCode};
use kith_crdt::crypto::phrase::{Phrase, PhraseError};
use kith_crdt::identity::{recover_account, recovery_epoch};
use kith_crdt::time::Millis;
use kith_node::clock;
use kith_node::device::note_recovery;
use kith_node::engine::Recovery;
use rand_core::UnwrapErr;
use serde::Serialize;

use crate::args::Place;
use crate::output::look::Look;
use crate::output::{Output, Show};
use crate::verbs::Outcome;
use crate::verbs::account::typed;
use crate::verbs::init::{check_name, claim_home, clear, host_name, login_name, make_vault};

/// 2026-11-01.
const WRITTEN_AT: Millis = Millis(1_793_491_200_000);

/// Makes a home of an account that there is already.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The name by which others see you [default: the one that your channels know]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A thief may have had one of the devices: of what they wrote only that is shown which the
    /// first member has whom this device meets, and nothing that turns up later
    #[arg(long)]
    stolen: bool,
    /// What to call this device [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// An account that is back.
#[derive(Serialize)]
struct Recovered {
    account: AccountId,
    device: DeviceId,
}

/// Makes a home with the account of a phrase, from which every earlier device is cut off.
pub(crate) fn recover(args: &RecoverArgs, place: &Place, output: &Output) -> Outcome {
    let home = place.home()?;
    clear(&home)?;
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
    let lock = claim_home(&home)?;
    let master = make_vault(&home, &lock, &passphrase, &secrets)?;
    let recovery = Recovery {
        hides_unseen: args.stolen,
        takes_name: args.name.is_none(),
    };
    note_recovery(&home, &master, recovery).map_err(ApiError::other)?;
    output.put(&Recovered {
        account: secrets.account.into(),
        device: secrets.device().into(),
    })
}

/// The time by which this recovery counts instead of earlier ones.
fn now() -> Result<Millis, ApiError> {
    let now = clock::now();
    if now < WRITTEN_AT {
        return Err(ApiError::other(
            "the clock says a time before this program was written, and a recovery counts by its \
             time: set the clock",
        ));
    }
    Ok(now)
}

impl Show for Recovered {
    fn show(&self, _: &Look, out: &mut String) {
        let _written = writeln!(
            out,
            "Your account has this device now, and no other: what its earlier devices do counts for \
             nobody\nany more who has met this one, or somebody who has.\n\naccount  {}\ndevice   {}\n",
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
