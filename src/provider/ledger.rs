use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::{
    Checksum, Direction, Intent, Ledger, LedgerRow, Progress, RowState, StatementDigest, Time, shorten,
};

use super::connection::{Cause, Failure, Row};
use super::error::{ErrorKind, ProviderError};
use super::records::DOWN;
use super::session::Session;
use super::sql::{MAX_JOURNAL, MAX_ROWS, MAX_TEXT};

impl Session {
    /// Reads the whole ledger, in one round trip. A ledger whose table does not exist is empty.
    ///
    /// The rows may have been written by anybody. One that can't be understood is an error of kind
    /// [`ErrorKind::Ledger`] that names it; so is a table of another shape.
    pub async fn ledger(&mut self) -> Result<Ledger, ProviderError> {
        let text = self.sql.fill(self.sql.dialect.select_ledger);
        match self.query(&text).await {
            Ok(rows) => parse(&rows),
            Err(failure) if failure.cause == Cause::MissingTable => Ok(Ledger::default()),
            Err(failure) => Err(explain(failure, &self.settings.history_table)),
        }
    }
}

fn explain(failure: Failure, table: &str) -> ProviderError {
    match failure.cause {
        Cause::ForeignShape => {
            let text = format!("the table {table} is not Branchkeeper's ledger: {}", failure.error.message);
            ProviderError::new(ErrorKind::Ledger, text)
                .hint("set migration.history_table to a name that nothing else uses")
                .code(failure.error.code)
        }
        _ => {
            let mut error = failure.error;
            error.message = format!("the ledger {table} could not be read: {}", error.message);
            error
        }
    }
}

fn parse(rows: &[Row]) -> Result<Ledger, ProviderError> {
    if rows.len() > MAX_ROWS {
        return Err(ProviderError::new(ErrorKind::Ledger, format!("the ledger has more than {MAX_ROWS} rows"))
            .hint("it was not written by Branchkeeper alone; look at its rows"));
    }
    let rows: Result<_, _> = rows.iter().enumerate().map(|(index, row)| parse_row(index, row)).collect();
    Ok(Ledger { exists: true, rows: rows? })
}

fn parse_row(index: usize, row: &Row) -> Result<LedgerRow, ProviderError> {
    let bad = |what: &str| {
        let name = shorten(&row.text_or_empty(0), 80);
        ProviderError::new(ErrorKind::Ledger, format!("row {} ('{name}') of the ledger {what}", index + 1))
            .hint("it was not written by Branchkeeper; correct or remove the row")
    };
    let text = |column: usize, what: &str, limit: usize| match row.text(column) {
        Ok(Some(text)) if text.chars().nth(limit).is_none() => Ok(text),
        Ok(Some(_)) => Err(bad(&format!("has a {what} of more than {limit} characters"))),
        _ => Err(bad(&format!("has no {what}"))),
    };
    let number = |column: usize, what: &str| row.number(column).ok_or_else(|| bad(&format!("has no {what}")));

    let format = i32::try_from(number(2, "format")?).map_err(|_| bad("has no format"))?;
    let state = match &*text(3, "state", MAX_TEXT)? {
        "applied" => RowState::Applied,
        "partial" => RowState::Partial(Progress {
            direction: direction(&text(4, "journal", MAX_JOURNAL)?),
            done: digests(&text(4, "journal", MAX_JOURNAL)?),
            total: u32::try_from(number(5, "statement count")?).map_err(|_| bad("has no statement count"))?,
            intent: row.text(6).map_err(|_| bad("has an unreadable intent"))?.map(|text| Intent::from_stored(&text)),
        }),
        other => return Err(bad(&format!("has the unknown state '{}'", shorten(other, 40)))),
    };
    Ok(LedgerRow {
        id: text(0, "migration id", MAX_TEXT)?,
        checksum: Checksum::from_stored(text(1, "checksum", MAX_TEXT)?),
        format,
        state,
        applied_time: parse_time(&text(7, "time", MAX_TEXT)?).ok_or_else(|| bad("has no time"))?,
        duration: Duration::from_micros(u64::try_from(number(8, "duration")?).unwrap_or_default()),
        product_version: text(9, "product version", MAX_TEXT)?,
        run_id: text(10, "run", MAX_TEXT)?.parse().ok(),
    })
}

fn direction(journal: &str) -> Direction {
    if journal.split_whitespace().next() == Some(DOWN) { Direction::Down } else { Direction::Up }
}

fn digests(journal: &str) -> Vec<StatementDigest> {
    let words = journal.split_whitespace().enumerate();
    words.filter(|word| *word != (0, DOWN)).map(|(_, word)| StatementDigest::from_stored(word)).collect()
}

/// A moment as a ledger stores it.
pub(super) fn parse_time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::sql::time_text;

    #[test]
    fn times_come_back_as_they_were_stored() {
        let time = parse_time("2026-03-04T05:06:07.000089Z").unwrap();
        assert_eq!(time_text(time), "2026-03-04T05:06:07.000089Z");
        assert_eq!(parse_time("yesterday"), None);
    }
}
