//! `kith device`: the devices of the account, and linking a new one.

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use clap::{Args, Subcommand};
use kith_api::account::{
    ConfirmDeviceLink, DeviceLinkRequest, DeviceLinkStage, DeviceLinkState, UpdateDevice,
};
use kith_api::id::{AccountId, DeviceId};
use kith_api::{ApiError, ErrorCode};
use kith_crdt::device_link::{Code, DeviceLink};
use kith_node::linking::{LinkConfig, LinkError, SettleError, link, settle};
use kith_store::{LockError, VaultError};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::args::Place;
use crate::duration::parse_milliseconds;
use crate::output::{Output, print_prompt, print_warning};
use crate::verbs::init::{host_name, prepare_home};
use crate::verbs::{Outcome, Session};

/// Between two looks at how far a link has come.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long a new device looks for the one that shows the link, if nobody says.
const PATIENCE: Duration = Duration::from_secs(30);
const NOT_CONFIRMED: &str = "not confirmed: nothing was handed over, and the link is taken back";

/// Shows the devices of the account, names this one, or links another.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceVerb {
    /// List the devices of the account
    List,
    /// Give this device another name, which everybody sees who shares a channel with you
    Rename {
        /// What to call it, at most 64 characters
        name: String,
    },
    /// Show a link by which another device of yours gets the account and its channels, and wait
    /// for that device. Type the code that it shows; until then nothing is handed over
    Link(DeviceLinkArgs),
    /// Make this a device of an account that another device of yours has, by the link that
    /// `kith device link` shows there
    Join(DeviceJoinArgs),
}

/// Shows a link.
#[derive(Debug, Args)]
pub(crate) struct DeviceLinkArgs {
    /// Let the new device link and remove devices as well
    #[arg(long)]
    manage: bool,
    /// How long the link holds, a day at most [default: 10min]
    #[arg(long, value_name = "DURATION", value_parser = parse_milliseconds)]
    expires: Option<u64>,
}

/// Uses one.
#[derive(Debug, Args)]
pub(crate) struct DeviceJoinArgs {
    /// The link, whole
    link: String,
    /// What to call this device [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long to look for the other device, such as 1min [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_milliseconds)]
    wait: Option<u64>,
    /// Do not look for it on the local network, only at the addresses in the link
    #[arg(long)]
    no_mdns: bool,
}

/// The code that a new device shows.
#[derive(Serialize)]
pub(crate) struct CodeShown {
    pub(crate) code: String,
    pub(crate) pictures: Vec<kith_api::account::Picture>,
}

impl CodeShown {
    fn of(code: &Code) -> Self {
        let picture = |(emoji, name): (&str, &str)| kith_api::account::Picture {
            emoji: emoji.to_owned(),
            name: name.to_owned(),
        };
        Self {
            code: code.digits(),
            pictures: code.pictures().map(picture).into(),
        }
    }
}

/// A device that was linked, told on the new device.
#[derive(Serialize)]
pub(crate) struct Joined {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    /// The account's name.
    pub(crate) name: String,
    /// Whether it may manage the account's devices.
    pub(crate) manages: bool,
}

impl Session {
    /// Does what the verb says.
    pub(crate) async fn device(&self, verb: &DeviceVerb) -> Outcome {
        match verb {
            DeviceVerb::List => self.output.put_each(&self.client.account().await?.devices),
            DeviceVerb::Rename { name } => {
                let request = UpdateDevice { name: name.clone() };
                self.output.put(&self.client.update_device(&request).await?)
            }
            DeviceVerb::Link(args) => self.link_device(args).await,
            DeviceVerb::Join(_) => unreachable!("this does not ask a daemon"),
        }
    }

    /// Shows a link and sees it through. Whatever ends it takes it back.
    async fn link_device(&self, args: &DeviceLinkArgs) -> Outcome {
        let request = DeviceLinkRequest {
            manages: args.manage,
            expires_ms: args.expires,
        };
        self.output
            .put(&self.client.show_device_link(&request).await?)?;
        let seen_through = tokio::select! {
            done = self.see_through() => done,
            _ = tokio::signal::ctrl_c() => Err(ApiError::new(ErrorCode::Denied, NOT_CONFIRMED)),
        };
        if seen_through.is_err() {
            // It ends by itself where the daemon cannot be told.
            drop(self.client.withdraw_device_link().await);
        }
        seen_through
    }

    async fn see_through(&self) -> Outcome {
        let mut typed = lines();
        let mut shown: Option<DeviceLinkState> = None;
        loop {
            let state = self.client.device_link().await?;
            match state.stage {
                DeviceLinkStage::Linked => return self.output.put(&state),
                DeviceLinkStage::Over => {
                    return Err(ApiError::new(
                        ErrorCode::Denied,
                        "the link is not good any more, and nothing was handed over: make a new \
                         one with `kith device link`",
                    ));
                }
                DeviceLinkStage::Shown => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                DeviceLinkStage::Asked => {}
            }
            if shown
                .as_ref()
                .is_none_or(|shown| shown.pictures != state.pictures)
            {
                self.output.put(&state)?;
                // What was typed before there was anything to compare confirms nothing.
                while typed.try_recv().is_ok() {}
                self.prompt();
                shown = Some(state);
            }
            let line = match tokio::time::timeout(LOOK_AGAIN, typed.recv()).await {
                Ok(line) => line,
                Err(_) => continue,
            };
            let code = line.filter(|line| !line.trim().is_empty());
            let code = code.ok_or_else(|| ApiError::new(ErrorCode::Denied, NOT_CONFIRMED))?;
            let request = ConfirmDeviceLink { code };
            match self.client.confirm_device_link(&request).await {
                Ok(_) => {}
                Err(error) if error.code == ErrorCode::Denied => {
                    let state = self.client.device_link().await?;
                    if state.stage != DeviceLinkStage::Asked {
                        return Err(error);
                    }
                    print_warning("other_code", &error.message, self.output.is_json());
                    self.prompt();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn prompt(&self) {
        if !self.output.is_json() && io::stdin().is_terminal() {
            print_prompt("The six digits that it shows (nothing to stop): ");
        }
    }
}

/// The lines that somebody types, as they come; none after the last.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    // It waits for input, so it ends with the process.
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Makes this a device of an account. Nothing is written before the other device has agreed.
pub(crate) async fn join(args: &DeviceJoinArgs, place: &Place, output: &Output) -> Outcome {
    let home = place.home()?;
    let shown: DeviceLink = args
        .link
        .parse()
        .map_err(|error| ApiError::new(ErrorCode::Denied, error))?;
    prepare_home(&home)?;
    let name = args.name.clone().unwrap_or_else(host_name);
    if name.trim().is_empty() {
        return Err(ApiError::usage(
            "the name is empty: say with --name what to call this device",
        ));
    }
    let passphrase = place.new_passphrase()?;
    let config = LinkConfig {
        link: shown.clone(),
        name,
        patience: args.wait.map_or(PATIENCE, Duration::from_millis),
        mdns: !args.no_mdns,
    };
    let mut told = Ok(());
    let on_code = |code: &Code| told = output.put(&CodeShown::of(code));
    let secrets = link(config, on_code).await.map_err(not_linked)?;
    told?;
    let made = settle(&home, passphrase.as_bytes(), &secrets, &shown);
    made.map_err(|error| not_settled(&error))?;
    output.put(&Joined {
        account: secrets.account.into(),
        device: secrets.device().into(),
        name: shown.name,
        manages: secrets.management.is_some(),
    })
}

fn not_linked(error: LinkError) -> ApiError {
    ApiError::new(error.code(), error)
}

fn not_settled(error: &SettleError) -> ApiError {
    let code = match error {
        SettleError::Lock(LockError::Held) => ErrorCode::Locked,
        SettleError::Vault(VaultError::Exists) => ErrorCode::Other,
        _ => ErrorCode::Other,
    };
    ApiError::new(
        code,
        format_args!(
            "{error}; the account lists this device already: make a new link and join once more"
        ),
    )
}
