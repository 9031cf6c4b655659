//! The local API of a Kith node as plain data, and its client.
//!
//! What is here is what `docs/openapi.json` describes: the JSON that the daemon answers and the
//! command line prints. Nothing here decides anything, and nothing here is secret but the bearer
//! token and an invite's link.

pub mod account;
pub mod audit;
pub mod backup;
pub mod channel;
pub mod client;
pub mod contact;
pub mod draft;
pub mod erase;
pub mod error;
pub mod event;
pub mod evidence;
pub mod id;
pub mod invite;
pub mod member;
pub mod message;
pub mod policy;
pub mod reaction;
pub mod retention;
pub mod right;
pub mod role;
pub mod size;
pub mod socket;
pub mod status;
pub mod storage;
pub mod timestamp;
pub mod verify;
pub mod why;

pub use client::Client;
pub use error::{ApiError, ErrorCode};
pub use id::Id;
pub use timestamp::Timestamp;
