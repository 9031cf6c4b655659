//! The `kith` command: every verb, and the daemon.

mod args;
mod demo;
mod duration;
mod home;
mod input;
mod output;
mod passphrase;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use kith_api::ApiError;

use self::args::Cli;
use self::output::{has_reader_left, print_error};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    match verbs::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if has_reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error, cli.json);
            ExitCode::from(error.code.exit_code())
        }
    }
}

/// Prints help, the version, or what is wrong with the command line: in JSON if that was asked
/// for anywhere on it.
fn explain(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|arg| arg == "--json");
    let is_wrong =
        error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if json && is_wrong {
        let text = error.render().to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        print_error(&ApiError::usage(message), true);
    } else {
        // There is nowhere left to say that this failed.
        let _printed = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
