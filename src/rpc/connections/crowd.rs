//! Which connections there are, which of them have nothing to do, and which one has to go when there are too many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The most and the fewest connections that may be on their way out and do not count any more; between them it is an eighth
/// of those that may be there.
const MOST_LEAVING: usize = 128;
const FEWEST_LEAVING: usize = 16;
/// How long a newcomer waits when as many are on their way out.
const ROOM_WITHIN: Duration = Duration::from_millis(200);

/// All connections. There are never more than its limit, and a few besides that have been told to go.
#[derive(Debug)]
pub(super) struct Crowd {
    seats: Arc<Semaphore>,
    exits: Arc<Semaphore>,
    /// How many exits there are.
    leaving: usize,
    idle: Mutex<Idle>,
}

/// The connections that have nothing to do, the one that would be missed least first.
#[derive(Debug, Default)]
struct Idle {
    ranks: BTreeMap<Rank, Weak<Seat>>,
    next: u64,
}

/// Who goes first: those that have never called anything, and among equals the one that has been idle the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    has_called: bool,
    order: u64,
}

impl Crowd {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let leaving = (limit / 8).clamp(FEWEST_LEAVING, MOST_LEAVING);
        Arc::new(Self {
            seats: Arc::new(Semaphore::new(limit)),
            exits: Arc::new(Semaphore::new(leaving)),
            leaving,
            idle: Mutex::default(),
        })
    }

    /// A seat for a new connection. When there is none, the one that would be missed least is told to go and gives up its
    /// own at once; `None` when none is idle.
    pub(super) async fn enter(self: &Arc<Self>) -> Option<Member> {
        let seat = match Arc::clone(&self.seats).try_acquire_owned() {
            Ok(seat) => seat,
            Err(_) => self.make_room().await?,
        };
        Some(Member::new(Arc::clone(self), seat))
    }

    /// Tells the connection to go that would be missed least, and gives its seat. `None` when all are at work.
    async fn make_room(&self) -> Option<OwnedSemaphorePermit> {
        self.dismiss(|_| true).await
    }

    /// Tells a connection to go that has never called anything, if there is one.
    pub(super) async fn dismiss_stranger(&self) {
        drop(self.dismiss(|rank| !rank.has_called).await);
    }

    /// Tells the connection to go that would be missed least, if it `may_go`, and gives its seat.
    async fn dismiss(&self, may_go: impl Fn(&Rank) -> bool) -> Option<OwnedSemaphorePermit> {
        let exit = tokio::time::timeout(ROOM_WITHIN, Arc::clone(&self.exits).acquire_owned()).await.ok()?.ok()?;
        loop {
            let first = {
                let mut idle = self.idle();
                let (rank, first) = idle.ranks.pop_first()?;
                if !may_go(&rank) {
                    idle.ranks.insert(rank, first);
                    return None;
                }
                first
            };
            let Some(first) = first.upgrade() else { continue };
            let mut state = first.state();
            // A call may have come since.
            if state.open == 0 {
                state.rank = None;
                first.leave.cancel();
                return std::mem::replace(&mut state.permit, exit).into();
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection in the crowd; it leaves with its last clone.
#[derive(Debug, Clone)]
pub(super) struct Member(Arc<Seat>);

#[derive(Debug)]
struct Seat {
    crowd: Arc<Crowd>,
    leave: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls whose answers have not been taken whole.
    open: usize,
    idle_since: Instant,
    has_called: bool,
    /// Its place among the idle ones.
    rank: Option<Rank>,
    /// The seat, or the right to be on the way out.
    permit: OwnedSemaphorePermit,
}

impl Member {
    fn new(crowd: Arc<Crowd>, seat: OwnedSemaphorePermit) -> Self {
        let (open, idle_since) = (0, Instant::now());
        let state = State { open, idle_since, has_called: false, rank: None, permit: seat };
        let member = Self(Arc::new(Seat { crowd, leave: CancellationToken::new(), state: Mutex::new(state) }));
        Seat::rest(&member.0, &mut member.0.state());
        member
    }

    /// A call has come. It is open until what is given back is dropped.
    pub(super) fn call(&self) -> OpenCall {
        let mut state = self.0.state();
        state.open += 1;
        state.has_called = true;
        if let Some(rank) = state.rank.take() {
            self.0.crowd.idle().ranks.remove(&rank);
        }
        OpenCall(Arc::clone(&self.0))
    }

    /// Whether no call is open.
    pub(super) fn is_idle(&self) -> bool {
        self.0.state().open == 0
    }

    /// Waits until the connection is to go: because it has been idle for `limit`, or to make room for others.
    pub(super) async fn told_to_leave(&self, limit: Duration) {
        tokio::select! {
            () = self.0.leave.cancelled() => {}
            () = self.idle_for(limit) => {}
        }
    }

    async fn idle_for(&self, limit: Duration) {
        loop {
            let rested = {
                let state = self.0.state();
                if state.open == 0 { state.idle_since.elapsed() } else { Duration::ZERO }
            };
            let Some(rest) = limit.checked_sub(rested).filter(|rest| !rest.is_zero()) else { return };
            tokio::time::sleep(rest).await;
        }
    }

    /// Whether there is time for a goodbye: not when many others are on their way out.
    pub(super) fn may_say_goodbye(&self) -> bool {
        self.0.crowd.exits.available_permits() > self.0.crowd.leaving / 2
    }
}

impl Seat {
    fn rest(this: &Arc<Self>, state: &mut State) {
        if this.leave.is_cancelled() {
            return;
        }
        let mut idle = this.crowd.idle();
        idle.next += 1;
        let rank = Rank { has_called: state.has_called, order: idle.next };
        idle.ranks.insert(rank, Arc::downgrade(this));
        state.rank = Some(rank);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let rank = self.state().rank.take();
        if let Some(rank) = rank {
            self.crowd.idle().ranks.remove(&rank);
        }
    }
}

/// A call whose answer has not been taken whole.
#[derive(Debug)]
pub(super) struct OpenCall(Arc<Seat>);

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            state.idle_since = Instant::now();
            Seat::rest(&self.0, &mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_told(member: &Member) -> bool {
        member.0.leave.is_cancelled()
    }

    #[tokio::test]
    async fn who_has_nothing_to_do_makes_room_and_who_is_at_work_does_not() {
        let crowd = Crowd::new(3);
        let served = crowd.enter().await.unwrap();
        drop(served.call());
        let (never, later) = (crowd.enter().await.unwrap(), crowd.enter().await.unwrap());
        // The first to go is the one that has never called anything, although another has been idle for longer.
        let busy = crowd.enter().await.unwrap();
        assert!(is_told(&never) && !is_told(&later) && !is_told(&served));
        let call = busy.call();
        drop(later);
        let other = crowd.enter().await.unwrap();
        let other_call = other.call();
        let last = crowd.enter().await.unwrap();
        let last_call = last.call();
        assert!(is_told(&served));
        assert!(crowd.enter().await.is_none(), "the others are at work");
        drop(call);
        let newcomer = crowd.enter().await.unwrap();
        assert!(is_told(&busy) && !is_told(&other) && !is_told(&last));
        // Who is on the way out has no seat, and gives back the right to be there.
        assert_eq!(crowd.exits.available_permits(), FEWEST_LEAVING - 3);
        drop((never, served, busy, other_call, last_call));
        assert_eq!((crowd.exits.available_permits(), crowd.seats.available_permits()), (FEWEST_LEAVING, 0));
        drop((newcomer, other, last));
        assert_eq!(crowd.seats.available_permits(), 3);
        assert!(crowd.idle().ranks.is_empty());
    }

    #[tokio::test]
    async fn who_has_called_something_is_no_stranger() {
        let crowd = Crowd::new(3);
        let served = crowd.enter().await.unwrap();
        drop(served.call());
        let stranger = crowd.enter().await.unwrap();
        crowd.dismiss_stranger().await;
        crowd.dismiss_stranger().await;
        assert!(is_told(&stranger) && !is_told(&served));
        assert_eq!((crowd.seats.available_permits(), crowd.exits.available_permits()), (2, FEWEST_LEAVING - 1));
        assert!(crowd.enter().await.is_some() && crowd.idle().ranks.len() == 1);
    }

    #[tokio::test]
    async fn idle_is_who_has_had_no_call_for_long() {
        let crowd = Crowd::new(1);
        let member = crowd.enter().await.unwrap();
        let limit = Duration::from_millis(60);
        let call = member.call();
        let told = tokio::time::timeout(limit * 3, member.told_to_leave(limit)).await;
        assert!(told.is_err() && !member.is_idle());
        drop(call);
        let since = Instant::now();
        member.told_to_leave(limit).await;
        assert!(since.elapsed() >= limit && member.is_idle());
    }
}
