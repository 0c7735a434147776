//! Literals that servers would read in different ways: what is wrong with them, and how each server has to be told.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

use super::model::Value;
use super::types::LogicalType;
use crate::domain::Provider;

/// What keeps a value from standing in a column of this type on every server.
pub(super) fn wrong(kind: &LogicalType, value: &Value) -> Option<&'static str> {
    match (value, kind) {
        (Value::Text(text), LogicalType::Uuid) => {
            let is_one = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
            (!is_one).then_some("a uuid is written like 0e6a3c5e-8d1f-4b52-9d0a-2f6f0a1b7c3d")
        }
        (Value::Text(text), LogicalType::Date) => day(text).is_none().then_some("a date is written like 2024-12-31"),
        (Value::Text(text), LogicalType::Timestamp) => {
            local(text).is_none().then_some("a timestamp is written like 2024-12-31T23:59:59, without a zone")
        }
        (Value::Text(text), LogicalType::TimestampTz) => {
            moment(text).is_none().then_some("a moment is written like 2024-12-31T23:59:59Z or …+02:00")
        }
        (Value::Text(text) | Value::Number(text), LogicalType::String(longest)) => {
            let is_longer = text.chars().count() > usize::try_from(*longest).unwrap_or(usize::MAX);
            is_longer.then_some("the text is longer than the column")
        }
        (Value::Number(text), kind) if kind.is_whole() => {
            if text.contains(['.', 'e', 'E']) {
                return Some("this type takes whole numbers");
            }
            let fits = match kind {
                LogicalType::SmallInt => text.parse::<i16>().is_ok(),
                LogicalType::Int => text.parse::<i32>().is_ok(),
                _ => text.parse::<i64>().is_ok(),
            };
            (!fits).then_some("the number is out of the type's range")
        }
        (Value::Text(text), LogicalType::Enum(values)) => {
            (!values.contains(text)).then_some("it is none of the enum's values")
        }
        (Value::Now, kind) => (!kind.is_time()).then_some("now goes with date, timestamp and timestamptz"),
        (Value::Uuid, kind) => (*kind != LogicalType::Uuid).then_some("uuid goes with the type uuid"),
        _ => None,
    }
}

/// The value as the server has to be told it, so that it means the same everywhere in a column of this type.
pub(super) fn fitted(provider: Provider, kind: &LogicalType, value: &Value) -> Value {
    match (value, kind) {
        (Value::Text(text), LogicalType::TimestampTz) => {
            moment(text).map_or_else(|| value.clone(), |moment| Value::Text(written(provider, moment)))
        }
        // PostgreSQL and SQL Server do so by themselves.
        (Value::Text(text), LogicalType::Uuid) => Value::Text(text.to_lowercase()),
        (Value::Number(text), LogicalType::Bool) => match text.as_str() {
            "0" => Value::Flag(false),
            "1" => Value::Flag(true),
            _ => value.clone(),
        },
        // A text is text, however it is written: SQLite would make 12.5 of 12.50.
        (Value::Number(text), kind) if !kind.is_number() => Value::Text(text.clone()),
        (Value::Flag(flag), kind) if !kind.is_number() && *kind != LogicalType::Bool => Value::Text(flag.to_string()),
        _ => value.clone(),
    }
}

fn written(provider: Provider, moment: DateTime<Utc>) -> String {
    match provider {
        // MariaDB knows no zones in texts, and keeps these moments in UTC.
        Provider::MySql => moment.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        _ => moment.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    }
}

fn day(text: &str) -> Option<NaiveDate> {
    // The day's parser would take 2024-1-2, which not every server does.
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

fn local(text: &str) -> Option<NaiveDateTime> {
    if let Some(day) = day(text) {
        return day.and_hms_opt(0, 0, 0);
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let is_whole = text.len() >= 19;
    is_whole.then(|| formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())).flatten()
}

/// A moment; without a zone it is UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    local(text)
        .map(|local| local.and_utc())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn on(provider: Provider, kind: &LogicalType, value: &Value) -> String {
        match fitted(provider, kind, value) {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn moments_are_the_same_everywhere() {
        let kind = LogicalType::TimestampTz;
        for (written, utc) in [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05"),
            ("2024-01-02T03:04:05.250+02:00", "2024-01-02T01:04:05.250"),
            ("2024-01-02 03:04:05", "2024-01-02T03:04:05"),
            ("2024-01-02", "2024-01-02T00:00:00"),
        ] {
            assert!(wrong(&kind, &text(written)).is_none(), "{written}");
            assert_eq!(on(Provider::MySql, &kind, &text(written)), utc.replace('T', " "));
            assert_eq!(on(Provider::Postgres, &kind, &text(written)), format!("{utc}Z"));
            assert_eq!(on(Provider::Sqlite, &kind, &text(written)), format!("{utc}Z"));
        }
        assert_eq!(on(Provider::Postgres, &LogicalType::String(9), &Value::Number("12.50".into())), "12.50");
        assert_eq!(on(Provider::MySql, &LogicalType::Bool, &Value::Number("1".into())), "Flag(true)");
    }

    #[test]
    fn what_some_server_would_refuse_is_wrong() {
        for (kind, bad) in [
            (LogicalType::Uuid, text("abc")),
            (LogicalType::Date, text("2024-02-30")),
            (LogicalType::Date, text("2024-1-2")),
            (LogicalType::Timestamp, text("2024-01-02T03:04:05Z")),
            (LogicalType::TimestampTz, text("yesterday")),
            (LogicalType::String(2), text("abc")),
            (LogicalType::SmallInt, Value::Number("40000".into())),
            (LogicalType::Int, Value::Number("3000000000".into())),
            (LogicalType::BigInt, Value::Number("1.5".into())),
        ] {
            assert!(wrong(&kind, &bad).is_some(), "{kind:?} {bad:?}");
        }
        assert!(wrong(&LogicalType::String(2), &text("żż")).is_none());
    }
}
