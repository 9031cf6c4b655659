//! Every bound of the network with its unit and its reason. The sizes of what is carried stand
//! in `kith_crdt::limits`.

use std::time::Duration;

use kith_crdt::limits::{CHANNELS_PER_NODE, FRAME_SEALED_MAX};

/// Commands that wait for the network. Ten turns of the engine.
pub(super) const COMMANDS_QUEUED: usize = 1_024;
/// Events that wait for the engine. What may be dropped is dropped beyond it.
pub(super) const EVENTS_QUEUED: usize = 1_024;
/// Events beyond [`EVENTS_QUEUED`] that may not be dropped; with as many the sockets are no
/// longer read.
pub(super) const EVENTS_OVERDUE: usize = 256;

/// Connections to one peer: two that dialled each other at once, and two that died unnoticed.
pub(super) const CONNECTIONS_PER_PEER: u32 = 4;
/// How long each of two nodes with one key is talked to before the other: a little longer than a
/// connection has to last to count as one that did (`dialer`).
pub(super) const TURN: Duration = Duration::from_secs(11);
/// How long the second may take to come before the first is taken again.
pub(super) const TURN_BEGINS: Duration = Duration::from_secs(5);
/// Connections dialled by others, of peers that are not protected.
pub(super) const CONNECTIONS_IN: u32 = 256;
/// Connections in all, of peers that are not protected.
pub(super) const CONNECTIONS: u32 = 384;
/// Connections from outside that have not finished their handshake.
pub(super) const HANDSHAKES_IN: u32 = 64;
/// Dials under way.
pub(super) const HANDSHAKES_OUT: u32 = 64;
/// Until a handshake has to be done.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Until a connection that nothing uses is closed.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two pings, and until a ping has to be answered. Two in a row have to fail, so a peer
/// that vanished is noticed within 32 s.
pub(super) const PING: Duration = Duration::from_secs(8);
/// Streams in one connection: those of requests, the rest for gossip, identify and ping. Each may
/// buffer 256 KiB. One too many breaks the connection.
pub(super) const STREAMS: usize = 64;
/// Inbound streams of one connection whose protocol is not agreed yet.
pub(super) const STREAMS_NEGOTIATING: usize = 32;

/// Requests and answers under way in one connection, in and out.
pub(super) const STREAMS_SYNC: usize = 40;
/// Until a request has to be answered, on either side.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Requests of this node under way, over all peers.
pub(super) const REQUESTS_OUT: usize = 1_024;
/// Requests of this node under way with one peer. Fewer than the peer allows: it learns a moment
/// later than we do that an answer has arrived.
pub(super) const REQUESTS_OUT_PER_PEER: usize = 16;
/// Requests of one peer that are not answered, or whose answer is not yet sent: as many streams
/// as are kept for them.
pub(super) const REQUESTS_IN_PER_PEER: usize = 20;
const _: () = assert!(REQUESTS_OUT_PER_PEER < REQUESTS_IN_PER_PEER);
const _: () = assert!(REQUESTS_OUT_PER_PEER + REQUESTS_IN_PER_PEER <= STREAMS_SYNC);
/// Such requests over all peers. Most are small.
pub(super) const REQUESTS_IN: usize = 512;
/// Bytes of answers that peers have not read yet.
pub(super) const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Topics of one peer: two epochs of each channel, and some to spare.
pub(super) const TOPICS_PER_PEER: usize = 4_096;
/// Bytes of a topic's name; ours have 26.
pub(super) const TOPIC_MAX: usize = 64;
const _: () = assert!(2 * CHANNELS_PER_NODE <= TOPICS_PER_PEER);
/// Bytes of subscriptions and control messages in one gossip message: [`TOPICS_PER_PEER`] topics
/// of 26 characters take 36 bytes each.
pub(super) const GOSSIP_CONTROL_MAX: usize = 192 * 1024;
const _: () = assert!(TOPICS_PER_PEER * 36 <= GOSSIP_CONTROL_MAX);
/// Bytes of one gossip message, and of what may lie in its stream's buffer (the library compares
/// the whole buffer with this): all subscriptions at once, or a frame, and what follows.
pub(super) const GOSSIP_MESSAGE_MAX: usize = 256 * 1024;
const _: () = assert!(2 * FRAME_SEALED_MAX + 16 * 1024 <= GOSSIP_MESSAGE_MAX);
const _: () = assert!(GOSSIP_CONTROL_MAX + 16 * 1024 <= GOSSIP_MESSAGE_MAX);
/// Messages offered or asked for by id in one gossip message: 34 bytes each, so that they fit
/// [`GOSSIP_CONTROL_MAX`].
pub(super) const GOSSIP_IDS: usize = 2_000;
const _: () = assert!(GOSSIP_IDS * 34 + 128 <= GOSSIP_CONTROL_MAX);
/// Gossip messages waiting for one slow peer; beyond it they are dropped.
pub(super) const GOSSIP_QUEUED: usize = 512;

/// Frames that one peer may send at once: somebody pastes ten thousand messages.
pub(super) const FRAMES_BURST: u64 = 16_384;
/// Frames that one peer may send per second. With the ids remembered for two minutes and the
/// frames for twelve seconds, a peer that goes on like this costs 100 MB.
pub(super) const FRAMES_PER_S: u64 = 2_048;
/// Bytes of frames that one peer may send at once.
pub(super) const FRAME_BYTES_BURST: u64 = 32 * 1024 * 1024;
/// Bytes of frames that one peer may send per second.
pub(super) const FRAME_BYTES_PER_S: u64 = 4 * 1024 * 1024;
/// Gossip messages of any kind that one peer may send at once: all those frames, and two for
/// each topic that it joins.
pub(super) const GOSSIP_BURST: u64 = 32_768;
/// Gossip messages of any kind that one peer may send per second.
pub(super) const GOSSIP_PER_S: u64 = 4_096;

/// Frames of one peer that the engine has not judged.
pub(super) const UNJUDGED_PER_PEER: usize = 512;
/// Bytes of such frames.
pub(super) const UNJUDGED_BYTES_PER_PEER: usize = 4 * 1024 * 1024;
/// Frames of all peers that the engine has not judged.
pub(super) const UNJUDGED: usize = 2_048;
/// Bytes of such frames.
pub(super) const UNJUDGED_BYTES: usize = 32 * 1024 * 1024;
/// Until a frame has to be judged: shorter than gossip remembers it.
pub(super) const JUDGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Points at which a peer is refused. One is forgiven per second.
pub(super) const REFUSED_AT: u32 = 100;
/// Points that have no consequence: who lags behind gets some.
pub(super) const POINTS_FREE: u32 = 20;
/// How long a peer is refused.
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(300);
/// Points that a refused peer comes back with, so that it is refused sooner the next time.
pub(super) const POINTS_AFTER_REFUSAL: u32 = 50;
/// Peers whose points are kept; of more, those with the fewest are forgotten.
pub(super) const STANDINGS: usize = 1_024;
/// Points for a frame that the engine rejects. Mild: a peer may have lagged behind.
pub(super) const COST_FRAME_REJECTED: u32 = 5;
/// Points for a frame larger than any that Kith makes.
pub(super) const COST_FRAME_TOO_LARGE: u32 = 10;
/// Points for a sync message longer than any that Kith makes.
pub(super) const COST_MESSAGE_TOO_LONG: u32 = 25;
/// Gossip messages beyond a peer's allowance that cost a point.
pub(super) const FLOOD_PER_POINT: u64 = 64;

/// Between two rounds of letting things expire.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Different lists of addresses that a peer may name in one connection.
pub(super) const IDENTIFIED: u32 = 64;
/// Peers out of one mDNS round.
pub(super) const DISCOVERED: usize = 64;

/// How long the system may take to find a host by its name.
pub(super) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
