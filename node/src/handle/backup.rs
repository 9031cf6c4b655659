//! Making a backup of this home.

use std::path::PathBuf;
use std::sync::Arc;

use kith_api::backup::{BackupCreated, BackupRequest};
use kith_api::{ApiError, ErrorCode};
use kith_store::VaultError;
use zeroize::Zeroizing;

use super::Node;
use crate::backup::{BackupConfig, CreateError, create};
use crate::clock;

impl Node {
    /// Writes a backup of this home into a file.
    ///
    /// # Errors
    /// [`ApiError`]: the passphrase is wrong, the file is there already or cannot be written.
    pub async fn create_backup(&self, request: BackupRequest) -> Result<BackupCreated, ApiError> {
        let file = PathBuf::from(&request.file);
        if !file.is_absolute() || file.file_name().is_none() {
            return Err(ApiError::usage("name the file with its whole path"));
        }
        if request.backup_passphrase.0.is_empty() {
            return Err(ApiError::usage(
                "the passphrase of the backup is empty: choose one that only you know",
            ));
        }
        let bytes = |passphrase: &str| Zeroizing::new(passphrase.as_bytes().to_vec());
        let made = clock::now();
        let config = BackupConfig {
            home: self.0.home.clone(),
            file,
            passphrase: bytes(&request.passphrase.0),
            backup_passphrase: bytes(&request.backup_passphrase.0),
            replaces: request.replace,
            made,
        };
        // Both take memory of their own, so there is one at a time, also where nobody waits for it
        // any more.
        let turn = Arc::clone(&self.0.verifying).lock_owned().await;
        let node = self.clone();
        let created = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            create(&config, &node.0.reader, &node.0.shared).map_err(|error| refused(&error))
        });
        let stopping = |_| Err(ApiError::other("the daemon is stopping"));
        let (counted, bytes) = created.await.unwrap_or_else(stopping)?;
        Ok(BackupCreated {
            file: request.file,
            bytes,
            made_at: made.into(),
            channels: counted.channels,
            entries: counted.entries,
            left_out: counted.left_out,
        })
    }
}

fn refused(error: &CreateError) -> ApiError {
    match error {
        CreateError::Vault(VaultError::WrongPassphrase) => ApiError::new(
            ErrorCode::Locked,
            "wrong passphrase for this home: try again; no backup was made",
        ),
        CreateError::InHome(_) | CreateError::Nowhere(_) => ApiError::usage(error),
        _ => ApiError::other(error),
    }
}
