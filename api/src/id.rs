//! Ids of the core as the API shows them: their base32 text.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use kith_crdt::ids;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};
use utoipa::{PartialSchema, ToSchema};

/// An id of the core, shown as its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<T>(pub T);

/// An account's id as its text.
pub type AccountId = Id<ids::AccountId>;
/// A channel's id as its text.
pub type ChannelId = Id<ids::ChannelId>;
/// A device's id as its text.
pub type DeviceId = Id<ids::DeviceId>;
/// An epoch's id as its text.
pub type EpochId = Id<ids::EpochId>;
/// A control op's id as its text.
pub type OpId = Id<ids::OpId>;
/// An invite's id as its text.
pub type InviteId = Id<ids::InviteId>;
/// A message's id as its text.
pub type MessageId = Id<ids::MessageId>;

impl<T> From<T> for Id<T> {
    fn from(id: T) -> Self {
        Self(id)
    }
}

impl<T: FromStr> FromStr for Id<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T> Deserialize<'de> for Id<T>
where
    T: FromStr<Err: fmt::Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<T> PartialSchema for Id<T> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("An id in lower-case base32."))
            .pattern(Some("^[a-z2-7]+$"))
            .into()
    }
}

impl<T> ToSchema for Id<T> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_travels_as_its_text() {
        let id = Id(ids::MessageId([7; 10]));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"a4dqobyha4dqobyh\"");
        assert_eq!(serde_json::from_str::<MessageId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<MessageId>("\"a4dq\"").is_err());
    }
}
