//! `kith channel …`.

use clap::Subcommand;
use kith_api::channel::{CreateChannel, UpdateChannel};
use kith_api::retention::Retention;

use crate::args::{channel_name, reference};
use crate::output::print_error;
use crate::verbs::{Outcome, Session};

/// What to do with channels.
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelVerb {
    /// Make a channel
    Create {
        /// Its name
        #[arg(value_parser = channel_name)]
        name: String,
        /// What it is about
        #[arg(long, value_name = "TEXT")]
        topic: Option<String>,
        /// For how long its messages are kept: forever, instant (until everybody has read them, 30
        /// days at the latest), or a stretch of time such as 1h or 7days
        #[arg(long, value_name = "P", allow_hyphen_values = true)]
        retention: Option<Retention>,
        /// Make a retry harmless: the same key makes no second channel
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// List the channels of this home
    List,
    /// Show a channel with its members
    Show {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Give a channel another name
    Rename {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// Its new name
        #[arg(value_parser = channel_name)]
        name: String,
    },
    /// Give a channel another topic
    Topic {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// Its new topic; empty for none
        topic: String,
    },
    /// Leave a channel, or several: what you could read stays readable here, and you can take back
    /// nothing of it any more. The last owner of a channel cannot leave it
    Leave {
        /// The channels
        #[arg(value_name = "CHANNEL", required = true, value_parser = reference())]
        channels: Vec<String>,
    },
}

impl Session {
    /// Does what the verb says.
    pub(crate) async fn channel(&self, verb: &ChannelVerb) -> Outcome {
        let Self { client, output } = self;
        match verb {
            ChannelVerb::Create {
                name,
                topic,
                retention,
                key,
            } => {
                let request = CreateChannel {
                    name: name.clone(),
                    topic: topic.clone(),
                    retention: *retention,
                    key: key.clone(),
                };
                output.put(&client.create_channel(&request).await?)
            }
            ChannelVerb::List => output.put_each(&client.channels().await?),
            ChannelVerb::Show { channel } => output.put(&client.channel(channel).await?),
            ChannelVerb::Rename { channel, name } => {
                let request = UpdateChannel {
                    name: Some(name.clone()),
                    topic: None,
                };
                output.put(&client.update_channel(channel, &request).await?)
            }
            ChannelVerb::Topic { channel, topic } => {
                let request = UpdateChannel {
                    name: None,
                    topic: Some(topic.clone()),
                };
                output.put(&client.update_channel(channel, &request).await?)
            }
            ChannelVerb::Leave { channels } => self.leave(channels).await,
        }
    }

    /// Leaves channels: each that can be left, whatever becomes of the others. The last error is
    /// the command's.
    async fn leave(&self, channels: &[String]) -> Outcome {
        let mut failed = None;
        for channel in channels {
            match self.client.leave(channel).await {
                Ok(left) => self.output.put(&left)?,
                Err(error) => {
                    if let Some(before) = failed.replace(error) {
                        print_error(&before, self.output.is_json());
                    }
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
