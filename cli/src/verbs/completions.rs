//! `kith completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::args::Cli;
use crate::output::print;
use crate::verbs::Outcome;

/// Prints a completion script.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints a completion script, out of the same definition that the command line is read by.
pub(crate) fn completions(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "kith", &mut script);
    print(&String::from_utf8_lossy(&script))
}
