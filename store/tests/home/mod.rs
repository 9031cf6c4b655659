//! A throw-away home with a store in it, and the names that tests write under.

#![expect(dead_code, reason = "each test uses its own part of this")]

use std::path::{Path, PathBuf};

use kith_crdt::crypto::secret::Secret;
use kith_crdt::ids::{ChannelId, DeviceId, LogId, Place, SegmentId, Window, Writer};
use kith_crdt::term::{Span, Term};
use kith_crdt::time::{HOUR_MS, Hlc, Millis};
use kith_store::{Medium, Store, StoreError};

pub(crate) const CHANNEL: ChannelId = ChannelId([1; 32]);
pub(crate) const OTHER: ChannelId = ChannelId([2; 32]);

pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<Store, StoreError> {
        Store::open(self.path(), &master(), Medium::Disk)
    }

    /// Every file of the home.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.path().to_path_buf()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path)
                } else {
                    files.push(path)
                }
            }
        }
        files.sort();
        files
    }

    /// Every file of the home with what is in it.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.files()
            .into_iter()
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    }

    pub(crate) fn contains(&self, bytes: &[u8]) -> bool {
        self.contents()
            .iter()
            .any(|(_, content)| content.windows(bytes.len()).any(|part| part == bytes))
    }
}

pub(crate) fn master() -> Secret {
    Secret::new([42; 32])
}

pub(crate) fn writer(number: u8) -> Writer {
    Writer {
        device: DeviceId([number; 32]),
        incarnation: 0,
    }
}

pub(crate) fn log(window: u32, number: u8) -> LogId {
    LogId {
        segment: SegmentId {
            window: Window(window),
            index: 0,
        },
        writer: writer(number),
    }
}

pub(crate) fn place(window: u32, number: u8, seq: u32) -> Place {
    log(window, number).place(seq)
}

/// A time so many milliseconds into a window.
pub(crate) fn hlc(window: u32, ms: u64) -> Hlc {
    Hlc::at(Millis(u64::from(window) * HOUR_MS + ms))
}

/// The window and the term that everything of a day is kept in.
pub(crate) fn span(window: u32) -> Span {
    Span {
        window: Window(window),
        term: Term::FOREVER,
    }
}
