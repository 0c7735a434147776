/// What a session holds of its branch's lock, and whether a transaction is open for it.
///
/// A provider whose lock is a row writes that row and leaves the transaction open ([`Hold::Uncommitted`]); the first work
/// goes on in the same transaction, so that a lock and its first migration cost one commit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing.
    Nothing,
    /// The lock's row is written in a transaction that is still open.
    Uncommitted,
    /// The lock is held and others can see it. No transaction is open.
    Committed,
    /// The lock is held, and a transaction of a unit of work is open.
    Working,
}

impl Hold {
    /// A unit of work begins: the state now, and whether a transaction has to be begun for it. `None` when there is no lock.
    pub(super) fn begin(self) -> Option<(Self, bool)> {
        match self {
            Self::Nothing => None,
            // Rolling back from here loses the lock too, so the state stays what it is.
            Self::Uncommitted => Some((Self::Uncommitted, false)),
            Self::Committed => Some((Self::Working, true)),
            Self::Working => Some((Self::Working, false)),
        }
    }

    /// The open transaction was committed; `released` when the lock was given back in it.
    pub(super) fn committed(self, released: bool) -> Self {
        match self {
            _ if released => Self::Nothing,
            Self::Nothing => Self::Nothing,
            _ => Self::Committed,
        }
    }

    /// The open transaction, if any, was rolled back.
    pub(super) fn rolled_back(self) -> Self {
        match self {
            Self::Nothing | Self::Uncommitted => Self::Nothing,
            Self::Committed | Self::Working => Self::Committed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_and_its_first_work_share_a_transaction() {
        let (hold, begin) = Hold::Uncommitted.begin().unwrap();
        assert!(!begin);
        assert_eq!(hold.committed(false), Hold::Committed);
        assert_eq!(hold.committed(true), Hold::Nothing);
        assert_eq!(hold.rolled_back(), Hold::Nothing, "the row was never there for others");
    }

    #[test]
    fn later_work_has_transactions_of_its_own() {
        let (hold, begin) = Hold::Committed.begin().unwrap();
        assert!(begin);
        assert_eq!(hold.begin(), Some((Hold::Working, false)));
        assert_eq!(hold.rolled_back(), Hold::Committed);
        assert_eq!(hold.committed(false), Hold::Committed);
    }

    #[test]
    fn without_a_lock_there_is_no_work() {
        assert_eq!(Hold::Nothing.begin(), None);
        assert_eq!(Hold::Nothing.committed(false), Hold::Nothing);
    }
}
