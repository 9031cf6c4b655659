//! What the writer and every reader have in common: the database, the keys that open its
//! records, and the damage seen.

use kith_crdt::crypto::kdf::expand_secret;
use kith_crdt::crypto::secret::Secret;
use rocksdb::{ColumnFamily, DB, ReadOptions};

use crate::damage::{DamageKind, DamageLog};
use crate::error::StoreError;
use crate::keys::RecordKeys;
use crate::rocks::Location;
use crate::scan::Cursor;
use crate::seal::{Sealed, Site, TABLE_KEY};
use crate::table::Table;
use crate::window_keys::{Lookup, WindowKeys};

/// Times that another opening is tried.
const OPENINGS_MAX: usize = 5;

/// The key that each table has for itself.
#[derive(Clone)]
pub(crate) struct TableKeys(Vec<Secret>);

impl TableKeys {
    pub(crate) fn new(master: &Secret) -> Self {
        let tables = Table::DATA.into_iter().chain(Table::KEYS);
        Self(
            tables
                .map(|table| expand_secret(master, "table", &[table.name().as_bytes()]))
                .collect(),
        )
    }

    pub(crate) fn get(&self, table: Table) -> &Secret {
        &self.0[table.index()]
    }
}

/// A record that could be read.
pub(crate) struct Record {
    /// The number of the key it was sealed under.
    pub(crate) number: u32,
    /// What was written.
    pub(crate) plain: Vec<u8>,
}

/// What a look at one key finds.
pub(crate) enum Found {
    /// There is no such record, or what it was sealed under has been deleted.
    Nothing,
    /// The record.
    Record(Record),
    /// There is one and it cannot be read; it has been noted.
    Damaged,
}

impl Found {
    /// The record, if it can be read.
    pub(crate) fn readable(self) -> Option<Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Nothing | Self::Damaged => None,
        }
    }
}

/// One open home.
pub(crate) struct Shared {
    pub(crate) db: DB,
    pub(crate) keys: RecordKeys,
    pub(crate) table_keys: TableKeys,
    pub(crate) window_keys: WindowKeys,
    pub(crate) damage: DamageLog,
    /// Where its two databases are, for whoever opens them once more.
    pub(crate) data_at: Location,
    pub(crate) keys_at: Location,
}

impl Shared {
    /// The same home in another opening, with a count of damage of its own.
    pub(crate) fn beside(&self, db: DB, window_keys: WindowKeys, damage: DamageLog) -> Self {
        Self {
            db,
            keys: self.keys.clone(),
            table_keys: self.table_keys.clone(),
            window_keys,
            damage,
            data_at: self.data_at.clone(),
            keys_at: self.keys_at.clone(),
        }
    }

    /// Opens the home once more beside whoever writes to it. Tries a few times: files may be
    /// replaced while it looks for them.
    ///
    /// # Errors
    /// What the last time failed with.
    pub(crate) fn open_again<T>(
        &self,
        open: impl Fn(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tried = open(self);
        for _ in 1..OPENINGS_MAX {
            if tried.is_ok() {
                break;
            }
            tried = open(self);
        }
        tried
    }

    pub(crate) fn table(&self, table: Table) -> &ColumnFamily {
        self.db
            .cf_handle(table.name())
            .expect("every table is made when the database is opened")
    }

    /// Opens a record as it was found, noting damage.
    pub(crate) fn open(&self, site: Site<'_>, record: &[u8]) -> Found {
        let Some(sealed) = Sealed::split(record) else {
            return self.damaged(site, DamageKind::Seal);
        };
        let opened = match sealed.number {
            TABLE_KEY => sealed.open(site, self.table_keys.get(site.table)),
            number => match self.window_keys.secret(number) {
                Lookup::Alive(key) => sealed.open(site, &key),
                Lookup::Gone => return Found::Nothing,
                Lookup::Lost => return self.damaged(site, DamageKind::Key),
            },
        };
        match opened {
            Ok(plain) => Found::Record(Record {
                number: sealed.number,
                plain,
            }),
            Err(_) => self.damaged(site, DamageKind::Seal),
        }
    }

    /// Reads one record.
    pub(crate) fn get(&self, site: Site<'_>, options: &ReadOptions) -> Found {
        match self
            .db
            .get_pinned_cf_opt(self.table(site.table), site.key, options)
        {
            Ok(Some(record)) => self.open(site, &record),
            Ok(None) => Found::Nothing,
            Err(_) => {
                self.damage.note_block(site.table.name(), site.key);
                Found::Damaged
            }
        }
    }

    /// A cursor over the rows of a table from `lower` to before `upper`, read with the options
    /// that `options` makes.
    pub(crate) fn cursor<'a>(
        &'a self,
        table: Table,
        lower: Vec<u8>,
        upper: Vec<u8>,
        options: impl Fn() -> ReadOptions + 'a,
    ) -> Cursor<'a> {
        let bounds = (lower.clone(), upper.clone());
        let rows = move || {
            let mut options = options();
            options.set_iterate_lower_bound(lower.as_slice());
            if !upper.is_empty() {
                options.set_iterate_upper_bound(upper.as_slice());
            }
            self.db.raw_iterator_cf_opt(self.table(table), options)
        };
        Cursor::new(rows, table, bounds, &self.damage)
    }

    /// Notes that a record opens but is not of the form it should have.
    pub(crate) fn malformed(&self, site: Site<'_>) {
        self.damage
            .note(site.table.name(), site.key, DamageKind::Form);
    }

    fn damaged(&self, site: Site<'_>, kind: DamageKind) -> Found {
        self.damage.note(site.table.name(), site.key, kind);
        Found::Damaged
    }
}
