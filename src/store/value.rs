use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Database, Decode, Type};

use super::StoreError;
use crate::domain::{Time, shorten};

/// A parameter. Both backends know these two types, and nothing else is stored: times are microseconds since 1970,
/// truth values 0 and 1, ids and JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// TEXT
    Text(Option<String>),
    /// BIGINT
    Int(Option<i64>),
}

/// The parameters of a statement, `$1` first.
pub(super) type Args = Vec<Value>;

/// A list of parameters from anything that has a stored form.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::value::Value::from($value)),*] };
}
pub(super) use args;

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<Option<u32>> for Value {
    fn from(number: Option<u32>) -> Self {
        Self::Int(number.map(Into::into))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Int(Some(truth.into()))
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Self::Int(Some(time.timestamp_micros()))
    }
}

impl From<Option<Time>> for Value {
    fn from(time: Option<Time>) -> Self {
        Self::Int(time.map(|time| time.timestamp_micros()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<crate::domain::BranchId> for Value {
    fn from(id: crate::domain::BranchId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

impl From<crate::domain::RunId> for Value {
    fn from(id: crate::domain::RunId) -> Self {
        Self::Text(Some(id.to_string()))
    }
}

/// The JSON text of a value.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::internal(format!("a value has no JSON form: {error}")))
}

/// A row of either backend.
#[derive(Debug)]
pub(super) enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    /// Reads the row as one of `table`, whose key is in the column `key`; both are named when something is unreadable.
    pub(super) fn of(&self, table: &'static str, key: &str) -> Reader<'_> {
        let key = match self.get::<String>(key) {
            Ok(Some(text)) => text,
            _ => self.get::<i64>(key).ok().flatten().map(|number| number.to_string()).unwrap_or_default(),
        };
        Reader { row: self, table, key }
    }

    /// A row that belongs to no table, such as a count.
    pub(super) fn plain(&self) -> Reader<'_> {
        Reader { row: self, table: "(computed)", key: String::new() }
    }

    fn get<T>(&self, column: &str) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> Decode<'r, sqlx::Sqlite> + Type<sqlx::Sqlite>,
        T: for<'r> Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>,
    {
        fn from<'r, R, T>(row: &'r R, column: &str) -> Result<Option<T>, sqlx::Error>
        where
            R: sqlx::Row,
            T: Decode<'r, R::Database> + Type<R::Database>,
            for<'c> &'c str: ColumnIndex<R>,
            R::Database: Database,
        {
            row.try_get::<Option<T>, _>(column)
        }
        match self {
            Self::Sqlite(row) => from(row, column),
            Self::Postgres(row) => from(row, column),
        }
    }
}

/// Reads a row's columns, checking every one of them.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    row: &'a Row,
    table: &'static str,
    key: String,
}

impl Reader<'_> {
    /// The error for a column that cannot be what it says.
    pub(super) fn corrupt(&self, column: &str, problem: impl Display) -> StoreError {
        let problem = shorten(&format!("column {column}: {problem}"), 300);
        StoreError::Corrupt { table: self.table, key: self.key.clone(), problem }
    }

    fn present<T>(&self, column: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column, "is NULL"))
    }

    pub(super) fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.row.get(column).map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        let text = self.opt_text(column)?;
        self.present(column, text)
    }

    pub(super) fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.row.get(column).map_err(|error| self.corrupt(column, error))
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        let number = self.opt_int(column)?;
        self.present(column, number)
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(column, format!("{other} is neither 0 nor 1"))),
        }
    }

    pub(super) fn opt_count(&self, column: &str) -> Result<Option<u32>, StoreError> {
        let convert = |number: i64| {
            u32::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is not a possible count")))
        };
        self.opt_int(column)?.map(convert).transpose()
    }

    pub(super) fn count(&self, column: &str) -> Result<u32, StoreError> {
        let number = self.opt_count(column)?;
        self.present(column, number)
    }

    pub(super) fn opt_time(&self, column: &str) -> Result<Option<Time>, StoreError> {
        let convert = |micros: i64| {
            Time::from_timestamp_micros(micros)
                .ok_or_else(|| self.corrupt(column, format!("{micros} is not a possible time")))
        };
        self.opt_int(column)?.map(convert).transpose()
    }

    pub(super) fn time(&self, column: &str) -> Result<Time, StoreError> {
        let time = self.opt_time(column)?;
        self.present(column, time)
    }

    pub(super) fn opt_parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.opt_text(column)?.map(|text| text.parse().map_err(|error| self.corrupt(column, error))).transpose()
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        let value = self.opt_parse(column)?;
        self.present(column, value)
    }

    pub(super) fn opt_name<T>(&self, column: &str, find: fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
        let convert = |text: String| {
            find(&text).ok_or_else(|| self.corrupt(column, format!("'{text}' is not known to this Branchkeeper")))
        };
        self.opt_text(column)?.map(convert).transpose()
    }

    pub(super) fn name<T>(&self, column: &str, find: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let value = self.opt_name(column, find)?;
        self.present(column, value)
    }

    pub(super) fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let convert = |text: String| serde_json::from_str(&text).map_err(|error| self.corrupt(column, error));
        self.opt_text(column)?.map(convert).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let value = self.opt_json(column)?;
        self.present(column, value)
    }
}
