//! Writing a backup, beside the engine that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use kith_crdt::control::{EpochState, Roster};
use kith_crdt::encoding::{decode, encode};
use kith_crdt::envelope::Envelope;
use kith_crdt::ids::{ChannelId, MessageId, Place};
use kith_crdt::keys::EpochKeys;
use kith_crdt::limits::PAGE_BYTES;
use kith_crdt::log::Log;
use kith_crdt::projection::Claim;
use kith_crdt::term::Term;
use kith_crdt::time::{Hlc, Millis};
use kith_store::{BackupError, BackupWriter, HomeMoment, KdfCost, Reader, Vault, View, is_backup};
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
/// Bytes by which a backup is told from another file.
const START: u64 = 8;

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
    // First of all: whoever cannot open the home learns nothing of files either.
    let opened = Vault::open(&config.home, &config.passphrase)?;
    refuse(config)?;
    let mut name = config.file.clone().into_os_string();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let file = make_fresh(&fresh)?;
    let made = write(file, (&fresh, config), opened.identity, (reader, shared));
    let made = made.and_then(|counted| {
        let bytes = fs::metadata(&fresh).map_err(BackupError::from)?.len();
        give_name(&fresh, config)?;
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
    let Ok(found) = fs::symlink_metadata(&config.file) else {
        return Ok(());
    };
    if !config.replaces {
        return Err(CreateError::Exists(shown));
    }
    match found.is_file() && begins_as_backup(&config.file).map_err(BackupError::from)? {
        true => Ok(()),
        false => Err(CreateError::NotReplaced(shown)),
    }
}

fn begins_as_backup(file: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(file)?.take(START).read_to_end(&mut start)?;
    Ok(is_backup(&start))
}

/// Makes the file that is written to, which nobody else may read. What an earlier one has left there
/// goes; anything else stays.
fn make_fresh(fresh: &Path) -> Result<File, CreateError> {
    if let Ok(found) = fs::symlink_metadata(fresh) {
        let is_left = found.is_file()
            && (found.len() == 0 || begins_as_backup(fresh).map_err(BackupError::from)?);
        if !is_left {
            return Err(CreateError::NotReplaced(fresh.display().to_string()));
        }
        fs::remove_file(fresh).map_err(BackupError::from)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    Ok(options.open(fresh).map_err(BackupError::from)?)
}

/// Gives a backup its name, which nobody else has taken meanwhile.
fn give_name(fresh: &Path, config: &BackupConfig) -> Result<(), CreateError> {
    let linked = match config.replaces {
        true => Err(io::ErrorKind::Unsupported.into()),
        false => fs::hard_link(fresh, &config.file),
    };
    match linked {
        Ok(()) => Ok(fs::remove_file(fresh).map_err(BackupError::from)?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CreateError::Exists(config.file.display().to_string()))
        }
        // To be replaced, or on a file system without hard links.
        Err(_) => Ok(fs::rename(fresh, &config.file).map_err(BackupError::from)?),
    }
}

fn write(
    file: File,
    (fresh, config): (&Path, &BackupConfig),
    identity: Zeroizing<Vec<u8>>,
    (reader, shared): (&Reader, &Shared),
) -> Result<Counted, CreateError> {
    let mut rng = UnwrapErr(SysRng);
    let passphrase = &config.backup_passphrase;
    let to = BufWriter::with_capacity(BUFFER, file);
    let to = BackupWriter::new(to, passphrase, &mut rng, KdfCost::default())?;
    let moment = reader.moment()?;
    let view = moment.view();
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
    writing.write_home(&moment)?;
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

    fn write_home(&mut self, moment: &HomeMoment) -> Result<(), CreateError> {
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
            self.write_channel(channel, moment.epochs(&channel))?;
        }
        Ok(())
    }

    fn write_channel(
        &mut self,
        id: ChannelId,
        epochs: &[Zeroizing<Vec<u8>>],
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
            let Ok(keys) = decode::<EpochKeys>(value, EPOCH_MAX) else {
                continue;
            };
            if is_for_ever(roster, &keys) {
                let value = Value(value.clone());
                self.put(&Item::Epoch {
                    epoch: keys.epoch,
                    value,
                })?;
            }
        }
        let records = self.view.logs(&id).into_iter();
        let logs = records.filter_map(|(_, bytes)| decode::<Log>(&bytes, LOG_MAX).ok());
        let logs: Vec<Log> = logs.collect();
        let ending = self.ending(id, roster, &logs);
        for log in logs {
            if is_kept(roster, &log) {
                self.write_log(id, &log, &ending)?;
            } else {
                self.counted.left_out += log.living().len();
            }
        }
        self.write_what_is_known(id, roster)
    }

    /// What other devices hold, and what was erased.
    fn write_what_is_known(&mut self, id: ChannelId, roster: &Roster) -> Result<(), CreateError> {
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

    /// The places of texts that end although their logs are kept: of messages that end, and what
    /// was said about them.
    fn ending(&self, id: ChannelId, roster: &Roster, logs: &[Log]) -> BTreeSet<Place> {
        let mut ending = BTreeSet::new();
        let ends = self.view.ends(&id, logs.iter().map(|log| &log.id));
        for log in logs.iter().filter(|log| is_kept(roster, log)) {
            let early = ends.get(&log.id).into_iter().flat_map(BTreeMap::keys);
            let early = early.chain(log.ends_before.keys());
            ending.extend(early.map(|seq| log.id.place(*seq)));
        }
        let of_term = |epoch: &&EpochState| epoch.term == Term::FOREVER;
        let mut epochs = roster.epochs.values().filter(of_term);
        if epochs.any(|epoch| epoch.life.ends_at(Hlc::default(), None).is_some()) {
            for log in logs.iter().filter(|log| is_kept(roster, log)) {
                for (_, envelope) in envelopes(self.view, id, log) {
                    let header = &envelope.header;
                    if roster.ends_at(&header.epoch, header.hlc, None).is_some() {
                        ending.insert(envelope.place());
                    }
                }
            }
        }
        let messages: Vec<MessageId> = ending.iter().map(|place| place.message_id(&id)).collect();
        let claims = self.view.multi_claims(&id, &messages).into_iter().flatten();
        let said = claims.filter_map(|claim| decode::<Claim>(&claim, claim.len()).ok());
        ending.extend(said.map(|claim| claim.at));
        ending
    }

    /// Writes a log that is kept, without the texts in it that end all the same.
    fn write_log(
        &mut self,
        id: ChannelId,
        log: &Log,
        ending: &BTreeSet<Place>,
    ) -> Result<(), CreateError> {
        self.put(&Item::Log {
            log: log.id,
            value: encode(log).into(),
        })?;
        let living = log.living();
        for (mut value, mut envelope) in envelopes(self.view, id, log) {
            let place = envelope.place();
            if ending.contains(&place) {
                envelope.erase_body();
                value = envelope.to_stored();
                self.counted.left_out += u64::from(living.contains(place.seq));
            }
            self.counted.entries += 1;
            self.put(&Item::Envelope {
                seq: place.seq,
                value: value.into(),
            })?;
        }
        match self.view.fork(&id, &log.id) {
            Some(fork) => self.put(&Item::Fork { value: fork.into() }),
            None => Ok(()),
        }
    }
}

/// The envelopes of a log, as stored and as read. One that cannot be read is passed over: it comes
/// back from others, as after any damage.
fn envelopes<'a>(
    view: &'a View<'a>,
    id: ChannelId,
    log: &Log,
) -> impl Iterator<Item = (Vec<u8>, Envelope)> + use<'a> {
    let log = log.id;
    let mut next = Some(1);
    let pages = std::iter::from_fn(move || {
        let page = view.envelopes(&id, &log, next?, READ_AHEAD, PAGE_BYTES);
        next = page.last().map(|(last, _)| last + 1);
        next.is_some().then_some(page)
    });
    pages.flatten().filter_map(move |(seq, stored)| {
        let envelope = Envelope::from_stored(&stored, &id, log.place(seq)).ok()?;
        Some((stored, envelope))
    })
}

/// Whether a log is kept for ever.
fn is_kept(roster: &Roster, log: &Log) -> bool {
    roster.segment_ends_at(&log.id.segment).is_none()
}

/// Whether everything that is sealed in an epoch is kept for ever.
fn is_for_ever(roster: &Roster, keys: &EpochKeys) -> bool {
    let kept = roster.epochs.get(&keys.epoch).map(|epoch| epoch.kept);
    keys.term == Term::FOREVER
        && kept.unwrap_or(keys.term) == Term::FOREVER
        && roster.ends_at(&keys.epoch, Hlc::default(), None).is_none()
}
