//! The one shape of Automerge change that a segment document takes, byte by byte.
//!
//! A writer's change with number `seq` does one thing: it puts one entry, as bytes, under key
//! `<kind letter><seq>` of the map at root key `<actor hex>/<seq / 64>`. The change with number 1
//! and every one whose number is a multiple of 64 first makes that map. So actor, number, hash of
//! the change before, kind and entry decide every byte of it, down to the op counters, and this
//! file is that function. It encodes what Automerge's format (its binary format specification,
//! change chunks) would; that the two agree is tested, and pinned by golden vectors.

use crate::crypto::hash::sha256;
use crate::ids::Actor;
use crate::limits::BLOCK_ENTRIES;

/// What every Automerge chunk begins with.
pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The chunk type of an uncompressed change. Type 2 inflates to anything; no other is a change.
pub(super) const UNCOMPRESSED: u8 = 1;
/// Bytes before a chunk's length: magic, checksum and type.
pub(super) const HEAD_LEN: usize = 9;

/// Column of the object an op is in: actor, counter.
const OBJ_ACTOR: u8 = 0x01;
const OBJ_COUNTER: u8 = 0x02;
/// Column of map keys.
const KEY: u8 = 0x15;
/// Column of list inserts, of which there are none.
const INSERT: u8 = 0x34;
/// Column of actions: 0 makes a map, 1 puts a value.
const ACTION: u8 = 0x42;
/// Columns of values: length and type, then the bytes.
const VALUE_META: u8 = 0x56;
pub(super) const VALUE: u8 = 0x57;
/// Column of how many earlier values an op replaces: none.
const PRED: u8 = 0x70;

/// Value type "bytes" in a value's meta column.
const TYPE_BYTES: u64 = 7;
/// RLE head (signed LEB128) of one literal, and of two.
const ONE: u8 = 0x7f;
const TWO: u8 = 0x7e;

/// What decides a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Hash of the same writer's change before; none for number 1.
    pub(super) dep: Option<[u8; 32]>,
    /// The kind's letter.
    pub(super) kind: char,
    /// The entry, at least one byte.
    pub(super) entry: &'a [u8],
}

/// The number of the block of entries that a change writes to.
pub(super) const fn block(seq: u32) -> u32 {
    seq / BLOCK_ENTRIES
}

/// Whether the change makes its block's map.
pub(super) const fn makes_block(seq: u32) -> bool {
    seq == 1 || seq.is_multiple_of(BLOCK_ENTRIES)
}

/// The counter of a change's first op: one op for each change before, one more for each map made.
pub(super) fn start_op(seq: u32) -> u64 {
    let maps = if seq <= 1 {
        0
    } else {
        1 + (seq - 1) / BLOCK_ENTRIES
    };
    u64::from(seq) + u64::from(maps)
}

/// The root key of a block's map.
pub(super) fn block_key(actor: &Actor, block: u32) -> String {
    let mut key = String::with_capacity(40);
    for byte in actor.0 {
        for nibble in [byte >> 4, byte & 15] {
            key.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is one hex digit"));
        }
    }
    key.push('/');
    key.push_str(&block.to_string());
    key
}

/// The key of an entry in its block's map.
pub(super) fn entry_key(kind: char, seq: u32) -> String {
    format!("{kind}{seq}")
}

/// The change's bytes and its Automerge hash.
pub(super) fn write(actor: &Actor, seq: u32, parts: &Parts<'_>) -> (Vec<u8>, [u8; 32]) {
    let mut body = Vec::with_capacity(192 + parts.entry.len());
    body.push(u8::from(parts.dep.is_some()));
    body.extend(parts.dep.iter().flatten());
    body.extend(preamble(actor, seq));
    columns(actor, seq, parts).write(&mut body);

    let mut length = Vec::with_capacity(3);
    leb128(&mut length, body.len() as u64);
    let hash = sha256(&[&[UNCOMPRESSED], &length, &body]);
    let bytes = [&MAGIC, &hash[..4], &[UNCOMPRESSED], &length, &body].concat();
    (bytes, hash)
}

/// What stands between the dependency and the columns: actor, number, first op counter, and then
/// no time, no message and no other actor.
pub(super) fn preamble(actor: &Actor, seq: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    leb128(&mut bytes, Actor::LEN as u64);
    bytes.extend(actor.0);
    leb128(&mut bytes, u64::from(seq));
    leb128(&mut bytes, start_op(seq));
    bytes.extend([0, 0, 0]);
    bytes
}

fn columns(actor: &Actor, seq: u32, parts: &Parts<'_>) -> Columns {
    let makes = makes_block(seq);
    // In the change that makes the map, every column has the making op's value first.
    let lead = |null_run: &'static [u8]| if makes { null_run } else { &[] };
    let map = start_op((block(seq) * BLOCK_ENTRIES).max(1));
    let mut keys = vec![if makes { TWO } else { ONE }];
    if makes {
        text(&mut keys, &block_key(actor, block(seq)));
    }
    text(&mut keys, &entry_key(parts.kind, seq));
    let mut counter = [lead(&[0, 1]), &[ONE]].concat();
    leb128(&mut counter, map);
    let mut meta = if makes { vec![TWO, 0] } else { vec![ONE] };
    leb128(&mut meta, (parts.entry.len() as u64) << 4 | TYPE_BYTES);

    let mut columns = Columns::default();
    columns.push(OBJ_ACTOR, &[lead(&[0, 1]), &[ONE, 0]].concat());
    columns.push(OBJ_COUNTER, &counter);
    columns.push(KEY, &keys);
    columns.push(INSERT, &[if makes { 2 } else { 1 }]);
    columns.push(ACTION, if makes { &[TWO, 0, 1] } else { &[ONE, 1] });
    columns.push(VALUE_META, &meta);
    columns.push(VALUE, parts.entry);
    columns.push(PRED, if makes { &[2, 0] } else { &[ONE, 0] });
    columns
}

/// A table of columns and, behind it, what is in them.
#[derive(Default)]
struct Columns {
    count: u8,
    table: Vec<u8>,
    data: Vec<u8>,
}

impl Columns {
    fn push(&mut self, column: u8, data: &[u8]) {
        self.count += 1;
        self.table.push(column);
        leb128(&mut self.table, data.len() as u64);
        self.data.extend_from_slice(data);
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.count);
        out.extend_from_slice(&self.table);
        out.extend_from_slice(&self.data);
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    leb128(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
