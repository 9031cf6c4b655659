//! Convergence: the same ops and envelopes, whatever the order, the batches and the sessions in
//! which they arrive, make the same channel on every node; and no peer can keep a node from
//! getting there.

#![expect(clippy::unwrap_used, reason = "this is a test, helpers included")]

mod hostile;
mod orders;
mod replica;
mod sessions;
mod world;
