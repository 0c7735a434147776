//! Literals that servers would read in different ways: what is wrong with them, and how each server has to be told.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Timelike, Utc};

use super::model::Value;
use super::types::LogicalType;
use crate::domain::Provider;

/// What keeps a value from standing in a column of this type on every server.
pub(super) fn wrong(kind: &LogicalType, value: &Value) -> Option<&'static str> {
    let text = match (value, kind) {
        (Value::Null | Value::Sql(_) | Value::Bytes(_), _) => return None,
        (Value::Now, kind) => return (!kind.is_time()).then_some("now goes with date, timestamp and timestamptz"),
        (Value::Uuid, kind) => return (*kind != LogicalType::Uuid).then_some("uuid goes with the type uuid"),
        (Value::Flag(_), LogicalType::Bool) => return None,
        (Value::Flag(_), kind) if kind.is_number() => return Some("this type takes a number"),
        (Value::Flag(flag), _) => {
            if *flag {
                "true"
            } else {
                "false"
            }
        }
        (Value::Text(text) | Value::Number(text), _) => text.as_str(),
    };
    match kind {
        LogicalType::Uuid => {
            let is_one = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
            (!is_one).then_some("a uuid is written like 0e6a3c5e-8d1f-4b52-9d0a-2f6f0a1b7c3d")
        }
        LogicalType::String(longest) => {
            let is_longer = text.chars().count() > usize::try_from(*longest).unwrap_or(usize::MAX);
            is_longer.then_some("the text is longer than the column")
        }
        LogicalType::Text => None,
        LogicalType::Enum(values) => {
            (!values.iter().any(|each| each == text)).then_some("it is none of the enum's values")
        }
        LogicalType::Bool => (!matches!(text, "0" | "1")).then_some("a bool is true or false"),
        LogicalType::Date => day(text).is_none().then_some("a date is written like 2024-12-31"),
        LogicalType::Timestamp => local(text)
            .is_none()
            .then_some("a timestamp is written like 2024-12-31T23:59:59 or …59.123456, without a zone"),
        LogicalType::TimestampTz => {
            moment(text).is_none().then_some("a moment is written like 2024-12-31T23:59:59Z or …+02:00")
        }
        LogicalType::Bytes => hexadecimal(text).is_none().then_some("bytes are written in hexadecimal, like 0x00ff"),
        LogicalType::Json => serde_json::from_str::<serde::de::IgnoredAny>(text)
            .is_err()
            .then_some("it is no JSON; a text in JSON has double quotes of its own"),
        kind => wrong_number(kind, text),
    }
}

fn wrong_number(kind: &LogicalType, text: &str) -> Option<&'static str> {
    if !is_number(text) {
        return Some("this type takes a number");
    }
    if kind.is_whole() && text.contains(['.', 'e', 'E']) {
        return Some("this type takes whole numbers");
    }
    let fits = match kind {
        LogicalType::SmallInt => text.parse::<i16>().is_ok(),
        LogicalType::Int => text.parse::<i32>().is_ok(),
        LogicalType::BigInt => text.parse::<i64>().is_ok(),
        LogicalType::Double => {
            let is_zero = !text.split(['e', 'E']).next().unwrap_or_default().contains(|ch| matches!(ch, '1'..='9'));
            text.parse::<f64>().is_ok_and(|number| is_zero || number.is_normal())
        }
        LogicalType::Decimal(digits, decimals) => {
            let (whole, part) = digits_of(text);
            if part > i64::from(*decimals) {
                return Some("the number has more decimals than the type keeps");
            }
            whole <= i64::from(*digits) - i64::from(*decimals)
        }
        _ => true,
    };
    (!fits).then_some("the number is out of the type's range")
}

/// Whether a text is a number as JSON writes it: `0010` is none.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at).unwrap_or_default(), unsigned.get(at + 1..)),
        None => (unsigned, None),
    };
    let (whole, part) = match mantissa.split_once('.') {
        Some((whole, part)) => (whole, Some(part)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && part.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text) && text.len() <= 3)
}

/// How many digits a number has before and behind its point, without zeros that say nothing.
fn digits_of(text: &str) -> (i64, i64) {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or_default();
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{part}");
    let point = i64::try_from(whole.len()).unwrap_or_default() + exponent;
    let place = |at: usize| i64::try_from(at).unwrap_or_default();
    let (first, last) = (all.find(|ch| ch != '0'), all.rfind(|ch| ch != '0'));
    match (first, last) {
        (Some(first), Some(last)) => ((point - place(first)).max(0), (place(last) + 1 - point).max(0)),
        _ => (0, 0),
    }
}

/// What keeps a value, which fits the type, from standing in a column of it on one server.
pub(super) fn wrong_on(provider: Provider, kind: &LogicalType, value: &Value) -> Option<&'static str> {
    let (Value::Text(text) | Value::Number(text)) = value else { return None };
    match (provider, kind) {
        // An 😀 counts as two there.
        (Provider::SqlServer, LogicalType::String(longest)) => {
            let is_longer = text.encode_utf16().count() > usize::try_from(*longest).unwrap_or(usize::MAX);
            is_longer.then_some("the text is longer than the column, which is measured in UTF-16 there")
        }
        (Provider::SqlServer, LogicalType::Json) => {
            (!text.trim_start().starts_with(['{', '['])).then_some("its JSON is an object or an array")
        }
        // Neither a number nor a text holds more there.
        (Provider::Postgres, LogicalType::Json) => text.contains("\\u0000").then_some("a text can't hold \\u0000"),
        _ => None,
    }
}

/// The digits of bytes behind `0x`.
fn hexadecimal(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x")?;
    (digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// The value as the server has to be told it, so that it means the same everywhere in a column of this type.
pub(super) fn fitted(provider: Provider, kind: &LogicalType, value: &Value) -> Value {
    match (value, kind) {
        (Value::Text(text), LogicalType::TimestampTz) => {
            moment(text).map_or_else(|| value.clone(), |moment| Value::Text(written(provider, moment)))
        }
        // PostgreSQL and SQL Server do so by themselves.
        (Value::Text(text), LogicalType::Uuid) => Value::Text(text.to_lowercase()),
        (Value::Text(text), LogicalType::Bytes) => {
            hexadecimal(text).map_or_else(|| value.clone(), |digits| Value::Bytes(digits.to_lowercase()))
        }
        (Value::Text(text), kind) if kind.is_number() && is_number(text) => Value::Number(text.clone()),
        (Value::Number(text) | Value::Text(text), LogicalType::Bool) => match text.as_str() {
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

/// Years that every server has.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

fn day(text: &str) -> Option<NaiveDate> {
    // The day's parser would take 2024-1-2 and signs, which not every server does.
    let is_plain = text.len() == 10 && text.starts_with(|ch: char| ch.is_ascii_digit());
    let day = is_plain.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    YEARS.contains(&day.year()).then_some(day)
}

fn local(text: &str) -> Option<NaiveDateTime> {
    if let Some(day) = day(text) {
        return day.and_hms_opt(0, 0, 0);
    }
    day(text.get(..10)?)?;
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let is_whole = text.len() >= 19;
    let time = is_whole
        .then(|| formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()))
        .flatten()?;
    // Not every server knows leap seconds, or more than millionths.
    (time.nanosecond() < 1_000_000_000 && time.nanosecond().is_multiple_of(1_000)).then_some(time)
}

/// A moment; without a zone it is UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let with_zone = || {
        local(text.get(..19)?)?;
        DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.with_timezone(&Utc))
    };
    let moment = local(text).map(|local| local.and_utc()).or_else(with_zone)?;
    let nanoseconds = moment.nanosecond();
    let is_common = YEARS.contains(&moment.year()) && nanoseconds < 1_000_000_000 && nanoseconds.is_multiple_of(1_000);
    is_common.then_some(moment)
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
    fn only_what_json_calls_a_number_is_one() {
        for yes in ["0", "-1", "12.50", "1e3", "1.5E-10"] {
            assert!(is_number(yes), "{yes}");
        }
        for no in ["", "-", "0010", "1.", ".5", "1e", "0x1f", "1_000", "NaN", "1e9999"] {
            assert!(!is_number(no), "{no}");
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
            (LogicalType::Int, text("x")),
            (LogicalType::Int, Value::Flag(true)),
            (LogicalType::Bool, Value::Number("2".into())),
            (LogicalType::Bool, text("yes")),
            (LogicalType::Decimal(4, 2), Value::Number("100".into())),
            (LogicalType::Decimal(4, 2), Value::Number("1.005".into())),
            (LogicalType::Decimal(4, 2), Value::Number("1e2".into())),
            (LogicalType::Decimal(2, 2), Value::Number("1".into())),
            (LogicalType::Double, Value::Number("1e309".into())),
            (LogicalType::Double, Value::Number("1e-400".into())),
            (LogicalType::Date, text("0000-01-01")),
            (LogicalType::Date, text("-001-01-01")),
            (LogicalType::Date, Value::Number("20240102".into())),
            (LogicalType::Timestamp, text("2024-01-02T23:59:60")),
            (LogicalType::Timestamp, text("2024-01-02T03:04:05.1234567")),
            (LogicalType::TimestampTz, text("0001-01-01T00:00:00+02:00")),
            (LogicalType::Bytes, text("abc")),
            (LogicalType::Bytes, text("0x0")),
            (LogicalType::Json, text("{")),
            (LogicalType::Json, text("")),
            (LogicalType::Enum(vec!["1".into()]), Value::Number("2".into())),
            (LogicalType::String(1), Value::Flag(true)),
        ] {
            assert!(wrong(&kind, &bad).is_some(), "{kind:?} {bad:?}");
        }
        for (kind, good) in [
            (LogicalType::String(2), text("żż")),
            (LogicalType::Int, text("-7")),
            (LogicalType::Decimal(4, 2), Value::Number("-99.990".into())),
            (LogicalType::Decimal(4, 2), Value::Number("9.9e1".into())),
            (LogicalType::Decimal(2, 2), Value::Number("0.99".into())),
            (LogicalType::Decimal(38, 0), Value::Number("9".repeat(38))),
            (LogicalType::Double, Value::Number("0e0".into())),
            (LogicalType::Bytes, text("0x")),
            (LogicalType::Bytes, text("0x00Ff")),
            (LogicalType::Json, Value::Number("1".into())),
            (LogicalType::Json, Value::Flag(true)),
            (LogicalType::Date, text("0001-01-01")),
            (LogicalType::Timestamp, text("9999-12-31T23:59:59.999999")),
            (LogicalType::Enum(vec!["1".into()]), Value::Number("1".into())),
        ] {
            assert_eq!(wrong(&kind, &good), None, "{kind:?} {good:?}");
        }
        let on = |provider, kind: &LogicalType, value: &str| wrong_on(provider, kind, &text(value)).is_some();
        assert!(
            on(Provider::SqlServer, &LogicalType::String(1), "😀") && on(Provider::SqlServer, &LogicalType::Json, "1")
        );
        assert!(
            !on(Provider::Postgres, &LogicalType::String(1), "😀") && !on(Provider::Postgres, &LogicalType::Json, "1")
        );
    }
}
