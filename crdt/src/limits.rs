//! Every bound of the protocol, with its unit and its reason. What arrives from outside is held
//! against these before it is parsed.

/// Characters in a message: longer things are files.
pub const TEXT_MAX_CHARS: usize = 10_000;
/// Bytes in an envelope: the longest text in the widest script, sealed and padded, fits.
pub const ENVELOPE_MAX: usize = 64 * 1024;
/// Bytes in a control op: a certificate of 32 devices fits.
pub const OP_MAX: usize = 64 * 1024;
/// Characters in a name of an account, device or channel: one line of a list.
pub const NAME_MAX_CHARS: usize = 64;
/// Characters in a topic: a few lines.
pub const TOPIC_MAX_CHARS: usize = 256;
/// Bytes in one emoji: the longest in Unicode 16 is 35.
pub const EMOJI_MAX: usize = 64;
/// Different emoji on one message: more cannot be shown.
pub const EMOJI_PER_MESSAGE: usize = 64;
/// Messages pinned in a channel: what is pinned is to be seen at a glance.
pub const PINS_PER_CHANNEL: usize = 64;
/// Entries that pin or unpin which are looked through for what is pinned, the newest: whoever may
/// pin could otherwise make that take as long as they like.
pub const PIN_ENTRIES: usize = 4_096;
/// Accounts in a channel: rosters are held in memory.
pub const ACCOUNTS_PER_CHANNEL: usize = 1_000;
/// Devices of an account.
pub const DEVICES_PER_ACCOUNT: usize = 32;
/// Devices that an account has in one account epoch, one after the other: everybody's rosters keep
/// them.
pub const DEVICES_PER_EPOCH: usize = 1_024;
/// Devices that one list revokes: four times as many as there are at once, and
/// the phrase begins a new one.
pub const REVOKED_PER_EPOCH: usize = 128;
/// Bytes of one signed part of a certificate: a list of 32 devices, all of which manage, with 128
/// revoked and the longest name fits.
pub const CERTIFICATE_PART_MAX: usize = 8 * 1024;
/// Channels on a node: each has a gossip topic.
pub const CHANNELS_PER_NODE: usize = 2_000;
/// Channels that one account may have added this one to and that it has not answered in: more than
/// anybody needs who knows what they are adding somebody to, and few enough to be left by hand.
pub const ADDED_BY_ONE: usize = 16;
/// Those that all accounts together may: whoever makes up accounts must not fill what is left of
/// [`CHANNELS_PER_NODE`] for this account's own use.
pub const ADDED_BY_ALL: usize = 128;
/// Channels not taken in for that reason that are remembered, so as not to fetch their control logs
/// again and again.
pub const ADDITIONS_DECLINED: usize = 256;
/// Messages on one page of a timeline.
pub const PAGE_MAX: usize = 500;
/// Parents of a control op: a merge of that many heads at once is enough to converge.
pub const PARENTS_MAX: usize = 32;
/// Control ops that a channel's log may hold: resolution is held in memory.
pub const OPS_PER_CHANNEL: usize = 100_000;
/// Control ops of one device in a channel's log: eighty years of weekly epochs.
pub const OPS_PER_DEVICE: usize = 4_096;
/// Bytes of control ops that a channel's log may hold: 100,000 honest ops have a quarter of that.
pub const CONTROL_BYTES_PER_CHANNEL: usize = 128 * 1024 * 1024;
/// Entries in the ancestor clocks of a channel's log, 8 bytes each: honest logs need a few per
/// op, only ops written to be concurrent with everything need many.
pub const CLOCK_ENTRIES_PER_CHANNEL: usize = 4_000_000;
/// Ops that an explanation names: more than one screen is read by nobody.
pub const EXPLANATION_STEPS: usize = 64;
/// Control ops of one channel waiting for ancestors, whoever sent them.
pub const ORPHANS_PER_CHANNEL: usize = 1_000;
/// Bytes of control ops of one channel waiting for ancestors.
pub const ORPHAN_BYTES_PER_CHANNEL: usize = 4 * 1024 * 1024;
/// Control ops of one peer waiting for ancestors.
pub const ORPHANS_PER_PEER: usize = 1_000;
/// Envelopes in a segment before writers go on in the next: a document loads in milliseconds.
pub const SEGMENT_ENVELOPES: u32 = 4_096;
/// Envelopes one writer may have in a segment: a full segment plus what was written while
/// apart from the others.
pub const LOG_ENVELOPES: u32 = 8_192;
/// The largest number of a segment among those of one window and term: four million messages a day.
pub const SEGMENT_NUMBER_MAX: u32 = 1_023;
/// Hours that a segment with an end may keep what is in it: ten years.
pub const TERM_MAX_HOURS: u32 = 3_653 * 24;
/// Logs of one device in a segment, one for each incarnation: crashes and restores of one device
/// in a day. Of more, those of the smallest incarnations count, so that every node keeps the same.
pub const LOGS_PER_DEVICE: usize = 1_024;
/// Milliseconds that an author's clock may be ahead of ours before the entry has to wait.
pub const CLOCK_SKEW_MAX_MS: u64 = 5 * 60_000;
/// Milliseconds that a moment (typing, presence) may be off our clock.
pub const MOMENT_SKEW_MAX_MS: u64 = 30_000;
/// Seen-ranges in one entry.
pub const SEEN_RANGES_MAX: usize = 256;
/// Settings that one replaces: each device of the account may have set something else.
pub const SETTING_REPLACES_MAX: usize = 64;
/// Entries in one block of a segment document: an Automerge change costs what its object holds.
pub const BLOCK_ENTRIES: u32 = 64;
/// Bytes of an Automerge change after unpadding: an entry with all its fields is under 16 KiB.
pub const CHANGE_MAX: usize = 24 * 1024;
/// Bytes of a gossip frame's content before sealing.
pub const FRAME_MAX: usize = 48 * 1024;
/// Bytes of a whole sealed frame: an envelope of the largest size still fits in one.
pub const FRAME_SEALED_MAX: usize = 80 * 1024;
/// Envelopes or control ops in one frame.
pub const FRAME_ITEMS: usize = 64;
/// Bytes of envelopes or control ops in one page of sync.
pub const PAGE_BYTES: usize = 512 * 1024;
/// Bytes of one sync message: a page and its framing.
pub const SYNC_MESSAGE_MAX: usize = 544 * 1024;
/// Segments in one request for vectors.
pub const VECTOR_SEGMENTS: usize = 256;
/// Logs in one request for envelopes.
pub const PULL_LOGS: usize = 1_024;
/// Log positions in one beacon.
pub const BEACON_POSITIONS: usize = 512;
/// Ranges of erased numbers in one beacon: what ended in order is one range for each log.
pub const BEACON_ERASED: usize = 128;
/// Addresses in a beacon or an invite, per device.
pub const ADDRESSES_MAX: usize = 8;
/// Bytes of one address as text.
pub const ADDRESS_MAX: usize = 256;
/// Hosts named in an invite link: any one of them is enough to join.
pub const LINK_HOSTS_MAX: usize = 8;
/// Bytes of an invite link, or one for a device, before it is written in base32.
pub const LINK_MAX: usize = 24 * 1024;
/// Uses of an invite: no more accounts than that fit in a channel anyway.
pub const INVITE_USES_MAX: u32 = ACCOUNTS_PER_CHANNEL as u32;
/// Milliseconds from the making of an invite to its end: whoever forgets it is not to find it open
/// years later. Held by the node that makes one.
pub const INVITE_LIFE_MAX_MS: u64 = 366 * 24 * 3_600_000;
/// Log positions that a removal lists: half a year of days from two devices.
pub const LAST_SEEN_POSITIONS: usize = 512;
/// Days of history that a policy may give newcomers; ten years are everything.
pub const HISTORY_DAYS_MAX: u16 = 3_650;
/// Epochs that an Epoch op says it replaces.
pub const EPOCH_REPLACES_MAX: usize = 32;
/// Epochs asked for in one key request.
pub const KEY_REQUEST_EPOCHS: usize = 64;
/// Hours after which an epoch is replaced by whoever writes next: a week.
pub const EPOCH_REPLACED_HOURS: u32 = 7 * 24;
/// Hours after its first window in which an epoch is written in: it begins a day early, is replaced
/// after a week, and clocks differ.
pub const EPOCH_WRITTEN_HOURS: u32 = 10 * 24;
/// Windows of an epoch that its op vouches for. An epoch is written in for a week: eight windows
/// of a day, 169 of an hour.
pub const CHAIN_WINDOWS: u32 = 256;
/// Steps a window chain is walked forward in one go: eleven years of days.
pub const CHAIN_STEPS_MAX: u32 = 4_096;
/// Control ops named in one sync message as heads or as held: a log has a few, and a merge of
/// many costs its writer as many ops.
pub const SYNC_HEADS: usize = 4_096;
/// Control heads in a summary, which has to stay below 1 KiB where nothing differs.
pub const SUMMARY_HEADS: usize = 16;
/// Segments listed in one sync message: twenty years of days.
pub const SYNC_SEGMENTS: usize = 8_192;
/// Beacons named or sent in one sync message.
pub const SYNC_BEACONS: usize = 4_096;
/// Requests in a row that may bring nothing new before a sync session ends: the vectors of eight
/// thousand segments that hold nothing for us.
pub const SYNC_IDLE_ROUNDS: u32 = 256;
/// Requests in one sync session: eight gibibytes of pages. The next one goes on from there.
pub const SYNC_ROUNDS: u32 = 16_384;
/// Bytes of an envelope's header: all fields at their largest, and room for later ones.
pub const HEADER_MAX: usize = 512;
/// Bytes of a fork proof: two headers and two signatures.
pub const FORK_MAX: usize = 1_280;
/// Writers per account and segment whose reading is remembered: as many as a segment has envelopes.
pub const SEEN_WRITERS_MAX: usize = 8_192;
/// Devices that may ask by a link for one, and codes that may be typed wrongly.
pub const DEVICE_LINK_TRIES: u8 = 3;
/// The longest that a link for a device holds.
pub const DEVICE_LINK_LIFE_MAX_MS: u64 = 24 * 3_600_000;
