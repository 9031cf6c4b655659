//! Sixty days of five people whose clocks differ, who are away for weeks, and who set the retention
//! as they like: nothing that is over is ever shown, nothing that lives is ever lost, and in the end
//! all agree on what there is.
//!
//! `life.rs` draws what happens (`coming.rs`, `acts.rs`), `history.rs` says what follows from it, and
//! `check.rs` holds every way to read at every node against that, at each step and once everything
//! has come to rest (`rest.rs`).

mod acts;
mod check;
mod coming;
mod history;
mod life;
mod rest;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use life::Life;
use tally::Tally;

/// Seeds in a run of all tests.
const SEEDS: u64 = 500;

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Lives through these seeds, several at a time, and returns what there was, and which failed with
/// what was done in them.
fn live_through(seeds: std::ops::Range<u64>) -> (Tally, Vec<(u64, String)>) {
    let next = AtomicU64::new(seeds.start);
    let results = Mutex::new((Tally::default(), Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let mut life = None;
            let live = || life.insert(Life::new(seed)).live();
            let lived = catch_unwind(AssertUnwindSafe(live));
            let mut results = results.lock().expect("nothing panics while it is held");
            match lived {
                Ok(tally) => results.0 += tally,
                Err(_) => {
                    let journal = life.map(|life| life.journal.join("\n"));
                    results.1.push((seed, journal.unwrap_or_default()));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    results
        .into_inner()
        .expect("nothing panicked while it was held")
}

#[test]
fn whatever_happens_what_is_over_is_gone_and_what_lives_is_there() {
    let seeds = match of_environment("KITH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..of_environment("KITH_SEEDS").unwrap_or(SEEDS),
    };
    let (tally, failed) = live_through(seeds);
    println!("{tally:?}");
    for (seed, journal) in &failed {
        println!(
            "{journal}\nseed {seed} failed; it alone: KITH_SEED={seed} cargo test --locked \
             --workspace --test forgetting"
        );
    }
    let failed: Vec<u64> = failed.into_iter().map(|(seed, _)| seed).collect();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    assert!(tally.is_lively(), "little happened: {tally:?}");
}
