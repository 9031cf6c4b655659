//! A golden transcript: what was typed and what came back, with everything that
//! differs from run to run replaced by a name for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::home::Home;

/// A conversation with one or several homes, written down.
#[derive(Default)]
pub struct Transcript {
    written: String,
    names: BTreeMap<String, String>,
}

impl Transcript {
    /// Starts an empty transcript.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `value` written as `[name]` from here on.
    pub fn call(&mut self, value: &str, name: &str) {
        self.names.insert(value.to_owned(), format!("[{name}]"));
    }

    /// Has every id of a home written by its owner's name.
    pub fn know(&mut self, home: &Home) {
        let name = home.name();
        self.call(home.account(), name);
        self.call(home.device(), &format!("{name}'s device"));
        self.call(home.phrase(), &format!("{name}'s phrase"));
        self.call(
            &home.path().display().to_string(),
            &format!("{name}'s home"),
        );
    }

    /// Writes a heading.
    pub fn heading(&mut self, text: &str) {
        let _ = writeln!(self.written, "\n# {text}");
    }

    /// Runs a verb that succeeds, writes both down, and returns the last object.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run(&mut self, home: &Home, arguments: &[&str]) -> Value {
        let lines = home.lines(arguments);
        self.typed(home, arguments);
        for line in &lines {
            self.object(line);
        }
        lines.into_iter().next_back().unwrap_or(Value::Null)
    }

    /// Runs a verb that prints one object, and has its id written as `[name]`.
    ///
    /// # Panics
    ///
    /// If it fails or prints no id.
    pub fn run_naming(
        &mut self,
        home: &Home,
        arguments: &[&str],
        field: &str,
        name: &str,
    ) -> String {
        let [id] = self.run_naming_each(home, arguments, [(field, name)]);
        id
    }

    /// Runs a verb that prints one object, and has several of its ids written by names.
    ///
    /// # Panics
    ///
    /// If it fails or does not print one of them.
    pub fn run_naming_each<const N: usize>(
        &mut self,
        home: &Home,
        arguments: &[&str],
        names: [(&str, &str); N],
    ) -> [String; N] {
        let printed = home.json(arguments);
        let ids = names.map(|(field, name)| {
            let id = printed[field].as_str().expect("an id").to_owned();
            self.call(&id, name);
            id
        });
        self.typed(home, arguments);
        self.object(&printed);
        ids
    }

    /// Writes down an object that came by itself.
    pub fn object(&mut self, object: &Value) {
        let line = self.redacted(object).to_string();
        let _ = writeln!(self.written, "{line}");
    }

    /// Returns what has been written.
    pub fn into_text(self) -> String {
        self.written.trim_start().to_owned()
    }

    fn typed(&mut self, home: &Home, arguments: &[&str]) {
        let mut line = format!("\n{}$ kith", home.name());
        for argument in arguments {
            let argument = self.renamed(argument);
            let _ = match argument.contains([' ', '\n']) {
                true => write!(line, " '{argument}'"),
                false => write!(line, " {argument}"),
            };
        }
        let _ = writeln!(self.written, "{line}");
    }

    fn redacted(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if is_time(text) => Value::from("[time]"),
            Value::String(text) if is_loopback(text) => Value::from("[address]"),
            Value::String(text) => Value::from(self.renamed(text)),
            Value::Array(items) => self.redacted_list(items),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| match name.as_str() {
                    "cursor" | "uptime_s" => (name.clone(), Value::from("[number]")),
                    "version" if field.is_string() => (name.clone(), Value::from("[version]")),
                    "digest" => (name.clone(), Value::from("[digest]")),
                    _ => (name.clone(), self.redacted(field)),
                })
                .collect(),
            other => other.clone(),
        }
    }

    /// Objects in a list (members, deliveries, peers) come in the order of their
    /// ids, which is another order in every run; here they stand by content.
    fn redacted_list(&self, items: &[Value]) -> Value {
        let mut items: Vec<Value> = items.iter().map(|item| self.redacted(item)).collect();
        if items.iter().all(Value::is_object) {
            items.sort_by_cached_key(Value::to_string);
        }
        Value::Array(items)
    }

    fn renamed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first: one value may be the beginning of another.
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, name) in names {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), name);
            }
        }
        text
    }
}

/// True for `2026-11-20T10:45:00.000Z`, and for nothing less exact: the command
/// line promises RFC 3339 in UTC with milliseconds.
fn is_time(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00.000Z";
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(have, want)| match want {
                b'0' => have.is_ascii_digit(),
                _ => have == want,
            })
}

/// A port on loopback is another one in every run.
fn is_loopback(text: &str) -> bool {
    text.starts_with("/ip4/127.0.0.1/tcp/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_replaced_and_nothing_else() {
        let mut transcript = Transcript::new();
        transcript.call("abcd", "bean");
        transcript.object(&json!({
            "id": "abcd", "at": "2026-11-20T10:45:00.000Z", "text": "at 10:45", "cursor": 7
        }));
        assert_eq!(
            transcript.into_text(),
            "{\"at\":\"[time]\",\"cursor\":\"[number]\",\"id\":\"[bean]\",\"text\":\"at 10:45\"}\n"
        );
    }

    #[test]
    fn a_time_without_milliseconds_shows() {
        assert!(!is_time("2026-11-20T10:45:00Z"));
    }
}
