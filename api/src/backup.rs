//! Backups of a home.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::Timestamp;

/// A passphrase on its way to the daemon. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq, ToSchema)]
#[schema(value_type = String)]
pub struct Passphrase(pub Zeroizing<String>);

impl Serialize for Passphrase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Asks for a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// The file to be written, with its whole path, as the daemon sees it. Only its owner may read
    /// it.
    pub file: String,
    /// Opens the home, so that nobody makes a backup who could not start the daemon.
    pub passphrase: Passphrase,
    /// Is to open the backup.
    pub backup_passphrase: Passphrase,
    /// Whether a backup of that name may be replaced. Anything else that is there stays.
    #[serde(default)]
    pub replace: bool,
}

/// A backup that was written and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupCreated {
    /// The file.
    pub file: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Of which moment it is.
    pub made_at: Timestamp,
    /// How many channels are in it.
    pub channels: u64,
    /// How many entries: messages, and what was said about them and read.
    pub entries: u64,
    /// How many messages this home has that are not in it because their time comes to an end: they
    /// come back from whoever has them.
    pub left_out: u64,
}
