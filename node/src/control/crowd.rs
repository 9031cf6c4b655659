//! Everybody who is connected to the local API: how many at most, and who gives way when it is
//! full.
//!
//! Clients keep connections open between requests, and some forget to close them. Such a
//! connection is only a convenience: the one that has been idle longest is closed as soon as
//! somebody needs its place. One with a request that runs, or a stream that is read, stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::connection::Line;

/// The connections there are.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    members: Mutex<Members>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Members {
    last: u64,
    all: BTreeMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    line: Line,
    /// Requests that have not been answered to their last byte.
    busy: u32,
    /// Grows with every change of any member: the smallest has been as it is the longest.
    since: u64,
}

impl Crowd {
    /// Nobody yet, `most` at once.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            members: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Resolves when one more may come, after somebody idle has been hung up on if it is full.
    pub(super) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.make_room() {
                return;
            }
            changed.await;
        }
    }

    /// Admits a connection.
    pub(super) fn admit(self: &Arc<Self>, line: Line) -> Place {
        let number = self.with(|members| {
            members.last += 1;
            let since = members.last;
            let busy = 0;
            let member = Member { line, busy, since };
            members.all.insert(since, member);
            since
        });
        Place {
            crowd: Arc::clone(self),
            number,
        }
    }

    /// Whether there is room, or is now because somebody idle has given way.
    fn make_room(&self) -> bool {
        self.with(|members| {
            if members.all.len() < self.most {
                return true;
            }
            let idle = members.all.iter().filter(|(_, member)| member.busy == 0);
            let Some(number) = idle
                .min_by_key(|(_, member)| member.since)
                .map(|(number, _)| *number)
            else {
                return false;
            };
            if let Some(member) = members.all.remove(&number) {
                member.line.hang_up();
            }
            true
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Members) -> T) -> T {
        change(&mut self.members.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place of one connection; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
}

impl Place {
    /// Notes a request. It counts until what is given back is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.change(1);
        Busy(Arc::clone(self))
    }

    fn change(&self, by: i32) {
        self.crowd.with(|members| {
            members.last += 1;
            if let Some(member) = members.all.get_mut(&self.number) {
                member.busy = member.busy.saturating_add_signed(by);
                member.since = members.last;
            }
        });
        self.crowd.changed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.with(|members| members.all.remove(&self.number));
        self.crowd.changed.notify_one();
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Place>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;

    fn line() -> Line {
        Line::new(watch::channel(false).1)
    }

    fn has_room(crowd: &Crowd) -> impl Future<Output = bool> {
        let room = timeout(Duration::from_millis(20), crowd.room());
        async { room.await.is_ok() }
    }

    #[tokio::test]
    async fn whoever_has_been_idle_longest_gives_way() {
        let crowd = Crowd::new(2);
        let lines = [line(), line()];
        let places = lines.clone().map(|line| Arc::new(crowd.admit(line)));
        drop(places[0].begin());

        assert!(has_room(&crowd).await);

        let [first, second] = &lines;
        tokio::select! {
            biased;
            () = first.hung_up() => panic!("the first was used after the second"),
            () = second.hung_up() => {}
        }
    }

    #[tokio::test]
    async fn whoever_is_busy_keeps_the_place_until_done() {
        let crowd = Crowd::new(1);
        let place = Arc::new(crowd.admit(line()));
        let busy = place.begin();
        assert!(!has_room(&crowd).await);

        let (room, ()) = tokio::join!(has_room(&crowd), async { drop(busy) });

        assert!(room);
    }

    #[tokio::test]
    async fn who_leaves_makes_room() {
        let crowd = Crowd::new(1);
        let place = Arc::new(crowd.admit(line()));
        let busy = place.begin();

        drop((busy, place));

        assert!(has_room(&crowd).await);
    }
}
