//! `kith device`: the devices of the account, and linking a new one.

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use clap::{Args, Subcommand};
use kith_api::account::{
    ConfirmDeviceLink, DeviceLinkRequest, DeviceLinkStage, DeviceLinkState, GrantDevice, Picture,
    RevokeDevice, UpdateDevice,
};
use kith_api::id::{AccountId, DeviceId};
use kith_api::{ApiError, ErrorCode};
use kith_crdt::device_link::{Code, DeviceLink};
use kith_node::device::{JoinConfig, JoinError, join, make_home};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::args::Place;
use crate::duration::parse_milliseconds;
use crate::output::clean::clean;
use crate::output::{Output, print_prompt, print_warning};
use crate::verbs::erase::confirm;
use crate::verbs::init::{claim_home, host_name};
use crate::verbs::{Outcome, Session};

/// Between two looks at how far a link has come.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long a new device looks for the one that shows the link, if nobody says.
const PATIENCE: Duration = Duration::from_secs(30);
const TYPE_DIGITS: &str = "The six digits that it shows (Enter alone stops): ";
const SAY_YES: &str = "Does it show the same? (yes to go on): ";
pub(crate) const MANAGES_STILL: &str = "It manages the account: whoever has it and its passphrase \
    can still add devices. If that may be\na stranger, `kith account recover` with your 24 words \
    cuts them off.";
const NOT_REVOKED: &str = "that is not its name: nothing was done";
const NOT_CONFIRMED: &str = "not confirmed: nothing was handed over, and the link is taken back";

/// Links another device, or shows and names those of the account.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceVerb {
    /// List the devices of the account, and those that were revoked
    List,
    /// Give this device another name, which everybody sees who shares a channel with you; it has
    /// to manage the account
    Rename {
        /// What to call it, at most 64 characters
        name: String,
    },
    /// Let a device of the account manage it, too: link and revoke others. For a device that keeps
    /// its passphrase as well as this one does
    Grant {
        /// Its name, its id or a prefix of it of four characters or more
        device: String,
    },
    /// Have a device of the account be one no more, for good: one that you lost, sold or do not
    /// trust. Every channel is told, and no key made since is given to it
    Revoke {
        /// Its name, its id or a prefix of it of four characters or more
        device: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Only say which device that would be
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
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
    /// Let the new device link and revoke others as well, this one among them
    #[arg(long)]
    manage: bool,
    /// How long the link holds, a day at most [default: 10min]
    #[arg(long, value_name = "DURATION", value_parser = parse_milliseconds)]
    expires: Option<u64>,
}

/// Uses one.
#[derive(Debug, Args)]
pub(crate) struct DeviceJoinArgs {
    /// The link, whole; line breaks in it do no harm
    #[arg(required = true, num_args = 1..)]
    link: Vec<String>,
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

/// What both devices show before anything is taken over.
#[derive(Serialize)]
pub(crate) struct Compared {
    pub(crate) pictures: Vec<Picture>,
}

/// The code that is to be typed at the device that shows the link.
#[derive(Serialize)]
pub(crate) struct CodeShown {
    pub(crate) code: String,
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
            DeviceVerb::List => {
                let mut account = self.client.account().await?;
                account.devices.append(&mut account.revoked);
                self.output.put_each(&account.devices)
            }
            DeviceVerb::Grant { device } => {
                let device = device.clone();
                let request = GrantDevice { device };
                self.output.put(&self.client.grant_device(&request).await?)
            }
            DeviceVerb::Rename { name } => {
                let request = UpdateDevice { name: name.clone() };
                self.output.put(&self.client.update_device(&request).await?)
            }
            DeviceVerb::Revoke {
                device,
                yes,
                dry_run,
            } => self.revoke_device(device, *yes, *dry_run).await,
            DeviceVerb::Link(args) => self.link_device(args).await,
            DeviceVerb::Join(_) => unreachable!("this does not ask a daemon"),
        }
    }

    async fn revoke_device(&self, device: &str, yes: bool, dry_run: bool) -> Outcome {
        let request = RevokeDevice {
            device: device.to_owned(),
            dry_run,
        };
        if !yes && !dry_run {
            if !io::stdin().is_terminal() {
                return Err(ApiError::usage(
                    "there is no terminal to ask whether you mean it, and it cannot be undone: add \
                     --yes if you do, or see with --dry-run which device it would be",
                ));
            }
            let asked = RevokeDevice {
                dry_run: true,
                ..request.clone()
            };
            let would = self.client.revoke_device(&asked).await?;
            let name = clean(&would.name);
            let mut question = format!(
                "{name} ({}) will never be a device of your account again, and of what it has \
                 written only\nthat is shown which has arrived here.\n",
                would.device
            );
            if would.managed {
                question.push_str(MANAGES_STILL);
                question.push('\n');
            }
            question.push_str("Type its name to go on: ");
            confirm(&question, NOT_REVOKED, |typed| typed.trim() == name)?;
            let meant = RevokeDevice {
                device: would.device.to_string(),
                dry_run: false,
            };
            return self.output.put(&self.client.revoke_device(&meant).await?);
        }
        self.output.put(&self.client.revoke_device(&request).await?)
    }

    /// Shows a link and sees it through. Whatever ends it takes it back.
    async fn link_device(&self, args: &DeviceLinkArgs) -> Outcome {
        let request = DeviceLinkRequest {
            manages: args.manage,
            expires_ms: args.expires,
        };
        let shown = self.client.show_device_link(&request).await?;
        self.output.put(&shown)?;
        let seen_through = tokio::select! {
            done = self.see_through(&shown.id) => done,
            () = stopped() => Err(ApiError::new(ErrorCode::Denied, NOT_CONFIRMED)),
        };
        if seen_through.is_err() {
            // It ends by itself where the daemon cannot be told.
            drop(self.client.withdraw_device_link(&shown.id).await);
        }
        seen_through
    }

    async fn see_through(&self, id: &str) -> Outcome {
        let mut typed = lines();
        let mut shown: Option<DeviceLinkState> = None;
        loop {
            let state = self.client.device_link().await?;
            if state.id != id {
                return Err(ApiError::new(
                    ErrorCode::Denied,
                    "another link has taken the place of this one: nothing was handed over by it",
                ));
            }
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
                // What was typed before there was anything to compare confirms nothing.
                while typed.try_recv().is_ok() {}
                self.output.put(&state)?;
                ask_for(TYPE_DIGITS, self.output.is_json());
                shown = Some(state);
            }
            let line = match tokio::time::timeout(LOOK_AGAIN, typed.recv()).await {
                Ok(line) => line,
                Err(_) => continue,
            };
            let code = line.filter(|line| !line.trim().is_empty());
            let code = code.ok_or_else(|| ApiError::new(ErrorCode::Denied, NOT_CONFIRMED))?;
            let id = id.to_owned();
            let request = ConfirmDeviceLink { id, code };
            match self.client.confirm_device_link(&request).await {
                Ok(_) => {}
                Err(error) if error.code == ErrorCode::Usage => {
                    print_warning("no_code", &error.message, self.output.is_json());
                    ask_for(TYPE_DIGITS, self.output.is_json());
                }
                Err(error) if matches!(error.code, ErrorCode::Denied | ErrorCode::Unreachable) => {
                    let state = self.client.device_link().await?;
                    if state.stage != DeviceLinkStage::Asked {
                        return Err(error);
                    }
                    print_warning("other_code", &error.message, self.output.is_json());
                    ask_for(TYPE_DIGITS, self.output.is_json());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Resolves when somebody ends the command, by the keyboard, the terminal or the system.
async fn stopped() {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [interrupt, terminate, hangup] = kinds.map(|kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            // Without it the system's own way of ending stays.
            Err(_) => std::future::pending().await,
        }
    });
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
        () = hangup => {}
    }
}

/// Asks somebody at a terminal for a line.
fn ask_for(what: &str, json: bool) {
    if !json && io::stdin().is_terminal() {
        print_prompt(what);
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

/// Makes this a device of an account.
pub(crate) async fn join_account(args: &DeviceJoinArgs, place: &Place, output: &Output) -> Outcome {
    let home = place.home()?;
    let link: DeviceLink = args
        .link
        .concat()
        .parse()
        .map_err(|error| ApiError::new(ErrorCode::Denied, error))?;
    let name = args.name.clone().unwrap_or_else(host_name);
    if name.trim().is_empty() {
        return Err(ApiError::usage(
            "the name is empty: say with --name what to call this device",
        ));
    }
    // Nobody else makes a home there meanwhile.
    let lock = claim_home(&home)?;
    let passphrase = place.new_passphrase()?;
    let config = JoinConfig {
        link: link.clone(),
        name,
        patience: args.wait.map_or(PATIENCE, Duration::from_millis),
        mdns: !args.no_mdns,
    };
    let show = |code: &Code| {
        let code = code.digits();
        // If it cannot be printed nobody types it.
        drop(output.put(&CodeShown { code }));
    };
    let secrets = join(config, async |code| compare(code, output).await, show)
        .await
        .map_err(|error: JoinError| ApiError::new(error.code(), error))?;
    let whose = (&secrets, &link);
    make_home(&home, &lock, passphrase.as_bytes(), whose).map_err(ApiError::other)?;
    output.put(&Joined {
        account: secrets.account.into(),
        device: secrets.device().into(),
        name: link.name,
        manages: secrets.management.is_some(),
    })
}

/// Has somebody compare the pictures.
async fn compare(code: &Code, output: &Output) -> bool {
    let mut typed = lines();
    let pictures = code.pictures().map(Picture::from).into();
    if output.put(&Compared { pictures }).is_err() {
        return false;
    }
    ask_for(SAY_YES, output.is_json());
    let line = typed.recv().await.unwrap_or_default();
    ["y", "yes"].contains(&line.trim().to_lowercase().as_str())
}
