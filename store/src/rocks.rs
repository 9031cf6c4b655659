//! The border to RocksDB: where a database lives, how it is opened, and what its memory is
//! bounded to.
//!
//! Strict opening stops at the first thing that is not as written, so that nothing is lost
//! unnoticed; lenient opening takes what is readable and is for salvage alone.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    DEFAULT_COLUMN_FAMILY_NAME, Env, InfoLogger, LogLevel, Options, SliceTransform,
    WriteBufferManager,
};

use crate::error::StoreError;
use crate::table::Table;

/// Bytes of blocks, indexes and filters kept in memory for each home.
const CACHE_BYTES: usize = 12 << 20;
/// Bytes of recent writes kept in memory, over all tables.
const WRITE_BUFFERS_BYTES: usize = 16 << 20;
/// Bytes of recent writes kept in memory for one table.
const WRITE_BUFFER_BYTES: usize = 8 << 20;
/// Bytes of write-ahead log, and so of what a start has to replay.
const WAL_BYTES: u64 = 12 << 20;
/// Files open at a time.
const OPEN_FILES: i32 = 256;
/// Seconds before a file of the last level is rewritten for no other reason than its age.
const REWRITE_DELAY_S: u32 = 7 * 24 * 3_600;
/// Bits of filter for each key: one look in a hundred is in vain.
const FILTER_BITS: f64 = 10.0;

/// RocksDB's in-memory file system, one for each simulated home. What is written to it stays as
/// long as a clone lives, so that a store can be closed and opened again.
#[derive(Clone)]
pub struct MemoryEnv {
    data: Env,
    keys: Env,
}

impl MemoryEnv {
    /// An empty file system.
    ///
    /// # Errors
    /// [`StoreError::Database`] if RocksDB cannot make one.
    pub fn new() -> Result<Self, StoreError> {
        Ok(Self {
            data: Env::mem_env()?,
            keys: Env::mem_env()?,
        })
    }
}

impl std::fmt::Debug for MemoryEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryEnv")
    }
}

/// Where a store keeps its files.
#[derive(Debug, Clone)]
pub enum Medium {
    /// In the home, on the disk.
    Disk,
    /// In memory.
    Memory(MemoryEnv),
}

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// Everything that is sealed record by record.
    Data,
    /// Window keys and epochs.
    Keys,
}

impl Database {
    pub(crate) const fn directory(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Keys => "keys",
        }
    }

    pub(crate) const fn tables(self) -> &'static [Table] {
        match self {
            Self::Data => &Table::DATA,
            Self::Keys => &Table::KEYS,
        }
    }
}

/// How much an opening puts up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// Anything unreadable is an error, except the torn end of the log after a crash.
    Strict,
    /// Whatever is readable is taken, and nothing is compacted.
    Lenient,
}

/// How the names of RocksDB's tables end.
pub(crate) const TABLE: &str = ".sst";
/// How those of its write-ahead log end.
pub(crate) const LOG: &str = ".log";

/// Whether a file of a database holds records, by its name.
pub(crate) fn is_of_records(name: &str) -> bool {
    let is_numbered = name.starts_with(|first: char| first.is_ascii_digit());
    is_numbered && (name.ends_with(TABLE) || name.ends_with(LOG))
}

/// Where one database is and how it is opened.
#[derive(Clone)]
pub(crate) struct Location {
    pub(crate) database: Database,
    pub(crate) path: PathBuf,
    env: Option<Env>,
}

impl Location {
    pub(crate) fn new(home: &Path, database: Database, medium: &Medium) -> Self {
        match medium {
            Medium::Disk => Self {
                database,
                path: home.join(database.directory()),
                env: None,
            },
            // The binding makes the directory on the real disk, too: one that exists is harmless,
            // and the two in-memory file systems keep the databases apart.
            Medium::Memory(memory) => {
                let env = match database {
                    Database::Data => memory.data.clone(),
                    Database::Keys => memory.keys.clone(),
                };
                Self {
                    database,
                    path: std::env::temp_dir(),
                    env: Some(env),
                }
            }
        }
    }

    /// The same database in another directory.
    pub(crate) fn at(&self, path: PathBuf) -> Self {
        Self {
            path,
            ..self.clone()
        }
    }

    pub(crate) const fn is_on_disk(&self) -> bool {
        self.env.is_none()
    }

    pub(crate) fn open(&self, care: Care) -> Result<DB, rocksdb::Error> {
        DB::open_cf_descriptors(&self.options(care), &self.path, self.tables(care)?)
    }

    /// Opens a database beside whoever writes to it, as it is now. Its files are all opened at
    /// once, so that it can be read to the end although they are replaced meanwhile.
    pub(crate) fn open_for_reading(&self) -> Result<DB, rocksdb::Error> {
        let mut options = self.options(Care::Strict);
        options.create_if_missing(false);
        options.create_missing_column_families(false);
        options.set_max_open_files(-1);
        let tables = self.tables(Care::Strict)?;
        DB::open_cf_descriptors_read_only(&options, &self.path, tables, false)
    }

    fn tables(&self, care: Care) -> Result<Vec<ColumnFamilyDescriptor>, rocksdb::Error> {
        let cache = Cache::new_lru_cache(CACHE_BYTES);
        let mut tables = vec![unused_table()];
        for &table in self.database.tables() {
            let mut options = table_options(table, self.database, &cache)?;
            options.set_disable_auto_compactions(care == Care::Lenient);
            tables.push(ColumnFamilyDescriptor::new(table.name(), options));
        }
        Ok(tables)
    }

    /// Rebuilds the list of files of a database whose own list is unreadable.
    pub(crate) fn rebuild_manifest(&self) -> Result<(), rocksdb::Error> {
        DB::repair(&self.options(Care::Lenient), &self.path)
    }

    fn options(&self, care: Care) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        if let Some(env) = &self.env {
            options.set_env(env);
        }
        // RocksDB would write paths and options into a log of its own.
        options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| ()));
        match care {
            Care::Strict => {
                options.set_paranoid_checks(true);
                options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
            }
            Care::Lenient => {
                options.set_paranoid_checks(false);
                options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
            }
        }
        bound_memory(&mut options);
        bound_files(&mut options);
        options
    }
}

/// The table that RocksDB has in every database and that nothing is written to. After a full disk
/// RocksDB goes on once there is room for the largest write buffer of any table, which would be
/// this one's.
fn unused_table() -> ColumnFamilyDescriptor {
    let mut options = Options::default();
    options.set_write_buffer_size(64 << 10);
    options.set_arena_block_size(4 << 10);
    ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, options)
}

fn bound_memory(options: &mut Options) {
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(
        WRITE_BUFFERS_BYTES,
        false,
    ));
    options.set_compaction_readahead_size(256 << 10);
    options.set_max_open_files(OPEN_FILES);
    options.set_table_cache_num_shard_bits(2);
    options.set_max_background_jobs(2);
    options.set_max_file_opening_threads(1);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // There is one writer.
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);
}

fn bound_files(options: &mut Options) {
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_recycle_log_file_num(0);
    options.set_keep_log_file_num(1);
    options.set_max_manifest_file_size(1 << 20);
    options.set_manifest_preallocation_size(64 << 10);
    options.set_skip_stats_update_on_db_open(true);
    options.set_bytes_per_sync(1 << 20);
}

fn table_options(
    table: Table,
    database: Database,
    cache: &Cache,
) -> Result<Options, rocksdb::Error> {
    // Without a delay every view that ends would have files of the last level rewritten, only to
    // make their sequence numbers smaller.
    let mut options = Options::default().get_options_from_string(format!(
        "bottommost_file_compaction_delay={REWRITE_DELAY_S}"
    ))?;
    // What is sealed does not get smaller.
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(match database {
        Database::Data => WRITE_BUFFER_BYTES,
        Database::Keys => 1 << 20,
    });
    // Sixteen tables with a few records each should not take a mebibyte each.
    options.set_arena_block_size(64 << 10);
    options.set_max_write_buffer_number(3);
    options.set_target_file_size_base(16 << 20);
    options.set_max_bytes_for_level_base(64 << 20);
    if table == Table::Claims {
        // Most messages have no edit, deletion or reaction: the filters say so without a read.
        options.set_prefix_extractor(SliceTransform::create_fixed_prefix(
            kith_crdt::ids::MessageId::LEN,
        ));
        options.set_memtable_prefix_bloom_ratio(0.02);
    }
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks.set_bloom_filter(FILTER_BITS, false);
    blocks.set_optimize_filters_for_memory(true);
    blocks.set_block_size(if table == Table::Envelopes {
        8 << 10
    } else {
        4 << 10
    });
    options.set_block_based_table_factory(&blocks);
    Ok(options)
}
