//! A further device of an account: how it joins, and the home that it gets.

mod home;
mod join;

pub use home::{HomeError, make_home, note_recovery};
pub use join::{JoinConfig, JoinError, join};
