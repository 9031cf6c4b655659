//! A shorter life for one message: how short and how long it may be.

use kith_crdt::ids::ChannelId;
use kith_crdt::limits::TERM_MAX_HOURS;
use kith_crdt::retention::Retention;
use kith_crdt::time::HOUR_MS;

use super::Engine;
use super::effect::Refusal;
use super::write::no_channel;

/// The shortest life that may be asked for: what is gone sooner may be gone before it arrives.
const LEAST_MS: u64 = HOUR_MS;
/// The longest: what is to be kept for longer than ten years is to be kept.
const MOST_MS: u64 = TERM_MAX_HOURS as u64 * HOUR_MS;

impl Engine {
    /// Checks a life that somebody asks for one message of a channel.
    ///
    /// # Errors
    /// [`Refusal::Usage`] if it is none, [`Refusal::Limit`] if the channel keeps nothing so long.
    pub(super) fn check_expiry(&self, id: ChannelId, ms: u64) -> Result<(), Refusal> {
        if ms < LEAST_MS {
            return Err(Refusal::Usage(
                "a message lives for at least 1h: give it that or more".into(),
            ));
        }
        if ms > MOST_MS {
            return Err(Refusal::Usage(format!(
                "a message that expires does so within {}days (ten years): give it less, or \
                 nothing, which keeps it as long as the channel does",
                TERM_MAX_HOURS / 24
            )));
        }
        let channel = self.channels.get(&id).ok_or_else(no_channel)?;
        let retention = channel.roster.retention();
        match retention.term().as_millis() {
            Some(most) if ms > most => Err(Refusal::Limit(format!(
                "#{} keeps messages {}: ask for no more than that",
                channel.name(),
                kept(retention)
            ))),
            _ => Ok(()),
        }
    }
}

/// How long messages are kept, in words.
fn kept(retention: Retention) -> String {
    match retention {
        Retention::Forever => "until somebody deletes them".to_owned(),
        Retention::Hours(_) => format!("for {retention}"),
        Retention::Instant => "until everybody has read them, for 30days at the longest".to_owned(),
    }
}
