//! What the command prints: JSON lines for programs, or text for people.

mod account;
mod audit;
mod backup;
pub(crate) mod channel;
pub(crate) mod clean;
mod contact;
mod device;
pub(crate) mod erase;
pub(crate) mod event;
mod invite;
mod json;
pub(crate) mod look;
mod member;
pub(crate) mod message;
mod policy;
pub(crate) mod progress;
mod qr;
mod retention;
pub(crate) mod status;
pub(crate) mod storage;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod verify;
mod why;

use std::io::{self, Write};

use kith_api::ApiError;
use kith_api::channel::ChannelDetail;
use kith_api::error::ErrorBody;
use serde::Serialize;

pub(crate) use self::json::to_line;
use self::look::{Look, Paint};

/// Something that has a form for people.
pub(crate) trait Show {
    /// Writes the form for people, whole lines of it.
    fn show(&self, look: &Look, out: &mut String);
}

/// So many of something that has an s when it is many; nothing if there are none.
fn counted(count: u64, one: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    }
}

/// Where results go, and in which form.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    look: Look,
}

impl Output {
    /// The standard output.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            look: Look::of(&io::stdout()),
        }
    }

    /// Whether programs read along.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one result.
    pub(crate) fn put<T: Serialize + Show>(&self, result: &T) -> Result<(), ApiError> {
        let mut text = String::new();
        if self.json {
            text = to_line(result) + "\n";
        } else {
            result.show(&self.look, &mut text);
        }
        print(&text)
    }

    /// What a result looks like to people, to be put into a question.
    pub(crate) fn words(&self, result: &impl Show) -> String {
        let mut text = String::new();
        result.show(&self.look, &mut text);
        text
    }

    /// Says above the oldest page where history begins for this account, if it does not begin with
    /// the channel, and names the threads that began before and have something unread.
    pub(crate) fn put_history_begins(
        &self,
        channel: &ChannelDetail,
        typed: &str,
    ) -> Result<(), ApiError> {
        let Some(begins) = channel.history_begins else {
            return Ok(());
        };
        let begins = self.look.full_time(begins);
        self.put_note(&format!(
            "history begins at {begins}: what is older was written before you came"
        ))?;
        for thread in &channel.begun_before {
            self.put_note(&format!(
                "replies in a thread that began before are unread: `kith read {typed} --thread {}`",
                message::short(thread)
            ))?;
        }
        Ok(())
    }

    /// Says above a thread that it began with a message which is not shown here.
    pub(crate) fn put_thread_begins(&self) -> Result<(), ApiError> {
        self.put_note("the message that this thread began with is not for you to read")
    }

    fn put_note(&self, note: &str) -> Result<(), ApiError> {
        print(&(self.look.paint(Paint::Faint, clean::clean(note)) + "\n"))
    }

    /// Prints a list of results: one line each for programs, one page for people.
    pub(crate) fn put_each<T: Serialize>(&self, results: &[T]) -> Result<(), ApiError>
    where
        [T]: Show,
    {
        let mut text = String::new();
        if self.json {
            for result in results {
                text += &to_line(result);
                text.push('\n');
            }
        } else {
            results.show(&self.look, &mut text);
        }
        print(&text)
    }
}

/// What [`print()`] says where nobody reads any more.
const READER_LEFT: &str = "nobody reads the output any more";

/// Prints text that is clean. A reader who has seen enough and left ends the command, and
/// [`has_reader_left`] tells that from an error.
pub(crate) fn print(text: &str) -> Result<(), ApiError> {
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    printed.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => ApiError::other(READER_LEFT),
        _ => ApiError::other(format_args!(
            "cannot write the result: {error}; see where the output goes"
        )),
    })
}

/// Whether a command ended because nobody reads what it prints.
pub(crate) fn has_reader_left(error: &ApiError) -> bool {
    error.message == READER_LEFT
}

/// Prints an error where errors go.
pub(crate) fn print_error(error: &ApiError, json: bool) {
    let text = if json {
        let error = error.clone();
        to_line(&ErrorBody { error })
    } else {
        let look = Look::of(&io::stderr());
        let lines: Vec<_> = clean::clean_lines(&error.message).collect();
        format!("{} {}", look.paint(Paint::Bad, "error:"), lines.join("\n"))
    };
    // There is nowhere left to say that this failed.
    let _printed = writeln!(io::stderr(), "{text}");
}

/// Asks somebody for a line, where errors go.
pub(crate) fn print_prompt(text: &str) {
    let mut stderr = io::stderr();
    // There is nowhere left to say that this failed.
    let _printed = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Prints a warning where errors go, with a code for programs. It changes nothing about how the
/// command ends.
pub(crate) fn print_warning(code: &str, warning: &str, json: bool) {
    let text = if json {
        to_line(&serde_json::json!({ "warning": { "code": code, "message": warning } }))
    } else {
        let look = Look::of(&io::stderr());
        format!("{} {warning}", look.paint(Paint::Bad, "warning:"))
    };
    // There is nowhere left to say that this failed.
    let _printed = writeln!(io::stderr(), "{text}");
}
