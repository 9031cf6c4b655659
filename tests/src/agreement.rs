//! What several homes make of one channel, and waiting until they make the same.

use serde_json::Value;

use crate::home::Home;
use crate::wait::{PATIENCE, until};

/// Invites `guest` into a channel of `host`, both of whose daemons run.
pub fn befriend(host: &Home, guest: &Home, channel: &str) {
    let link = host.field(&["invite", channel], "link");
    guest.json(&["join", &link]);
}

/// Returns the digest of a channel as one home has it.
pub fn digest(home: &Home, channel: &str) -> String {
    home.field(&["channel", "show", channel], "digest")
}

/// Waits until all homes have the same digest of a channel, and returns it.
///
/// # Panics
///
/// If they do not agree in time.
pub fn until_agreed(homes: &[&Home], channel: &str) -> String {
    let what = format!("one digest of {channel}");
    until(&what, PATIENCE, || {
        let mut digests = homes.iter().map(|home| digest(home, channel));
        let first = digests.next()?;
        digests.all(|other| other == first).then_some(first)
    })
}

/// Waits until a home can show a message, and returns it.
///
/// # Panics
///
/// If the message does not arrive in time.
pub fn until_seen(home: &Home, id: &str) -> Value {
    let what = format!("message {id} at {}", home.name());
    until(&what, PATIENCE, || {
        let mut outcome = home.kith(&["show", id]);
        (outcome.code == 0).then(|| outcome.lines.remove(0))
    })
}

/// Returns the texts of messages, in their order.
pub fn texts(messages: &[Value]) -> Vec<&str> {
    field_of_each(messages, "text")
}

/// Returns the ids of messages, in their order.
pub fn ids(messages: &[Value]) -> Vec<&str> {
    field_of_each(messages, "id")
}

fn field_of_each<'a>(messages: &'a [Value], field: &str) -> Vec<&'a str> {
    messages
        .iter()
        .map(|message| message[field].as_str().unwrap_or_default())
        .collect()
}
