//! A home out of a backup.

use std::io::BufRead;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use getrandom::SysRng;
use kith_crdt::crypto::secret::Secret;
use kith_crdt::encoding::{decode, encode};
use kith_crdt::envelope::Envelope;
use kith_crdt::identity::DeviceSecrets;
use kith_crdt::ids::{ChannelId, LogId};
use kith_crdt::limits::LOG_ENVELOPES;
use kith_crdt::log::Log;
use kith_store::{
    BackupError, Batch, HomeLock, KdfCost, Medium, Store, StoreError, Vault, VaultError,
    begin_home, complete_home, destroy,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, UnwrapErr};

use super::item::Item;
use super::{Backup, Checked, Counted};
use crate::clock;
use crate::engine::{Command, Engine, Event, META_BACKUP, META_OF_THE_DEVICE, Run, Runs};
use crate::handover;

/// Bytes of a log's record.
const LOG_MAX: usize = 4 * 1024 * 1024;
/// Bytes written together.
const COMMIT_BYTES: usize = 1 << 20;
/// The command that the engine is given.
const MENDING: u64 = 0;
/// Bytes that a key takes in a batch, about.
const KEY_BYTES: usize = 64;
/// The longest wait for the engine's next step.
const STEP: Duration = Duration::from_millis(5);

/// How far restoring has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many entries were read.
    Read(u64),
    /// So many were checked, and what follows from them made anew.
    Checked(u64),
}

/// Why a home was not restored. There is none then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be read.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The vault cannot be made.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The records cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The home's place cannot be used.
    #[error("{0}")]
    Home(String),
}

impl<R: BufRead> Backup<R> {
    /// Makes a home out of it, in a directory that is empty but for what its lock needs.
    /// `passphrase` is to open the home; `told` hears how far it has come.
    ///
    /// # Errors
    /// [`RestoreError`]; the home is destroyed then.
    pub fn restore(
        mut self,
        home: &Path,
        lock: HomeLock,
        passphrase: &[u8],
        told: impl FnMut(Step),
    ) -> Result<Checked, RestoreError> {
        begin_home(home)?;
        let restored = self.make(home, passphrase, told);
        if restored.is_err() {
            // The error to tell is the first one; what stays is removed by the next command.
            drop(destroy(home, lock));
        }
        restored
    }

    fn make(
        &mut self,
        home: &Path,
        passphrase: &[u8],
        mut told: impl FnMut(Step),
    ) -> Result<Checked, RestoreError> {
        let mut rng = UnwrapErr(SysRng);
        let master = Secret::random(&mut rng);
        let store = Store::open(home, &master, Medium::Disk)?;
        let mut writing = Writing {
            batch: store.batch(),
            store,
            bytes: 0,
            channel: None,
            log: None,
        };
        writing.batch.put_meta(META_BACKUP, encode(&self.made));
        let counted = writing.take_all(self, &mut told)?;
        let mut run = [0; 32];
        rng.fill_bytes(&mut run);
        go_through(writing.store, &self.secrets, Run(run), told)?;
        let left = handover::leave(home, &Run(run));
        left.map_err(|error| RestoreError::Home(error.to_string()))?;
        let secrets = (self.identity.as_slice(), &master);
        Vault::create_with(home, passphrase, secrets, &mut rng, KdfCost::default())?;
        complete_home(home)?;
        Ok(self.checked(counted))
    }
}

/// A home that is being written.
struct Writing {
    store: Store,
    batch: Batch,
    /// About how many are in the batch.
    bytes: usize,
    channel: Option<ChannelId>,
    /// The log whose envelopes are read. It is written after them.
    log: Option<Log>,
}

impl Writing {
    fn take_all<R: BufRead>(
        &mut self,
        backup: &mut Backup<R>,
        told: &mut impl FnMut(Step),
    ) -> Result<Counted, RestoreError> {
        loop {
            let item = backup.next()?;
            if !matches!(item, Item::Envelope { .. } | Item::Fork { .. }) {
                self.end_log();
            }
            if let Item::End(counted) = item {
                self.commit()?;
                return Ok(counted);
            }
            self.take(item)?;
            if self.bytes >= COMMIT_BYTES {
                self.commit()?;
                told(Step::Read(backup.entries));
            }
        }
    }

    fn commit(&mut self) -> Result<(), RestoreError> {
        let full = std::mem::replace(&mut self.batch, self.store.batch());
        self.bytes = 0;
        self.store.commit(full)?;
        Ok(())
    }

    fn take(&mut self, item: Item) -> Result<(), RestoreError> {
        // What the item holds, and about what its key takes.
        self.bytes += item.len() + KEY_BYTES;
        match item {
            Item::Meta { name, .. } if !META_OF_THE_DEVICE.contains(&name.as_str()) => {
                return Err(BackupError::Altered.into());
            }
            Item::Meta { name, value } => {
                self.batch.put_meta(&name, value.0.to_vec());
                return Ok(());
            }
            Item::Peer { transport, value } => {
                self.batch.put_peer(&transport, value.0.to_vec());
                return Ok(());
            }
            Item::Channel { channel, value } => {
                self.batch.put_channel(&channel, value.0.to_vec());
                self.channel = Some(channel);
                return Ok(());
            }
            Item::Home { .. } | Item::End(_) => return Err(BackupError::Altered.into()),
            _ => {}
        }
        let channel = self.channel.ok_or(BackupError::Altered)?;
        self.take_of(channel, item)
    }

    fn take_of(&mut self, channel: ChannelId, item: Item) -> Result<(), RestoreError> {
        match item {
            Item::Op { op, value } => {
                self.batch.put_op(&channel, &op, value.0.to_vec());
            }
            Item::Epoch { epoch, value } => {
                self.store.put_epoch(&channel, &epoch, &value.0)?;
            }
            Item::Log { log, value } => {
                let stored: Log = decode(&value.0, LOG_MAX).map_err(|_| BackupError::Altered)?;
                let numbers = [&stored.awaited, &stored.lost].map(|numbers| numbers.last());
                let last = numbers
                    .into_iter()
                    .flatten()
                    .max()
                    .unwrap_or(0)
                    .max(stored.head);
                if stored.id != log || last > LOG_ENVELOPES {
                    return Err(BackupError::Altered.into());
                }
                self.log = Some(stored);
            }
            Item::Envelope { seq, value } => {
                let log = self.log.as_mut().ok_or(BackupError::Altered)?;
                note_missing_text(&channel, log, seq, &value.0);
                let place = log.id.place(seq);
                self.batch.put_envelope(&channel, &place, value.0.to_vec());
            }
            Item::Fork { value } => {
                let log: LogId = self.log.as_ref().ok_or(BackupError::Altered)?.id;
                self.batch.put_fork(&channel, &log, value.0.to_vec());
            }
            Item::Holds {
                segment,
                device,
                value,
            } => {
                self.batch
                    .put_holds(&channel, &segment, &device, value.0.to_vec());
            }
            Item::Erasures { day, value } => {
                self.batch.put_erasures(&channel, day, value.0.to_vec());
            }
            Item::Home { .. }
            | Item::End(_)
            | Item::Meta { .. }
            | Item::Peer { .. }
            | Item::Channel { .. } => return Err(BackupError::Altered.into()),
        }
        Ok(())
    }

    /// Writes the log whose envelopes were all read.
    fn end_log(&mut self) {
        if let (Some(log), Some(channel)) = (self.log.take(), self.channel) {
            let value = encode(&log);
            self.bytes += value.len();
            self.batch.put_log(&channel, &log.id, value);
        }
    }
}

/// Notes that the text of an entry is to be fetched, where the backup left it out.
fn note_missing_text(channel: &ChannelId, log: &mut Log, seq: u32, stored: &[u8]) {
    let is_gone = log.over.contains(seq) || log.erased.contains(seq);
    let envelope = Envelope::from_stored(stored, channel, log.id.place(seq));
    if !is_gone && envelope.is_ok_and(|envelope| envelope.body_erased()) {
        log.bodiless.insert(seq);
    }
}

/// Has an engine go through all logs, which makes everything anew that follows from them. It is
/// connected to nobody.
fn go_through(
    store: Store,
    secrets: &DeviceSecrets,
    run: Run,
    mut told: impl FnMut(Step),
) -> Result<(), RestoreError> {
    let mut seed = [0; 32];
    UnwrapErr(SysRng).fill_bytes(&mut seed);
    let runs = Runs {
        this: run,
        before: None,
        copied: false,
    };
    let rng = ChaCha20Rng::from_seed(seed);
    let secrets = secrets.clone();
    let mut engine = Engine::new(secrets, runs, store, rng, Vec::new(), clock::now())?;
    let command = Command::Mend { channel: None };
    let mut event = Event::Command {
        token: MENDING,
        key: None,
        command,
    };
    loop {
        let effects = engine.handle(clock::now(), event);
        let answers = effects.answers.into_iter();
        for (token, answer) in answers {
            // The disk, most likely. It is told once, and the engine would try for ever.
            if let (MENDING, Err(refusal)) = (token, answer) {
                return Err(RestoreError::Home(refusal.to_string()));
            }
        }
        if engine.has_gone_through() {
            break;
        }
        told(Step::Checked(engine.entries_gone_through()));
        let now = clock::now();
        let wait = engine.next_deadline().map_or(0, |at| at.since(now));
        sleep(Duration::from_millis(wait).min(STEP));
        event = Event::Tick;
    }
    engine.handle(clock::now(), Event::Stop);
    Ok(())
}
