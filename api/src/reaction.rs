//! The reactions to a message, in the order in which they were first given.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{AdditionalProperties, Type};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// How often one emoji was given to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// How many accounts gave it.
    pub count: u64,
    /// Whether this account is one of them.
    pub mine: bool,
}

/// Emoji and how often each was given; in JSON an object that keeps this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reactions(pub Vec<(String, Reaction)>);

impl Reactions {
    /// What is known of one emoji.
    pub fn get(&self, emoji: &str) -> Option<Reaction> {
        self.0
            .iter()
            .find(|(given, _)| given == emoji)
            .map(|(_, reaction)| *reaction)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Reaction)> for Reactions {
    fn from_iter<I: IntoIterator<Item = (String, Reaction)>>(reactions: I) -> Self {
        Self(reactions.into_iter().collect())
    }
}

impl Serialize for Reactions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(emoji, reaction)| (emoji, reaction)))
    }
}

impl<'de> Deserialize<'de> for Reactions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads an object without losing the order of its keys.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Reactions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of emoji")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reactions, A::Error> {
        let mut reactions = Vec::new();
        while let Some(entry) = map.next_entry()? {
            reactions.push(entry);
        }
        Ok(Reactions(reactions))
    }
}

impl PartialSchema for Reactions {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::RefOr(RefOr::Ref(
                Ref::from_schema_name("Reaction"),
            ))))
            .description(Some(
                "By emoji, in the order in which they were first given.",
            ))
            .into()
    }
}

impl ToSchema for Reactions {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Reactions")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Reaction::name().into_owned(), Reaction::schema()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_keep_their_order_on_the_way() {
        let json = r#"{"👍":{"count":2,"mine":true},"🎉":{"count":1,"mine":false}}"#;
        let reactions: Reactions = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&reactions).unwrap(), json);
        assert_eq!(reactions.get("👍").unwrap().count, 2);
    }
}
