use std::sync::Arc;

use crate::domain::Event;

/// How far the events of a run are committed, and the newest batch of them, so that those who follow the run need not read
/// from head office what was written there a moment ago.
#[derive(Debug, Clone)]
pub(super) struct News {
    newest: i64,
    latest: Arc<[Event]>,
}

impl News {
    /// Of a run whose newest event has this number.
    pub(super) fn at(newest: i64) -> Self {
        Self { newest, latest: Arc::new([]) }
    }

    /// As [`Self::at`], with the events of the newest batch: numbered without a gap, none above `newest`.
    pub(super) fn with(newest: i64, latest: Vec<Event>) -> Self {
        Self { newest, latest: latest.into() }
    }

    /// The number of the newest event; 0 when there is none.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// The events of the newest batch that follow event number `after`. `None` where there are none, or not all that come
    /// between.
    pub(super) fn since(&self, after: i64) -> Option<&[Event]> {
        let first = self.latest.first()?.sequence;
        let known = usize::try_from(after.checked_sub(first)?.checked_add(1)?).ok()?;
        self.latest.get(known..).filter(|events| !events.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventBody, RunId};
    use chrono::DateTime;

    fn news(numbers: std::ops::RangeInclusive<i64>) -> News {
        let (run_id, body) = (RunId::generate(), EventBody::RunStarted { branches_total: 1 });
        let event = |sequence| Event { run_id, sequence, time: DateTime::UNIX_EPOCH, body: body.clone() };
        News::with(*numbers.end() + 1, numbers.map(event).collect())
    }

    fn since(news: &News, after: i64) -> Option<Vec<i64>> {
        news.since(after).map(|events| events.iter().map(|event| event.sequence).collect())
    }

    #[test]
    fn only_what_follows_without_a_gap_counts() {
        let news = news(5..=7);
        assert_eq!(since(&news, 3), None);
        assert_eq!(since(&news, 4), Some(vec![5, 6, 7]));
        assert_eq!(since(&news, 6), Some(vec![7]));
        assert_eq!(since(&news, 7), None);
        assert_eq!(since(&news, 100), None);
        assert_eq!(since(&news, i64::MIN), None);
        assert_eq!(since(&news, i64::MAX), None);
        assert_eq!(News::at(9).since(8).map(<[Event]>::len), None);
    }
}
