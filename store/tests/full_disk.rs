//! A full disk: what is refused, what stays readable, and that it goes on once there is space.
//!
//! The disk is a small file system in memory, which takes the right to mount one; without it
//! these tests say so and check nothing.

#![expect(
    clippy::unwrap_used,
    reason = "a test that lacks what it needs has failed"
)]
#![expect(clippy::print_stderr, reason = "a skipped test has to say so")]

mod home;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use home::{CHANNEL, hlc, log, master, place, span};
use kith_crdt::ids::{EpochId, MessageId};
use kith_store::{CommitInfo, Line, Medium, Store, StoreError};

const DAY: u32 = 480_000;
/// RocksDB looks for space every five seconds; much more than that is a failure.
const RECOVERY: Duration = Duration::from_secs(40);

/// A file system of 32 MiB that nothing else writes to.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: no right to mount a file system");
        }
        mounted.then_some(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(self.path(), &master(), Medium::Disk)
    }

    /// Leaves so many bytes and no more.
    fn fill_but(&self, left: usize) {
        let reserve = self.path().join("reserve");
        fs::write(&reserve, vec![1; left]).unwrap();
        self.fill();
        fs::remove_file(reserve).unwrap();
    }

    /// Leaves no space at all.
    fn fill(&self) {
        let mut ballast = File::create(self.path().join("ballast")).unwrap();
        for size in [1 << 20, 4 << 10, 1] {
            let error = loop {
                if let Err(error) = ballast.write_all(&vec![1; size]) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
    }

    fn free(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

/// One message: its envelope, its id, its place in the timeline, its log's state and its event.
fn message(store: &mut Store, window: u32, seq: u32) -> Result<CommitInfo, StoreError> {
    let here = place(window, 1, seq);
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &here, vec![7; 30_000]);
    batch.put_message_id(&CHANNEL, &message_id(seq), &here);
    batch.insert_timeline(Line::main(&CHANNEL), hlc(window, seq.into()), here);
    batch.put_log(&CHANNEL, &here.log, seq.to_be_bytes());
    batch.append_event(seq.to_be_bytes());
    store.commit(batch)
}

fn message_id(seq: u32) -> MessageId {
    let mut id = [0; 10];
    id[..4].copy_from_slice(&seq.to_be_bytes());
    MessageId(id)
}

/// Writes messages from `seq` on until one is refused; returns its number and the refusal.
fn write_until_refused(store: &mut Store, mut seq: u32) -> (u32, StoreError) {
    loop {
        match message(store, DAY, seq) {
            Ok(_) => seq += 1,
            Err(error) => return (seq, error),
        }
    }
}

/// Everything says that messages 1 to `last` are there, and no other.
fn check_holds(store: &Store, last: u32) {
    let reader = store.reader();
    let view = reader.view();
    let here = place(DAY, 1, 1);
    let state = view.log(&CHANNEL, &here.log).unwrap().unwrap();
    assert_eq!(state, last.to_be_bytes());
    let envelopes = view.envelopes(&CHANNEL, &here.log, 1, usize::MAX, usize::MAX);
    assert!((1..=last).eq(envelopes.iter().map(|(seq, _)| *seq)));
    assert_eq!(view.count(Line::main(&CHANNEL), None), u64::from(last));
    assert!(view.message(&message_id(last)).is_some());
    assert!(view.message(&message_id(last + 1)).is_none());
    assert_eq!(view.newest_cursor(), Some(u64::from(last)));
    assert_eq!(view.events_since(0, usize::MAX).len(), last as usize);
    assert_eq!(store.damage_count(), 0);
}

/// Tries again until there is an answer other than that the disk is full.
fn once_there_is_space<T>(mut attempt: impl FnMut() -> Result<T, StoreError>) -> T {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(StoreError::DiskFull) if started.elapsed() < RECOVERY => {
                std::thread::park_timeout(Duration::from_millis(100));
            }
            done => return done.unwrap(),
        }
    }
}

#[test]
fn a_commit_on_a_full_disk_is_refused_whole_and_goes_through_once_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut store = disk.open().unwrap();
    message(&mut store, DAY, 1).unwrap();
    disk.fill();
    let (refused, error) = write_until_refused(&mut store, 2);
    assert!(matches!(error, StoreError::DiskFull), "{error:?}");
    check_holds(&store, refused - 1);
    let again = message(&mut store, DAY, refused);
    assert!(matches!(again, Err(StoreError::DiskFull)), "{again:?}");
    check_holds(&store, refused - 1);
    disk.free();
    once_there_is_space(|| message(&mut store, DAY, refused));
    check_holds(&store, refused);
    drop(store);
    check_holds(&disk.open().unwrap(), refused);
}

#[test]
fn what_a_full_disk_refused_is_not_there_after_a_restart_on_it() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut store = disk.open().unwrap();
    message(&mut store, DAY, 1).unwrap();
    disk.fill();
    let (refused, _) = write_until_refused(&mut store, 2);
    drop(store);
    match disk.open() {
        Ok(store) => check_holds(&store, refused - 1),
        Err(error) => assert!(matches!(error, StoreError::DiskFull), "{error:?}"),
    }
    disk.free();
    let mut store = disk.open().unwrap();
    check_holds(&store, refused - 1);
    message(&mut store, DAY, refused).unwrap();
    check_holds(&store, refused);
}

#[test]
fn keys_are_refused_by_a_full_disk_and_written_once_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut store = disk.open().unwrap();
    message(&mut store, DAY, 1).unwrap();
    disk.fill();
    let mut epochs = 0_u8;
    let refusal = loop {
        match store.put_epoch(&CHANNEL, &EpochId([epochs; 16]), &[epochs; 60_000]) {
            Ok(()) => epochs += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, StoreError::DiskFull), "{refusal:?}");
    assert_eq!(store.epochs(&CHANNEL).len(), usize::from(epochs));
    // The first record of a new window needs a new key.
    let next_day = message(&mut store, DAY + 24, 1);
    assert!(
        matches!(next_day, Err(StoreError::DiskFull)),
        "{next_day:?}"
    );
    assert_eq!(store.spans(&CHANNEL), [span(DAY)]);
    check_holds(&store, 1);
    disk.free();
    once_there_is_space(|| store.put_epoch(&CHANNEL, &EpochId([epochs; 16]), b"epoch"));
    once_there_is_space(|| message(&mut store, DAY + 24, 1));
    drop(store);
    let store = disk.open().unwrap();
    assert_eq!(store.epochs(&CHANNEL).len(), usize::from(epochs) + 1);
    assert_eq!(store.spans(&CHANNEL), [span(DAY), span(DAY + 24)]);
}

#[test]
fn shredding_on_a_full_disk_is_finished_later() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut store = disk.open().unwrap();
    message(&mut store, DAY, 1).unwrap();
    disk.fill();
    let (refused, _) = write_until_refused(&mut store, 2);
    let shredded = store.shred(&CHANNEL, &span(DAY));
    assert!(
        matches!(shredded, Err(StoreError::DiskFull)),
        "{shredded:?}"
    );
    check_holds(&store, refused - 1);
    disk.free();
    once_there_is_space(|| store.shred(&CHANNEL, &span(DAY)));
    assert!(store.spans(&CHANNEL).is_empty());
    let reader = store.reader();
    assert!(reader.view().log(&CHANNEL, &log(DAY, 1)).unwrap().is_none());
}

#[test]
fn what_could_not_be_rewritten_for_want_of_space_is_said_and_is_once_there_is_some() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let mut store = disk.open().unwrap();
    for seq in 1..=300 {
        message(&mut store, DAY, seq).unwrap();
    }
    let spans = [(CHANNEL, span(DAY))];
    store.reader().erase_replaced(&spans).unwrap();
    // Room for the log and a small table, and not for all that lies beside what is replaced.
    disk.fill_but(1 << 20);
    let here = place(DAY, 1, 1);
    let mut batch = store.batch();
    batch.put_envelope(&CHANNEL, &here, vec![7; 100]);
    store.commit(batch).unwrap();
    let failed = store.reader().erase_replaced(&spans);
    assert!(
        matches!(
            failed,
            Err(StoreError::NotRewritten { .. } | StoreError::DiskFull)
        ),
        "{failed:?}"
    );
    disk.free();
    let started = Instant::now();
    while let Err(error) = store.reader().erase_replaced(&spans) {
        assert!(started.elapsed() < RECOVERY, "{error}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn a_key_that_could_not_be_erased_for_want_of_space_is_erased_by_the_next_try_or_start() {
    for is_restarted in [false, true] {
        let Some(disk) = SmallDisk::mount() else {
            return;
        };
        let mut store = disk.open().unwrap();
        for epoch in 0..40 {
            let value = [epoch; 60_000];
            store
                .put_epoch(&CHANNEL, &EpochId([epoch; 16]), &value)
                .unwrap();
        }
        // Everything in one table.
        store
            .put_epoch(&CHANNEL, &EpochId([0; 16]), b"old")
            .unwrap();
        let tables = |directory: &Path| -> Vec<String> {
            let entries = fs::read_dir(directory.join("keys")).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".sst")).collect()
        };
        let before = tables(disk.path());
        disk.fill_but(512 << 10);
        let refused = store.put_epoch(&CHANNEL, &EpochId([0; 16]), b"new");
        assert!(
            matches!(
                refused,
                Err(StoreError::NotRewritten { .. } | StoreError::DiskFull)
            ),
            "{refused:?}"
        );
        disk.free();
        if is_restarted {
            drop(store);
            store = disk.open().unwrap();
        } else {
            let started = Instant::now();
            while let Err(error) = store.put_epoch(&CHANNEL, &EpochId([0; 16]), b"new") {
                assert!(started.elapsed() < RECOVERY, "{error}");
                std::thread::park_timeout(Duration::from_millis(100));
            }
        }
        let left = tables(disk.path());
        assert!(before.iter().all(|name| !left.contains(name)), "{left:?}");
        assert!(left.iter().all(|name| !name.starts_with("held-")));
        assert_eq!(store.epochs(&CHANNEL).len(), 40);
    }
}
