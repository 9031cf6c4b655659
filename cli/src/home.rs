//! Where the home is.

use std::path::PathBuf;

use etcetera::{BaseStrategy, choose_base_strategy};
use kith_api::{ApiError, Client, ErrorCode};

use crate::args::Place;

/// The file without which a directory is no home.
pub(crate) const VAULT: &str = "vault";

impl Place {
    /// The home that was named, or `kith` in the user's data directory (XDG base directories).
    pub(crate) fn home(&self) -> Result<PathBuf, ApiError> {
        if let Some(home) = &self.home {
            return std::path::absolute(home)
                .map_err(|_| ApiError::usage("--home is empty: name a directory"));
        }
        let user = choose_base_strategy().map_err(|_| {
            ApiError::usage("this user has no home directory: name one for kith with --home")
        })?;
        Ok(user.data_dir().join("kith"))
    }

    /// Says what is missing where nothing serves the home because there is none.
    pub(crate) fn explain(&self, error: ApiError) -> ApiError {
        match self.home() {
            Ok(home) if error.code == ErrorCode::NoDaemon && !home.join(VAULT).exists() => {
                let home = home.display();
                ApiError::new(
                    error.code,
                    format_args!(
                        "there is no home in {home}: make one with `kith init`, then start \
                         `kith daemon`"
                    ),
                )
            }
            _ => error,
        }
    }

    /// A client of the home's daemon.
    pub(crate) fn client(&self) -> Result<Client, ApiError> {
        Ok(Client::new(&self.home()?))
    }
}
