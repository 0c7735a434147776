//! Looks that callers share.
//!
//! Whoever asks while a look is under way does not get its outcome, which may be older than the question, but waits for
//! the next look, together with everybody else who asks meanwhile. So each answer was found out after its question, and a
//! crowd that asks for the same costs little more than one caller, as with a group commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

/// How long a look waits for the one before it. One that takes longer, because a server does not answer, must not
/// double the wait of those who asked later.
const PATIENCE: Duration = Duration::from_millis(100);

/// The looks that are under way or wait for their turn, by what is looked at. A look whose callers have all gone away ends.
pub(super) struct Looks<T>(Arc<Mutex<Table<T>>>);

type Look<T> = BoxFuture<'static, T>;

struct Table<T> {
    newest: u64,
    looks: HashMap<String, Slot<T>>,
}

/// The newest look at something.
struct Slot<T> {
    number: u64,
    begun: bool,
    look: WeakShared<Look<T>>,
}

impl<T> Default for Looks<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Table { newest: 0, looks: HashMap::new() })))
    }
}

impl<T: Clone + Send + Sync + 'static> Looks<T> {
    /// The outcome of a look at `what` that begins after this call: `look`, or one that another caller has asked for.
    pub(super) async fn join(&self, what: String, look: impl Future<Output = T> + Send + 'static) -> T {
        self.place(what, look).await
    }

    fn place(&self, what: String, look: impl Future<Output = T> + Send + 'static) -> Shared<Look<T>> {
        let mut table = lock(&self.0);
        let known = table.looks.get(&what).and_then(|slot| Some((slot.look.upgrade()?, slot.begun)));
        let earlier = match known {
            Some((waiting, false)) => return waiting,
            Some((under_way, true)) => Some(under_way),
            None => None,
        };
        table.newest += 1;
        let turn = Turn { table: Arc::clone(&self.0), what: what.clone(), number: table.newest };
        let number = turn.number;
        let look = async move {
            if let Some(earlier) = earlier {
                // How it ended is of no interest, nor whether it did.
                let _ = tokio::time::timeout(PATIENCE, earlier).await;
            }
            turn.begin();
            look.await
        };
        let look = look.boxed().shared();
        if let Some(weak) = look.downgrade() {
            table.looks.insert(what, Slot { number, begun: false, look: weak });
        }
        look
    }
}

/// A look's entry in the table; goes with the look.
struct Turn<T> {
    table: Arc<Mutex<Table<T>>>,
    what: String,
    number: u64,
}

impl<T> Turn<T> {
    /// From here on, whoever asks has come too late for this look.
    fn begin(&self) {
        if let Some(slot) = lock(&self.table).looks.get_mut(&self.what).filter(|slot| slot.number == self.number) {
            slot.begun = true;
        }
    }
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        if table.looks.get(&self.what).is_some_and(|slot| slot.number == self.number) {
            table.looks.remove(&self.what);
        }
    }
}

fn lock<T>(table: &Mutex<Table<T>>) -> MutexGuard<'_, Table<T>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;
