//! Writing a backup, beside the engine that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use kith_crdt::control::Roster;
use kith_crdt::encoding::{decode, encode};
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::ChannelId;
use kith_crdt::keys::EpochKeys;
use kith_crdt::limits::PAGE_BYTES;
use kith_crdt::log::Log;
use kith_crdt::term::Term;
use kith_crdt::time::{Hlc, Millis};
use kith_store::{BackupError, BackupWriter, KdfCost, Reader, Vault, View};
use rand_core::UnwrapErr;
use zeroize::Zeroizing;

use super::item::{Item, Value};
use super::{Backup, Counted, CreateError};
use crate::engine::{META_OF_THE_DEVICE, Shared};

/// Bytes of a log's record.
const LOG_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an epoch's keys.
const EPOCH_MAX: usize = 4_096;
/// Envelopes read at a time.
const READ_AHEAD: usize = 1_024;
/// Bytes collected before they are written to the file.
const BUFFER: usize = 1 << 20;
/// What a backup begins with, by which one is told from another file.
const MAGIC: &[u8] = b"KITHBAK";

/// What is to be made.
pub(crate) struct BackupConfig {
    /// The home.
    pub(crate) home: PathBuf,
    /// The file.
    pub(crate) file: PathBuf,
    /// Opens the home.
    pub(crate) passphrase: Zeroizing<Vec<u8>>,
    /// Is to open the backup.
    pub(crate) backup_passphrase: Zeroizing<Vec<u8>>,
    /// Whether a backup of that name is replaced.
    pub(crate) replaces: bool,
    /// Now.
    pub(crate) made: Millis,
}

/// Writes a backup, reads it back, and gives it its name. Returns what is in it and how many bytes
/// it has.
///
/// # Errors
/// [`CreateError`]; there is no file then, or the one of before.
pub(crate) fn create(
    config: &BackupConfig,
    reader: &Reader,
    shared: &Shared,
) -> Result<(Counted, u64), CreateError> {
    refuse(config)?;
    let opened = Vault::open(&config.home, &config.passphrase)?;
    let mut name = config.file.clone().into_os_string();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let made = write(&fresh, config, opened.identity, (reader, shared));
    let made = made.and_then(|counted| {
        let bytes = fs::metadata(&fresh).map_err(BackupError::from)?.len();
        fs::rename(&fresh, &config.file).map_err(BackupError::from)?;
        sync_directory_of(&config.file).map_err(BackupError::from)?;
        Ok((counted, bytes))
    });
    if made.is_err() {
        // What is left of it is of no use; the error to tell is the first one.
        drop(fs::remove_file(&fresh));
    }
    made
}

/// Refuses a file that may not be written.
fn refuse(config: &BackupConfig) -> Result<(), CreateError> {
    let shown = config.file.display().to_string();
    let directory = config.file.parent().map(Path::canonicalize);
    let home = config.home.canonicalize();
    match (directory, home) {
        (Some(Ok(directory)), Ok(home)) if directory.starts_with(&home) => {
            return Err(CreateError::InHome(shown));
        }
        (Some(Err(error)), _) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CreateError::Nowhere(shown));
        }
        _ => {}
    }
    let mut start = Vec::new();
    match File::open(&config.file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BackupError::from(error).into()),
        Ok(file) if config.replaces => {
            let most = MAGIC.len() as u64;
            let read = file.take(most).read_to_end(&mut start);
            read.map_err(BackupError::from)?;
        }
        Ok(_) => return Err(CreateError::Exists(shown)),
    }
    match start == MAGIC {
        true => Ok(()),
        false => Err(CreateError::NotReplaced(shown)),
    }
}

fn write(
    fresh: &Path,
    config: &BackupConfig,
    identity: Zeroizing<Vec<u8>>,
    (reader, shared): (&Reader, &Shared),
) -> Result<Counted, CreateError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(fresh)
        .map_err(BackupError::from)?;
    let mut rng = UnwrapErr(SysRng);
    let passphrase = &config.backup_passphrase;
    let to = BufWriter::with_capacity(BUFFER, file);
    let to = BackupWriter::new(to, passphrase, &mut rng, KdfCost::default())?;
    // The records first and the keys afterwards: what was sealed by then has its keys by now.
    let view = reader.view();
    let epochs = reader.epochs()?;
    let mut writing = Writing {
        to,
        view: &view,
        shared,
        counted: Counted::default(),
    };
    writing.put(&Item::Home {
        made: config.made,
        identity: Value(identity),
    })?;
    writing.write_home(|channel| epochs.of(channel))?;
    let counted = writing.counted;
    writing.put(&Item::End(counted))?;
    let file = writing.to.finish()?.into_inner();
    let file = file.map_err(|error| BackupError::from(error.into_error()))?;
    file.sync_all().map_err(BackupError::from)?;
    drop(file);
    let written = File::open(fresh).map_err(BackupError::from)?;
    let written = BufReader::with_capacity(BUFFER, written);
    match Backup::open(written, passphrase).and_then(Backup::check) {
        Ok(checked) if checked.counted == counted => Ok(counted),
        _ => Err(CreateError::NotWritten),
    }
}

fn sync_directory_of(file: &Path) -> io::Result<()> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// A backup that is being written.
struct Writing<'a, W> {
    to: BackupWriter<W>,
    view: &'a View<'a>,
    shared: &'a Shared,
    counted: Counted,
}

impl<W: Write> Writing<'_, W> {
    fn put(&mut self, item: &Item) -> Result<(), CreateError> {
        Ok(self.to.put(&Zeroizing::new(encode(item)))?)
    }

    fn write_home(
        &mut self,
        epochs: impl Fn(&ChannelId) -> Vec<Zeroizing<Vec<u8>>>,
    ) -> Result<(), CreateError> {
        for name in META_OF_THE_DEVICE {
            if let Some(value) = self.view.meta(name)? {
                self.put(&Item::Meta {
                    name: name.to_owned(),
                    value: value.into(),
                })?;
            }
        }
        for (transport, value) in self.view.peers() {
            self.put(&Item::Peer {
                transport,
                value: value.into(),
            })?;
        }
        for (channel, value) in self.view.channels() {
            let view = self.shared.channel(&channel);
            self.counted.channels += u64::from(view.is_none_or(|view| !view.is_own()));
            self.put(&Item::Channel {
                channel,
                value: value.into(),
            })?;
            self.write_channel(channel, epochs(&channel))?;
        }
        Ok(())
    }

    fn write_channel(
        &mut self,
        id: ChannelId,
        epochs: Vec<Zeroizing<Vec<u8>>>,
    ) -> Result<(), CreateError> {
        for (op, value) in self.view.ops(&id) {
            let value = value.into();
            self.put(&Item::Op { op, value })?;
        }
        // Of what is joined just now there is nothing else.
        let Some(channel) = self.shared.channel(&id) else {
            return Ok(());
        };
        let roster = &channel.roster;
        for value in epochs {
            let Ok(keys) = decode::<EpochKeys>(&value, EPOCH_MAX) else {
                continue;
            };
            if is_for_ever(roster, &keys) {
                let value = Value(value);
                self.put(&Item::Epoch {
                    epoch: keys.epoch,
                    value,
                })?;
            }
        }
        let records = self.view.logs(&id).into_iter();
        let logs = records.filter_map(|(_, bytes)| decode::<Log>(&bytes, LOG_MAX).ok());
        let logs: Vec<Log> = logs.collect();
        let ends = self.view.ends(&id, logs.iter().map(|log| &log.id));
        for log in logs {
            if roster.segment_ends_at(&log.id.segment).is_none() {
                let ends = ends.get(&log.id).into_iter().flat_map(BTreeMap::keys);
                let ends = ends.chain(log.ends_before.keys()).copied().collect();
                self.write_log((id, roster), &log, &ends)?;
            } else {
                self.counted.left_out += log.living().len();
            }
        }
        self.write_what_is_known(id, roster)
    }

    /// What is known of other devices, and what was erased.
    fn write_what_is_known(&mut self, id: ChannelId, roster: &Roster) -> Result<(), CreateError> {
        for (device, value) in self.view.beacons(&id) {
            let value = value.into();
            self.put(&Item::Beacon { device, value })?;
        }
        for (segment, device, value) in self.view.holds(&id) {
            if roster.segment_ends_at(&segment).is_none() {
                self.put(&Item::Holds {
                    segment,
                    device,
                    value: value.into(),
                })?;
            }
        }
        for (day, value) in self.view.erasures(&id) {
            let value = value.into();
            self.put(&Item::Erasures { day, value })?;
        }
        Ok(())
    }

    /// Writes a log that is kept, without the texts of messages in it that end all the same.
    fn write_log(
        &mut self,
        (id, roster): (ChannelId, &Roster),
        log: &Log,
        ends: &BTreeSet<u32>,
    ) -> Result<(), CreateError> {
        self.put(&Item::Log {
            log: log.id,
            value: encode(log).into(),
        })?;
        let living = log.living();
        let mut next = 1;
        loop {
            let page = self
                .view
                .envelopes(&id, &log.id, next, READ_AHEAD, PAGE_BYTES);
            let Some((last, _)) = page.last() else {
                break;
            };
            next = last + 1;
            for (seq, stored) in page {
                // One that cannot be read comes back from others, as after any damage.
                let Ok(mut envelope) = Envelope::from_stored(&stored, &id, log.id.place(seq))
                else {
                    continue;
                };
                let mut value = stored;
                let (epoch, written) = (envelope.header.epoch, envelope.header.hlc);
                if ends.contains(&seq) || roster.ends_at(&epoch, written, None).is_some() {
                    envelope.erase_body();
                    value = envelope.to_stored();
                    self.counted.left_out += u64::from(living.contains(seq));
                }
                self.counted.entries += 1;
                self.put(&Item::Envelope {
                    seq,
                    value: value.into(),
                })?;
            }
        }
        match self.view.fork(&id, &log.id) {
            Some(fork) => self.put(&Item::Fork { value: fork.into() }),
            None => Ok(()),
        }
    }
}

/// Whether everything that is sealed in an epoch is kept for ever.
fn is_for_ever(roster: &Roster, keys: &EpochKeys) -> bool {
    let kept = roster.epochs.get(&keys.epoch).map(|epoch| epoch.kept);
    keys.term == Term::FOREVER
        && kept.unwrap_or(keys.term) == Term::FOREVER
        && roster.ends_at(&keys.epoch, Hlc::default(), None).is_none()
}
