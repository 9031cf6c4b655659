//! `kith backup`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kith_api::backup::{BackupCreated, BackupRequest};
use kith_api::id::{AccountId, DeviceId};
use kith_api::{ApiError, ErrorCode, Timestamp};
use kith_node::backup::{Backup, Checked, RestoreError, Step};
use kith_store::BackupError;
use serde::Serialize;

use crate::args::Place;
use crate::output::Output;
use crate::output::progress::{Meter, with_progress};
use crate::passphrase::{Passphrase, from_file_or};
use crate::verbs::init::{claim_home, clear};
use crate::verbs::{Outcome, Session};

/// Bytes read at a time.
const BUFFER: usize = 1 << 20;

/// Makes a backup of this home, checks one, or makes a home out of one.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupVerb {
    /// Write everything of this home that is kept for ever into one file, while the daemon runs.
    /// The file has a passphrase of its own, and whoever has both is this device
    Create(CreateArgs),
    /// Read a backup to its end and say what is in it. Nothing is restored
    Check(FileArgs),
    /// Make a home out of a backup, where none is yet. It goes on as a new writer, so that nothing
    /// collides with what was written after the backup
    Restore(FileArgs),
}

/// What to write.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    which: FileArgs,
    /// Replace the backup that is there under this name
    #[arg(long)]
    replace: bool,
}

/// Which file.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The file of the backup
    file: PathBuf,
    /// A file whose first line is the backup's passphrase; asked for on the terminal otherwise
    #[arg(
        long,
        env = "KITH_BACKUP_PASSPHRASE_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    backup_passphrase_file: Option<PathBuf>,
}

impl FileArgs {
    /// The passphrase of a backup that is there.
    fn passphrase(&self) -> Result<Passphrase, ApiError> {
        from_file_or(
            self.backup_passphrase_file.as_deref(),
            "--backup-passphrase-file or KITH_BACKUP_PASSPHRASE_FILE",
            &["Passphrase of the backup: "],
        )
    }

    /// The passphrase for a backup to be made, asked for twice.
    fn new_passphrase(&self) -> Result<Passphrase, ApiError> {
        from_file_or(
            self.backup_passphrase_file.as_deref(),
            "--backup-passphrase-file or KITH_BACKUP_PASSPHRASE_FILE",
            &["Choose a passphrase for the backup: ", "The same again: "],
        )
    }

    fn open(&self) -> Result<BufReader<File>, ApiError> {
        let shown = self.file.display();
        let told = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => ApiError::new(
                ErrorCode::NotFound,
                format_args!("there is no file {shown}: name a backup"),
            ),
            _ => ApiError::other(format_args!("cannot read {shown}: {error}")),
        };
        let file = File::open(&self.file).map_err(told)?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(ApiError::usage(format_args!(
                "{shown} is a directory: name the file of a backup"
            )));
        }
        Ok(BufReader::with_capacity(BUFFER, file))
    }

    /// The backup, with what its passphrase says.
    fn opened(&self) -> Result<Backup<BufReader<File>>, ApiError> {
        let file = self.open()?;
        Backup::open(file, self.passphrase()?.as_bytes()).map_err(|error| unread(&error))
    }
}

/// What a backup holds.
#[derive(Serialize)]
pub(crate) struct BackupContent {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) made_at: Timestamp,
    pub(crate) channels: u64,
    pub(crate) entries: u64,
    pub(crate) left_out: u64,
    /// The home that was made of it; none if it was only checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) home: Option<String>,
}

impl BackupContent {
    fn of(checked: &Checked, home: Option<&Path>) -> Self {
        Self {
            account: checked.of.0.into(),
            device: checked.of.1.into(),
            made_at: checked.made.into(),
            channels: checked.counted.channels,
            entries: checked.counted.entries,
            left_out: checked.counted.left_out,
            home: home.map(|home| home.display().to_string()),
        }
    }
}

impl Session {
    /// Has the daemon make a backup.
    pub(crate) async fn create_backup(&self, args: &CreateArgs, place: &Place) -> Outcome {
        // Whoever has no daemon is not asked for three passphrases first.
        self.client.status().await?;
        let file = std::path::absolute(&args.which.file)
            .map_err(|_| ApiError::usage("the file's name is empty: name one"))?;
        let file = file
            .to_str()
            .ok_or_else(|| ApiError::usage("the file's name is not UTF-8: choose another one"))?;
        let passphrase = place.passphrase()?;
        let request = BackupRequest {
            file: file.to_owned(),
            passphrase: kith_api::backup::Passphrase(passphrase),
            backup_passphrase: kith_api::backup::Passphrase(args.which.new_passphrase()?),
            replace: args.replace,
        };
        let created = with_progress("writing the backup", self.client.create_backup(&request));
        self.output.put::<BackupCreated>(&created.await?)
    }
}

/// Reads a backup to its end.
pub(crate) fn check_backup(args: &FileArgs, output: &Output) -> Outcome {
    let checked = args.opened()?.check().map_err(|error| unread(&error))?;
    output.put(&BackupContent::of(&checked, None))
}

/// Makes a home out of a backup.
pub(crate) fn restore_backup(args: &FileArgs, place: &Place, output: &Output) -> Outcome {
    let home = place.home()?;
    clear(&home)?;
    // Before anything is touched, or another passphrase asked for.
    let backup = args.opened()?;
    let passphrase = place.new_passphrase()?;
    let lock = claim_home(&home)?;
    let mut meter = Meter::default();
    let restored = backup.restore(&home, lock, passphrase.as_bytes(), |step| match step {
        Step::Read(entries) => meter.show(&format!("reading: {entries} entries")),
        Step::Checked(entries) => meter.show(&format!("checking: {entries} entries")),
    });
    drop(meter);
    let checked = restored.map_err(|error| match &error {
        RestoreError::Backup(error) => unread(error),
        _ => ApiError::other(format_args!(
            "{error}; there is no home in {}",
            home.display()
        )),
    })?;
    output.put(&BackupContent::of(&checked, Some(&home)))
}

fn unread(error: &BackupError) -> ApiError {
    match error {
        BackupError::WrongPassphrase => ApiError::new(ErrorCode::Locked, error),
        _ => ApiError::other(error),
    }
}
