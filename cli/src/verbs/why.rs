//! `kith why`, `kith audit` and `kith verify`.

use clap::{Args, Subcommand};
use kith_api::ApiError;
use kith_api::audit::AuditQuery;
use kith_api::verify::{Difference, MendRequest};
use kith_crdt::limits::PAGE_MAX;

use crate::args::reference;
use crate::duration::parse_milliseconds;
use crate::output::progress::with_progress;
use crate::verbs::{Outcome, Session};

/// What to explain.
#[derive(Debug, Subcommand)]
pub(crate) enum WhyVerb {
    /// Explain why somebody is what they are in a channel
    Member {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// Their name, or the beginning of their account id
        #[arg(value_parser = reference())]
        account: String,
    },
    /// Explain why a message is shown, or is not
    Message {
        /// The message
        #[arg(value_parser = reference())]
        id: String,
    },
    /// Explain why something that was done counts, or does not
    Denied {
        /// The beginning of its op's id, as `kith audit` and `kith why member` print it
        #[arg(value_parser = reference())]
        op: String,
    },
}

/// Verifies channels, or mends them.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The channel; every channel of this home if none is named
    #[arg(value_parser = reference())]
    channel: Option<String>,
    /// Make good what damage on the disk took: from what is still here, and from other members
    #[arg(long)]
    mend: bool,
    /// How long to wait for other members, such as 2m [default: 30s]
    #[arg(long, value_name = "DURATION", requires = "mend", value_parser = parse_milliseconds)]
    wait: Option<u64>,
}

impl VerifyArgs {
    /// Whether it mends.
    pub(crate) const fn mends(&self) -> bool {
        self.mend
    }
}

/// What `kith audit` lists, at the end of its help.
pub(crate) const AUDITING: &str = "\
What somebody did is the same on every device. What was erased is what this device noted of its
own disk: when, how much and why, for 400 days, and nothing of what was in it.";

/// Lists who did what.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The channel
    #[arg(value_parser = reference())]
    channel: String,
    /// How many entries, 500 at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = AuditQuery::LIMIT,
        value_parser = clap::value_parser!(u32).range(1..=PAGE_MAX as i64)
    )]
    limit: u32,
    /// End the page before this op
    #[arg(long, value_name = "OP", value_parser = reference())]
    before: Option<String>,
    /// Only what this account did, or what was done about it
    #[arg(long, value_name = "ACCOUNT", value_parser = reference())]
    account: Option<String>,
}

impl Session {
    /// Explains.
    pub(crate) async fn why(&self, verb: &WhyVerb) -> Outcome {
        let Self { client, output } = self;
        const WHAT: &str = "checking the control log";
        match verb {
            WhyVerb::Member { channel, account } => {
                let why = with_progress(WHAT, client.why_member(channel, account)).await?;
                output.put(&why)
            }
            WhyVerb::Message { id } => {
                output.put(&with_progress(WHAT, client.why_message(id)).await?)
            }
            WhyVerb::Denied { op } => output.put(&with_progress(WHAT, client.why_op(op)).await?),
        }
    }

    /// Holds everything that is shown against its signed entries. A difference is an error, after
    /// the reports have been printed.
    pub(crate) async fn verify(&self, args: &VerifyArgs) -> Outcome {
        if args.mend {
            return self.mend(args).await;
        }
        let channels = match &args.channel {
            Some(channel) => vec![channel.clone()],
            None => {
                let channels = self.client.channels().await?.into_iter();
                channels
                    .map(|channel| channel.facts.channel.to_string())
                    .collect()
            }
        };
        let mut first = None;
        for channel in channels {
            let what = "checking every signature, log and page";
            let report = with_progress(what, self.client.verify(&channel)).await?;
            self.output.put(&report)?;
            first = first.or(report.difference);
        }
        match first {
            None => Ok(()),
            Some(Difference {
                what,
                place,
                detail,
                remedy,
            }) => Err(ApiError::other(format_args!(
                "{what}, {place}: {detail}; {remedy}"
            ))),
        }
    }

    /// Mends. That something is still awaited is an error, after the reports have been printed.
    async fn mend(&self, args: &VerifyArgs) -> Outcome {
        let request = MendRequest { wait_ms: args.wait };
        let mended = self.client.mend(args.channel.as_deref(), &request);
        let reports = with_progress("mending, and asking other members", mended).await?;
        self.output.put_each(&reports)?;
        if reports.iter().all(|report| report.done) {
            return Ok(());
        }
        Err(ApiError::unreachable(
            "not everything is back yet: it goes on by itself, as soon as members who have it can \
             be reached",
        ))
    }

    /// Lists who did what. Signatures that do not hold are an error, after all has been printed.
    pub(crate) async fn audit(&self, args: &AuditArgs) -> Outcome {
        let query = AuditQuery {
            limit: Some(args.limit),
            before: args.before.clone(),
            account: args.account.clone(),
        };
        let audit = self.client.audit(&args.channel, &query);
        let page = with_progress("checking every signature", audit).await?;
        if self.output.is_json() {
            self.output.put_each(&page.entries)?;
        } else {
            self.output.put(&page)?;
        }
        if page.failed > 0 {
            return Err(ApiError::other(format_args!(
                "{} of {} signatures do not hold; what they are under was left out: check the \
                 disk, and `kith verify {}`",
                page.failed, page.checked, args.channel
            )));
        }
        Ok(())
    }
}
