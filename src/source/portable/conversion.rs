//! How a column's values go over when it gets another type.

use super::types::LogicalType;
use crate::domain::Provider;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Number,
    Bool,
    Time,
    Uuid,
    Bytes,
    Json,
}

fn family(kind: &LogicalType) -> Family {
    match kind {
        LogicalType::String(_) | LogicalType::Text | LogicalType::Enum(_) => Family::Text,
        LogicalType::SmallInt
        | LogicalType::Int
        | LogicalType::BigInt
        | LogicalType::Decimal(..)
        | LogicalType::Double => Family::Number,
        LogicalType::Bool => Family::Bool,
        LogicalType::Date | LogicalType::Timestamp | LogicalType::TimestampTz => Family::Time,
        LogicalType::Uuid => Family::Uuid,
        LogicalType::Bytes => Family::Bytes,
        LogicalType::Json => Family::Json,
    }
}

/// Whether values of one type stay what they are in the other, where the rows themselves allow it. What some server
/// refuses, or takes for something else than the others, does not.
pub(super) fn goes_over(provider: Provider, from: &LogicalType, to: &LogicalType) -> bool {
    let (old, new) = (family(from), family(to));
    match (old, new) {
        // SQLite keeps these as texts of different forms, which a change of type leaves as they are.
        (Family::Time, Family::Time) => provider != Provider::Sqlite || from == to,
        _ if old == new => true,
        (Family::Text, other) | (other, Family::Text) => other != Family::Bytes,
        (Family::Number, Family::Bool) | (Family::Bool, Family::Number) => true,
        _ => false,
    }
}

/// The expression of PostgreSQL's `USING`; `None` where the server assigns one type to the other by itself, which refuses
/// what does not fit, and need not look at the rows where nothing can be lost.
pub(super) fn using(from: Option<&LogicalType>, to: &LogicalType, column: &str, sql_type: &str) -> Option<String> {
    use LogicalType::{Bool, Date, String, Timestamp, TimestampTz};
    let Some(from) = from else {
        // A cast to a shorter text would cut it without a word.
        let is_text = matches!(to, String(_));
        return Some(if is_text { format!("{column}::text") } else { format!("{column}::{sql_type}") });
    };
    Some(match (from, to) {
        (Bool, to) if to.is_number() => format!("{column}::int::{sql_type}"),
        (from, Bool) if from.is_number() => format!("{column} <> 0"),
        // Not in the time zone that the session happens to have.
        (Timestamp, TimestampTz) | (TimestampTz, Timestamp) => format!("{column} AT TIME ZONE 'utc'"),
        (Date, TimestampTz) => format!("{column}::timestamp AT TIME ZONE 'utc'"),
        (TimestampTz, Date) => format!("({column} AT TIME ZONE 'utc')::date"),
        (TimestampTz, to) if family(to) == Family::Text => format!("({column} AT TIME ZONE 'utc')::text"),
        (from, to) if family(from) == family(to) => return None,
        (_, String(_)) => format!("{column}::text"),
        _ => format!("{column}::{sql_type}"),
    })
}

/// Whether a foreign key of one type can refer to a key of the other.
pub(super) fn can_refer(provider: Provider, from: &LogicalType, to: &LogicalType) -> bool {
    let is_same = from.sql(provider) == to.sql(provider);
    let both = |is: fn(&LogicalType) -> bool| is(from) && is(to);
    is_same
        || match provider {
            Provider::Sqlite => true,
            Provider::Postgres => {
                family(from) == family(to) && !both(|kind| family(kind) == Family::Number)
                    || both(LogicalType::is_whole)
            }
            Provider::MySql => both(|kind| matches!(kind, LogicalType::String(_) | LogicalType::Enum(_))),
            Provider::SqlServer => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_in_another_type_is_told() {
        let goes = |from, to| goes_over(Provider::Postgres, from, to);
        assert!(goes(&LogicalType::Int, &LogicalType::Bool) && goes(&LogicalType::Text, &LogicalType::Uuid));
        assert!(!goes(&LogicalType::Date, &LogicalType::Int) && !goes(&LogicalType::Text, &LogicalType::Bytes));
        assert!(!goes_over(Provider::Sqlite, &LogicalType::Date, &LogicalType::Timestamp));
    }

    #[test]
    fn postgres_is_told_how_where_it_would_not_know() {
        let on = |from: &LogicalType, to: &LogicalType| using(Some(from), to, "c", &to.sql(Provider::Postgres));
        assert_eq!(on(&LogicalType::Bool, &LogicalType::BigInt).unwrap(), "c::int::bigint");
        assert_eq!(on(&LogicalType::BigInt, &LogicalType::Bool).unwrap(), "c <> 0");
        assert_eq!(on(&LogicalType::String(9), &LogicalType::String(3)), None, "a cast would cut texts");
        assert_eq!(using(None, &LogicalType::String(3), "c", "varchar(3)").unwrap(), "c::text");
        assert_eq!(on(&LogicalType::Uuid, &LogicalType::String(3)).unwrap(), "c::text");
    }
}
