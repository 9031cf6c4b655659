//! `kith status`.

use crate::verbs::{Outcome, Session};

impl Session {
    /// How the daemon is.
    pub(crate) async fn status(&self) -> Outcome {
        self.output.put(&self.client.status().await?)
    }
}
