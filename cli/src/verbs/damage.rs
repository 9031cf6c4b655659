//! A warning wherever something is shown of a home with which something is wrong. Its disk is
//! damaged: what is missing looks like what never was. Or it is in use twice.

use crate::args::Verb;
use crate::output::print_warning;
use crate::output::status::DOUBLED;
use crate::verbs::Session;
use crate::verbs::channel::ChannelVerb;
use crate::verbs::member::MemberVerb;

impl Session {
    /// Says what is wrong with the home, once something of it was shown.
    pub(crate) async fn warn_of_damage(&self, verb: &Verb) {
        if !shows_content(verb) {
            return;
        }
        let Ok(damage) = self.client.damage().await else {
            return;
        };
        // A status says it itself.
        if damage.doubled_at.is_some() && !matches!(verb, Verb::Status) {
            print_warning("doubled", DOUBLED, self.output.is_json());
        }
        self.warn_of_records(damage.records);
    }

    /// Says how many records cannot be read: what was shown may lack what they held. What the verb
    /// itself met counts already.
    fn warn_of_records(&self, records: u64) {
        let records = match records {
            0 => return,
            1 => "one record on this disk cannot be read".to_owned(),
            records => format!("{records} records on this disk cannot be read"),
        };
        let warning = format!(
            "{records}, and what was in them may be missing here: check the disk and keep a copy \
             of the home; then `kith verify --mend` brings back what is still here or other \
             members have, and `kith verify` says what is hit"
        );
        print_warning("damaged", &warning, self.output.is_json());
    }
}

const fn shows_content(verb: &Verb) -> bool {
    match verb {
        Verb::Read(_) | Verb::Show(_) | Verb::History(_) | Verb::Why(_) | Verb::Audit(_) => true,
        Verb::Pins(_) | Verb::Status => true,
        // What is damaged after that is of another channel.
        Verb::Verify(args) => args.mends(),
        Verb::Channel(verb) => matches!(verb, ChannelVerb::List { .. } | ChannelVerb::Show { .. }),
        Verb::Member(verb) => matches!(verb, MemberVerb::List { .. }),
        _ => false,
    }
}
