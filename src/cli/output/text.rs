//! Values as people read them.

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::{Duration, Timestamp};

/// `text` on one line: white space folded, control characters made visible, so that somebody else's text cannot steer
/// the terminal.
pub(crate) fn one_line(text: &str) -> String {
    if text.chars().all(|c| !c.is_control()) {
        return text.to_owned();
    }
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    folded.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time as RFC 3339 in UTC; `None` when it is not set or out of the calendar.
pub(crate) fn rfc3339(time: Option<&Timestamp>) -> Option<String> {
    Some(date_time(time?)?.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// A time to the second, in UTC; `-` when it is not set.
pub(crate) fn time(time: Option<&Timestamp>) -> String {
    let shown = time.and_then(date_time).map(|time| time.format("%Y-%m-%d %H:%M:%SZ").to_string());
    shown.unwrap_or_else(|| "-".into())
}

/// How long ago a time was, in its largest unit; empty when it is not set.
pub(crate) fn ago(time: Option<&Timestamp>, now: DateTime<Utc>) -> String {
    let Some(time) = time.and_then(date_time) else { return String::new() };
    // Clocks of two machines differ; what is a little ahead happened now.
    let seconds = (now - time).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..172_800 => format!("{}h ago", seconds / 3_600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

fn date_time(time: &Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}

/// A duration in seconds.
pub(crate) fn seconds(duration: &Duration) -> f64 {
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}

/// A duration with as much detail as its size deserves; empty when it is not set.
pub(crate) fn duration(duration: Option<&Duration>) -> String {
    let Some(duration) = duration else { return String::new() };
    let seconds = seconds(duration).max(0.0);
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.9995 => format!("{:.0}ms", s * 1e3),
        s if s < 59.95 => format!("{s:.1}s"),
        _ if whole < 3_600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3_600, whole % 3_600 / 60),
    }
}

/// `3 branches`, `1 branch`.
pub(crate) fn count(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `text`, or a dash where there is none.
pub(crate) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Labels as `key=value`, by key.
pub(crate) fn labels(labels: &std::collections::HashMap<String, String>) -> String {
    let mut pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_by_size() {
        let cases = [
            (0, 0, "0ms"),
            (0, 12_345_678, "12ms"),
            (0, 999_900_000, "1.0s"),
            (1, 249_000_000, "1.2s"),
            (59, 990_000_000, "1m 00s"),
            (65, 0, "1m 05s"),
            (3_725, 0, "1h 02m"),
            (-5, 0, "0ms"),
        ];
        for (seconds, nanos, shown) in cases {
            assert_eq!(duration(Some(&Duration { seconds, nanos })), shown);
        }
        assert_eq!(duration(None), "");
    }

    #[test]
    fn how_long_ago() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let ago = |seconds: i64| ago(Some(&Timestamp { seconds: 1_000_000 - seconds, nanos: 0 }), now);
        let cases = [(-5, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (172_799, "47h"), (172_800, "2d")];
        for (seconds, shown) in cases {
            assert_eq!(ago(seconds), format!("{shown} ago"));
        }
    }

    #[test]
    fn times_are_utc() {
        let at = Timestamp { seconds: 1_764_670_469, nanos: 250_000_000 };
        assert_eq!(time(Some(&at)), "2025-12-02 10:14:29Z");
        assert_eq!(rfc3339(Some(&at)).as_deref(), Some("2025-12-02T10:14:29.250Z"));
        assert_eq!(time(None), "-");
        assert_eq!(rfc3339(Some(&Timestamp { seconds: i64::MAX, nanos: -1 })), None);
    }
}
