//! Waiting for a condition, with a bound. There is no other wait in the tests.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that a person would expect at once. Generous,
/// because a busy two-core machine runs several daemons at a time; a test that
/// passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a condition that does not hold is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `probe` finds something, and returns it.
///
/// # Panics
///
/// If nothing was found within `within`; the message says `what` was waited for.
pub fn until<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} in vain for {what}"
        );
        thread::park_timeout(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_again_until_it_holds() {
        let mut looks = 0;
        let found = until("the third look", PATIENCE, || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "in vain for the moon")]
    fn says_what_never_came() {
        until::<()>("the moon", Duration::ZERO, || None);
    }
}
