//! Which connections there are, which of them have nothing to do, and which one has to go when there are too many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The most connections that are on their way out and do not count any more.
const MOST_LEAVING: usize = 64;
/// The time in which a connection that was asked to leave makes room.
const ROOM_WITHIN: Duration = Duration::from_millis(200);

/// All connections. There are never more than its limit, and [`MOST_LEAVING`] that have been told to go.
#[derive(Debug)]
pub(super) struct Crowd {
    seats: Arc<Semaphore>,
    exits: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// The connections that have nothing to do, the one that would be missed least first.
#[derive(Debug, Default)]
struct Idle {
    ranks: BTreeMap<Rank, CancellationToken>,
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
        Arc::new(Self {
            seats: Arc::new(Semaphore::new(limit)),
            exits: Arc::new(Semaphore::new(MOST_LEAVING)),
            idle: Mutex::default(),
        })
    }

    /// A seat for a new connection. When there is none, the connection that has been idle the longest is asked to go; `None`
    /// when none is idle.
    pub(super) async fn enter(self: &Arc<Self>) -> Option<Member> {
        let mut seat = Arc::clone(&self.seats).try_acquire_owned().ok();
        if seat.is_none() && self.make_room() {
            let freed = tokio::time::timeout(ROOM_WITHIN, Arc::clone(&self.seats).acquire_owned()).await;
            seat = freed.ok().and_then(Result::ok);
        }
        seat.map(|seat| Member::new(Arc::clone(self), seat))
    }

    /// Asks the connection to go that would be missed least. False when all are at work.
    pub(super) fn make_room(&self) -> bool {
        let first = self.idle().ranks.pop_first();
        first.map(|(_, leave)| leave.cancel()).is_some()
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
    /// The seat, or what was given for it by the exit.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Member {
    fn new(crowd: Arc<Crowd>, seat: OwnedSemaphorePermit) -> Self {
        let (open, idle_since) = (0, Instant::now());
        let state = State { open, idle_since, has_called: false, rank: None, _permit: Some(seat) };
        let member = Self(Arc::new(Seat { crowd, leave: CancellationToken::new(), state: Mutex::new(state) }));
        member.0.rest(&mut member.0.state());
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

    /// Gives the seat back while the connection is still saying goodbye. False when too many do that already.
    pub(super) fn step_aside(&self) -> bool {
        let exit = Arc::clone(&self.0.crowd.exits).try_acquire_owned().ok();
        let mut state = self.0.state();
        state._permit = exit;
        state._permit.is_some()
    }
}

impl Seat {
    fn rest(&self, state: &mut State) {
        if self.leave.is_cancelled() {
            return;
        }
        let mut idle = self.crowd.idle();
        idle.next += 1;
        let rank = Rank { has_called: state.has_called, order: idle.next };
        idle.ranks.insert(rank, self.leave.clone());
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
            self.0.rest(&mut state);
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
        assert!(crowd.enter().await.is_none(), "nobody gave a seat back");
        assert!(is_told(&never) && !is_told(&later) && !is_told(&served));
        assert!(never.step_aside());
        let busy = crowd.enter().await.unwrap();
        let call = busy.call();
        drop(later);
        let other = crowd.enter().await.unwrap();
        let _other_call = other.call();
        assert!(crowd.make_room() && is_told(&served));
        assert!(!crowd.make_room(), "the others are at work");
        drop(call);
        assert!(crowd.make_room() && is_told(&busy));
        drop((never, served, busy));
        assert_eq!(crowd.exits.available_permits(), MOST_LEAVING);
        assert_eq!(crowd.seats.available_permits(), 2);
        assert!(crowd.idle().ranks.is_empty());
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
