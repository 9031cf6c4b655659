//! Who plays: three people, each with a home and a daemon of their own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use getrandom::SysRng;
use kith_api::event::EventsQuery;
use kith_api::status::Ready;
use kith_api::{ApiError, Client};
use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::base32;
use rand_core::UnwrapErr;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::witness::Witness;
use crate::verbs::Outcome;
use crate::verbs::init::make_home;

/// How long a daemon may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of the line with which a daemon says that it is ready.
const READY_MAX: u64 = 64 * 1024;
/// How often the directory is tried to be removed, and the pause in between.
const REMOVALS: u32 = 40;
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);
/// Any free port of this machine, for this machine alone.
const ANY_PORT: &str = "/ip4/127.0.0.1/tcp/0";

/// The people and the directory that they live in.
pub(super) struct Cast {
    pub(super) ada: Person,
    pub(super) ben: Person,
    pub(super) cleo: Person,
    directory: Option<TempDir>,
}

/// Somebody with a home, and a daemon while they are online.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) client: Client,
    home: PathBuf,
    passphrase_file: PathBuf,
    listen: String,
    daemon: Option<Child>,
    witness: Option<Witness>,
}

impl Cast {
    /// Makes the three homes, with a passphrase drawn for this one play.
    pub(super) fn gather() -> Result<Self, ApiError> {
        let directory = tempfile::Builder::new().prefix("kith-demo-").tempdir();
        let directory = directory.map_err(no_place)?;
        let secret = Secret::random(&mut UnwrapErr(SysRng));
        let passphrase = Zeroizing::new(base32(secret.expose()));
        let file = directory.path().join("passphrase");
        fs::write(&file, passphrase.as_bytes()).map_err(no_place)?;
        let person = |name: &'static str| {
            let home = directory.path().join(name.to_lowercase());
            make_home(&home, name, &passphrase)?;
            Ok(Person::new(name, home, file.clone()))
        };
        Ok(Self {
            ada: person("Ada")?,
            ben: person("Ben")?,
            cleo: person("Cleo")?,
            directory: Some(directory),
        })
    }

    /// Keeps the directory for a look at what went wrong, and says so.
    pub(super) fn keep(&mut self, error: &ApiError) -> ApiError {
        let Some(directory) = self.directory.take() else {
            return error.clone();
        };
        let kept = directory.keep();
        let kept = kept.display();
        ApiError::new(
            error.code,
            format_args!(
                "{error}\nthe homes and the daemons' logs are in {kept}; remove it when you have looked"
            ),
        )
    }

    /// Sends everybody home. The directory goes once nobody writes into it any more.
    pub(super) async fn leave(mut self) {
        for person in [&mut self.ada, &mut self.ben, &mut self.cleo] {
            person.go_offline().await;
        }
        let Some(directory) = self.directory.take() else {
            return;
        };
        // A daemon that was only just starting has been killed, and may write its last byte yet.
        for _ in 0..REMOVALS {
            match fs::remove_dir_all(directory.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    sleep(REMOVAL_PAUSE).await;
                }
                _ => break,
            }
        }
    }
}

impl Person {
    fn new(name: &'static str, home: PathBuf, passphrase_file: PathBuf) -> Self {
        Self {
            name,
            client: Client::new(&home),
            home,
            passphrase_file,
            listen: ANY_PORT.to_owned(),
            daemon: None,
            witness: None,
        }
    }

    /// Starts the daemon and waits until it serves. It listens where it listened before.
    pub(super) async fn go_online(&mut self) -> Outcome {
        let started = self.start();
        let (daemon, ready) = match timeout(PATIENCE, started).await {
            Ok(started) => started?,
            Err(_) => return Err(self.trouble("did not start in time")),
        };
        if let Some(address) = ready.addresses.first() {
            let without_peer = address.split("/p2p/").next().unwrap_or(address);
            self.listen = without_peer.to_owned();
        }
        self.daemon = Some(daemon);
        if self.witness.is_none() {
            let events = self.client.events(EventsQuery::default()).await?;
            self.witness = Some(Witness::new(self.name, events));
        }
        Ok(())
    }

    /// Whether the daemon runs.
    pub(super) const fn is_online(&self) -> bool {
        self.daemon.is_some()
    }

    /// Stops the daemon: it stops by itself when its input ends.
    pub(super) async fn go_offline(&mut self) {
        let Some(mut daemon) = self.daemon.take() else {
            return;
        };
        drop(daemon.stdin.take());
        if timeout(PATIENCE, daemon.wait()).await.is_err() {
            // It is dead then, or was before.
            let _killed = daemon.kill().await;
        }
    }

    /// Who watches what happens on this person's screen.
    pub(super) fn witness(&mut self) -> Result<&mut Witness, ApiError> {
        let name = self.name;
        self.witness
            .as_mut()
            .ok_or_else(|| ApiError::other(format_args!("{name} has not been online yet")))
    }

    async fn start(&self) -> Result<(Child, Ready), ApiError> {
        let mut daemon = self.command()?.spawn().map_err(no_place)?;
        let stdout = daemon.stdout.take();
        let stdout = stdout.ok_or_else(|| self.trouble("has no output"))?;
        let mut line = String::new();
        let mut reader = BufReader::new(stdout.take(READY_MAX));
        reader.read_line(&mut line).await.map_err(no_place)?;
        let ready = serde_json::from_str(&line);
        let ready = ready.map_err(|_| self.trouble("did not become ready"))?;
        Ok((daemon, ready))
    }

    fn command(&self) -> Result<Command, ApiError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(no_place)?;
        let mut command = Command::new(std::env::current_exe().map_err(no_place)?);
        command
            .arg("--json")
            .args([Path::new("--home"), &self.home])
            .args([Path::new("--passphrase-file"), &self.passphrase_file])
            .args([
                "daemon",
                "--until-eof",
                "--no-mdns",
                "--listen",
                &self.listen,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.home.with_extension("log")
    }

    fn trouble(&self, what: &str) -> ApiError {
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let name = self.name;
        ApiError::other(format_args!("{name}'s daemon {what}\n{}", said.trim_end()))
    }
}

fn no_place(error: io::Error) -> ApiError {
    ApiError::other(format_args!(
        "the demo cannot set up its nodes: {error}; see that there is room in the temporary directory"
    ))
}
