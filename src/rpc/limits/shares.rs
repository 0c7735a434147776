use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Kind, Who};

/// How many calls of a kind there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Of one caller.
    pub(super) each: usize,
    /// Of all together.
    pub(super) all: usize,
}

/// Why there is no place for one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The caller has this many.
    Caller(usize),
    /// All callers together have this many.
    Service(usize),
}

/// Who has how many calls at work. There is an entry only while there is a call, so the table is no larger than they are
/// many.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    each: HashMap<(Who, Kind), usize>,
    all: HashMap<Kind, usize>,
}

impl Shares {
    /// A place for one more call of `who`, to be held until its answer has been taken.
    pub(super) fn place(&self, who: Who, kind: Kind, share: Share) -> Result<Place, Full> {
        let mut counts = self.lock();
        let own = counts.each.get(&(who, kind)).copied().unwrap_or(0);
        if own >= share.each {
            return Err(Full::Caller(share.each));
        }
        let all = counts.all.entry(kind).or_default();
        if *all >= share.all {
            return Err(Full::Service(share.all));
        }
        *all += 1;
        counts.each.insert((who, kind), own + 1);
        Ok(Place { shares: self.clone(), who, kind })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place. It is given back when it is dropped.
#[derive(Debug)]
pub(in crate::rpc) struct Place {
    shares: Shares,
    who: Who,
    kind: Kind,
}

impl Drop for Place {
    fn drop(&mut self) {
        let key = (self.who, self.kind);
        let mut counts = self.shares.lock();
        if let Some(all) = counts.all.get_mut(&self.kind) {
            *all = all.saturating_sub(1);
        }
        match counts.each.get_mut(&key) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(counts.each.remove(&key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let shares = Shares::default();
        let share = Share { each: 2, all: 3 };
        let place = |who| shares.place(Who(who), Kind::Short, share);
        let first = place(1).unwrap();
        let _second = place(1).unwrap();
        assert_eq!(place(1).unwrap_err(), Full::Caller(2));
        let _third = place(2).unwrap();
        assert_eq!(place(3).unwrap_err(), Full::Service(3));
        // Kinds are counted apart.
        drop(shares.place(Who(1), Kind::Following, share).unwrap());
        drop(first);
        drop(place(1).unwrap());
        assert_eq!(shares.lock().each.len(), 2);
        drop((_second, _third));
        assert!(shares.lock().each.is_empty());
    }
}
