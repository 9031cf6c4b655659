//! gossipsub as Kith needs it: where it departs from the defaults, and why.
//!
//! Frames are sealed and signed inside, so outside they are anonymous. They are passed on only
//! once the engine has judged them. Scores are kept mild: in a network of three, a peer wrongly
//! shunned is a conversation broken.

use std::collections::HashMap;
use std::time::Duration;

use kith_crdt::crypto::hash;
use libp2p::gossipsub::{
    self, CallbackSubscriptionFilter, ConfigBuilder, MaxCountSubscriptionFilter, Message,
    MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicHash,
    ValidationMode,
};

use super::gate::Gate;
use super::limits::{
    GOSSIP_CONTROL_MAX, GOSSIP_IDS, GOSSIP_MESSAGE_MAX, GOSSIP_QUEUED, TOPIC_MAX, TOPICS_PER_PEER,
};

/// gossipsub with our gate and our filter.
pub(super) type Gossipsub = gossipsub::Behaviour<Gate, Filter>;

/// Which subscriptions of peers are kept: as many as a node with all its channels has, with
/// names of a sane length.
pub(super) type Filter =
    MaxCountSubscriptionFilter<CallbackSubscriptionFilter<fn(&TopicHash) -> bool>>;

/// Builds gossipsub behind a gate.
pub(super) fn behaviour(gate: Gate) -> Result<Gossipsub, String> {
    let config = config().map_err(|error| error.to_string())?;
    let mut behaviour = Gossipsub::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        filter(),
        gate,
    )?;
    behaviour.with_peer_score(score(), thresholds())?;
    Ok(behaviour)
}

/// The identity of a frame: a hash of where it is and what it is. With the topic, so that a
/// frame carried over to another topic, where it is worth nothing, does not pass for the real one.
pub(super) fn message_id(message: &Message) -> MessageId {
    let topic = message.topic.as_str().as_bytes();
    let len = u64::try_from(topic.len()).unwrap_or(u64::MAX).to_be_bytes();
    MessageId::new(&hash::derive("gossip-id", &[&len, topic, &message.data]))
}

fn config() -> Result<gossipsub::Config, gossipsub::ConfigBuilderError> {
    ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        // A verdict up to ten heartbeats late still finds its frame.
        .history_length(12)
        .history_gossip(5)
        // Longer than any frame is under way. A replay after it meets the engine, which knows
        // every envelope that it has.
        .duplicate_cache_time(Duration::from_secs(120))
        .heartbeat_initial_delay(Duration::from_secs(1))
        .heartbeat_interval(Duration::from_secs(1))
        .max_transmit_size(GOSSIP_MESSAGE_MAX)
        .max_control_message_size(GOSSIP_CONTROL_MAX)
        .max_control_messages_sent(GOSSIP_IDS)
        .connection_handler_queue_len(GOSSIP_QUEUED)
        // What is written here goes to every listener at once, mesh or not.
        .flood_publish(true)
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        // A small channel cannot do without a pruned peer for a whole minute.
        .prune_backoff(Duration::from_secs(20))
        .unsubscribe_backoff(Duration::from_secs(5))
        .forward_queue_duration(Duration::from_secs(5))
        .build()
}

fn filter() -> Filter {
    MaxCountSubscriptionFilter {
        filter: CallbackSubscriptionFilter(|topic| topic.as_str().len() <= TOPIC_MAX),
        max_subscribed_topics: TOPICS_PER_PEER,
        max_subscriptions_per_request: TOPICS_PER_PEER,
    }
}

/// What counts are a peer's points in our own book (`standing.rs`), and broken promises past a
/// few. Nothing is scored per topic: gossipsub adds the topics up anew for every message, which
/// with 2,000 channels takes longer than the message. Peers behind one address are a family, not
/// an attack.
fn score() -> PeerScoreParams {
    PeerScoreParams {
        topics: HashMap::new(),
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: -1.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: 0.8,
        slow_peer_weight: 0.0,
        retain_score: Duration::from_secs(120),
        ..PeerScoreParams::default()
    }
}

/// The steps before a peer is refused altogether: below zero it is no longer relied on to pass
/// frames on, then it is offered none, then sent none, and then not listened to.
fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -20.0,
        publish_threshold: -40.0,
        graylist_threshold: -60.0,
        accept_px_threshold: 0.0,
        opportunistic_graft_threshold: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, data: &[u8]) -> Message {
        Message {
            source: None,
            data: data.to_vec(),
            sequence_number: None,
            topic: TopicHash::from_raw(topic),
        }
    }

    #[test]
    fn a_frame_carried_to_another_topic_is_another_frame() {
        let id = message_id(&message("a", b"frame"));
        assert_eq!(id, message_id(&message("a", b"frame")));
        assert_ne!(id, message_id(&message("b", b"frame")));
        assert_ne!(id, message_id(&message("a", b"other")));
        assert_ne!(
            message_id(&message("ab", b"c")),
            message_id(&message("a", b"bc"))
        );
    }

    #[test]
    fn the_identity_of_a_frame_is_part_of_the_protocol() {
        let id = message_id(&message("abcdefghijklmnopqrstuvwxyz", b"frame"));
        let golden = "d025c9d208c478796ef01ea795f74aebeb052ffe6e47ded4738fe9f0457f797a";
        assert_eq!(id.to_string(), golden);
    }

    #[test]
    fn the_parameters_are_ones_that_gossipsub_accepts() {
        assert!(config().is_ok());
        assert_eq!(score().validate(), Ok(()));
        assert_eq!(thresholds().validate(), Ok(()));
    }
}
