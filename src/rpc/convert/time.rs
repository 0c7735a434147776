use std::time::Duration;

use crate::domain::Time;

/// A moment as the contract carries it.
pub(super) fn timestamp(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        // A leap second reads as more than a second's worth of nanoseconds, which a Timestamp may not hold.
        nanos: i32::try_from(time.timestamp_subsec_nanos().min(999_999_999)).unwrap_or_default(),
    }
}

/// A span as the contract carries it; one of more than 292 billion years is cut to that.
pub(super) fn duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or_default(),
    }
}

/// The moment that a Timestamp tells; `None` when it tells none.
pub(super) fn moment(time: prost_types::Timestamp) -> Option<Time> {
    Time::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}

/// The span that a Duration tells; `None` when it is negative or none.
pub(super) fn span(span: prost_types::Duration) -> Option<Duration> {
    let nanos = u32::try_from(span.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(span.seconds).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_count_nanoseconds_forward() {
        let time = Time::UNIX_EPOCH - chrono::TimeDelta::milliseconds(250);
        assert_eq!(timestamp(time), prost_types::Timestamp { seconds: -1, nanos: 750_000_000 });
    }

    #[test]
    fn spans_do_not_overflow() {
        assert_eq!(duration(Duration::MAX).seconds, i64::MAX);
        assert_eq!(
            duration(Duration::from_micros(1_500_001)),
            prost_types::Duration { seconds: 1, nanos: 500_001_000 }
        );
    }
}
