//! `kith daemon`: the node of a home, in the foreground.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use kith_api::status::Ready;
use kith_api::{ApiError, Client};
use kith_node::daemon::{DaemonConfig, run};
use serde::Serialize;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use crate::args::Place;
use crate::output::look::Look;
use crate::output::{Output, Show, has_reader_left, print_error};
use crate::verbs::Outcome;

/// Between two attempts to tell the daemon to stop.
const STOP_PAUSE: Duration = Duration::from_millis(100);

/// Runs the node.
#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    /// Listen for other nodes on this address, such as /ip4/0.0.0.0/tcp/4100 (may be repeated)
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Connect to this node at the start (may be repeated)
    #[arg(long, value_name = "ADDR")]
    bootstrap: Vec<String>,
    /// Neither announce this node on the local network nor look for others there
    #[arg(long)]
    no_mdns: bool,
    /// Serve the local API on this loopback address as well, behind the token in api-token in the
    /// home
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    api: Option<SocketAddr>,
    /// Stop when the standard input ends, as it does when the program that holds it goes
    #[arg(long)]
    until_eof: bool,
}

/// A loopback address with a port.
///
/// # Errors
///
/// A sentence that says what may be written.
fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err("the local API is served on 127.0.0.1 or [::1] only"),
        Err(_) => Err("write it like 127.0.0.1:8080"),
    }
}

/// Runs the node until it is told to stop.
pub(crate) async fn daemon(args: &DaemonArgs, place: &Place, output: &Output) -> Outcome {
    start_log();
    let passphrase = place.passphrase()?;
    let config = DaemonConfig {
        home: place.home()?,
        passphrase: Zeroizing::new(passphrase.as_bytes().to_vec()),
        listen: args.listen.clone(),
        bootstrap: args.bootstrap.clone(),
        mdns: !args.no_mdns,
        api: args.api,
    };
    drop(passphrase);
    let say = |ready: Ready| {
        // The node serves whether or not anybody listens to what it says.
        let said = output.put(&Up {
            event: "ready",
            ready,
        });
        if let Err(error) = said
            && !has_reader_left(&error)
        {
            print_error(&error, output.is_json());
        }
    };
    if args.until_eof {
        tokio::spawn(stop_at_eof(place.client()?));
    }
    run(config, say)
        .await
        .map_err(|error| ApiError::new(error.code(), &error))
}

/// Asks the daemon to stop once the standard input has ended. A thread of its own reads it, for
/// such a read cannot be called off.
async fn stop_at_eof(client: Client) {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        // An input that cannot be read has ended, too.
        let _read = io::copy(&mut io::stdin().lock(), &mut io::sink());
        ended.send(())
    });
    let _ended = end.await;
    // A daemon that does not answer is stopping, or has yet to start serving.
    while let Err(error) = client.shutdown().await {
        tracing::debug!(%error, "the daemon was not told to stop");
        tokio::time::sleep(STOP_PAUSE).await;
    }
}

/// What a started daemon says.
#[derive(Serialize)]
struct Up {
    event: &'static str,
    #[serde(flatten)]
    ready: Ready,
}

impl Show for Up {
    fn show(&self, look: &Look, out: &mut String) {
        self.ready.show(look, out);
    }
}

/// Writes the log to stderr: warnings, or what `KITH_LOG` asks for.
fn start_log() {
    let filter = EnvFilter::try_from_env("KITH_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
}
