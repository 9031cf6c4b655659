//! `kith man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::{Man, generate_to};
use kith_api::ApiError;

use crate::args::Cli;
use crate::output::print;
use crate::verbs::Outcome;

/// Prints the manual page.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each verb into this directory instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the manual page, out of the same definition that the command line is read by.
pub(crate) fn man(args: &ManArgs) -> Outcome {
    if let Some(dir) = &args.dir {
        return generate_to(Cli::command(), dir).map_err(|error| {
            let dir = dir.display();
            ApiError::other(format_args!(
                "cannot write manual pages to {dir}: {error}; name a directory that is there"
            ))
        });
    }
    let mut page = Vec::new();
    Man::new(Cli::command())
        .render(&mut page)
        .expect("a Vec takes everything");
    print(&String::from_utf8_lossy(&page))
}
