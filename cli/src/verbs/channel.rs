//! `kith channel …`.

use clap::{Subcommand, ValueEnum};
use kith_api::channel::{CreateChannel, Notify, UpdateChannel, UpdateWishes};
use kith_api::retention::Retention;

use crate::args::{channel_name, reference};
use crate::duration::parse_milliseconds;
use crate::output::channel::PutAway;
use crate::output::print_error;
use crate::verbs::{Outcome, Session};

/// Longer than any date can say.
const FOR_GOOD_MS: u64 = u64::MAX / 2;

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
    List {
        /// Those as well that are put away
        #[arg(long)]
        all: bool,
    },
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
    /// Be notified of nothing in a channel for a while, or for good. Everything arrives all the
    /// same. It is so on all of your devices
    Mute {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// For how long, such as 8h or 7days [default: for good]
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_milliseconds,
            allow_hyphen_values = true)]
        time: Option<u64>,
    },
    /// Be notified again
    Unmute {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Say of what in a channel to be notified while it is not muted
    Notify {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
        /// Of all messages, of those that mention you, or of nothing
        #[arg(value_enum)]
        level: Level,
    },
    /// Put a channel away: it is not listed until something unread is in it that was written since,
    /// and while it is muted, or notifies you of mentions or nothing, not even then
    Archive {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Have a channel listed again
    Unarchive {
        /// The channel
        #[arg(value_parser = reference())]
        channel: String,
    },
    /// Leave a channel, or several: what you could read stays readable here, and you can take back
    /// nothing of it any more. The last owner of a channel cannot leave it
    Leave {
        /// The channels
        #[arg(value_name = "CHANNEL", required = true, value_parser = reference())]
        channels: Vec<String>,
    },
}

/// Of what to be notified.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    All,
    Mentions,
    Nothing,
}

impl From<Level> for Notify {
    fn from(level: Level) -> Self {
        match level {
            Level::All => Self::All,
            Level::Mentions => Self::Mentions,
            Level::Nothing => Self::Nothing,
        }
    }
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
            ChannelVerb::List { all } => self.list_channels(*all).await,
            ChannelVerb::Mute { channel, time } => {
                self.wish(channel, |it| it.mute_ms = Some(time.unwrap_or(FOR_GOOD_MS)))
                    .await
            }
            ChannelVerb::Unmute { channel } => self.wish(channel, |it| it.mute_ms = Some(0)).await,
            ChannelVerb::Notify { channel, level } => {
                self.wish(channel, |it| it.notify = Some((*level).into()))
                    .await
            }
            ChannelVerb::Archive { channel } => {
                self.wish(channel, |it| it.archived = Some(true)).await
            }
            ChannelVerb::Unarchive { channel } => {
                self.wish(channel, |it| it.archived = Some(false)).await
            }
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

    async fn wish(&self, channel: &str, wish: impl FnOnce(&mut UpdateWishes)) -> Outcome {
        let mut wishes = UpdateWishes::default();
        wish(&mut wishes);
        let summary = self.client.update_wishes(channel, &wishes);
        self.output.put(&summary.await?)
    }

    /// Lists channels: for people without those that are put away, unless they ask for them.
    async fn list_channels(&self, all: bool) -> Outcome {
        let mut channels = self.client.channels().await?;
        if all || self.output.is_json() {
            return self.output.put_each(&channels);
        }
        let before = channels.len();
        channels.retain(|channel| !channel.facts.archived);
        let put_away = (before - channels.len()) as u64;
        if put_away == 0 || !channels.is_empty() {
            self.output.put_each(&channels)?;
        }
        match put_away {
            0 => Ok(()),
            put_away => self.output.put(&PutAway { put_away }),
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
