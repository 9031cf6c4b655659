//! The passphrase: out of a file or asked for on the terminal; never shown, never kept.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kith_api::ApiError;
use zeroize::Zeroizing;

use crate::args::Place;

/// Bytes of a passphrase file: more is not a passphrase but the wrong file.
const FILE_MAX: u64 = 4096;

/// A passphrase.
pub(crate) type Passphrase = Zeroizing<String>;

impl Place {
    /// The passphrase of a home that is there.
    pub(crate) fn passphrase(&self) -> Result<Passphrase, ApiError> {
        match &self.passphrase_file {
            Some(file) => read(file),
            None => ask("Passphrase: ", HOME).and_then(not_empty),
        }
    }

    /// The passphrase for a home to be made, asked for twice.
    pub(crate) fn new_passphrase(&self) -> Result<Passphrase, ApiError> {
        let prompts = ["Choose a passphrase for the home: ", "The same again: "];
        from_file_or(self.passphrase_file.as_deref(), HOME, &prompts)
    }
}

/// How a file is named that holds the passphrase of a home.
const HOME: &str = "--passphrase-file or KITH_PASSPHRASE_FILE";

/// A passphrase out of a file, or asked for as often as there are prompts. `options` name the file.
pub(crate) fn from_file_or(
    file: Option<&Path>,
    options: &str,
    prompts: &[&str],
) -> Result<Passphrase, ApiError> {
    if let Some(file) = file {
        return read(file);
    }
    let mut asked = Passphrase::default();
    for (number, prompt) in prompts.iter().enumerate() {
        let typed = not_empty(ask(prompt, options)?)?;
        if number > 0 && *typed != *asked {
            return Err(ApiError::usage("the two differ: run the command again"));
        }
        asked = typed;
    }
    Ok(asked)
}

/// The first line of a file.
fn read(path: &Path) -> Result<Passphrase, ApiError> {
    let shown = path.display();
    let failed = |error: io::Error| {
        ApiError::usage(format_args!(
            "cannot read the passphrase file {shown}: {error}"
        ))
    };
    let file = File::open(path).map_err(failed)?;
    let mut text = Passphrase::default();
    let read = file.take(FILE_MAX + 1).read_to_string(&mut text);
    let length = read.map_err(failed)?;
    if u64::try_from(length).is_ok_and(|length| length > FILE_MAX) {
        return Err(ApiError::usage(format_args!(
            "{shown} is too long for a passphrase file: is it the right file?"
        )));
    }
    not_empty(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

fn ask(prompt: &str, options: &str) -> Result<Passphrase, ApiError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|_| {
            ApiError::usage(format_args!(
                "there is no terminal to ask for the passphrase: name a file with {options}"
            ))
        })
}

fn not_empty(passphrase: Passphrase) -> Result<Passphrase, ApiError> {
    if passphrase.is_empty() {
        return Err(ApiError::usage(
            "the passphrase is empty: choose one that only you know",
        ));
    }
    Ok(passphrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(content: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path())
            .ok()
            .map(|passphrase| passphrase.to_string())
    }

    #[test]
    fn it_is_the_first_line_of_the_file() {
        assert_eq!(in_file(b"open sesame\n").as_deref(), Some("open sesame"));
        assert_eq!(
            in_file(b" two words \r\nmore").as_deref(),
            Some(" two words ")
        );
    }

    #[test]
    fn an_empty_one_and_a_wrong_file_are_refused() {
        assert_eq!(in_file(b""), None);
        assert_eq!(in_file(b"\nsecond"), None);
        assert_eq!(in_file(&[b'a'; 5000]), None);
        assert_eq!(in_file(&[0xff, 0xfe]), None);
    }
}
