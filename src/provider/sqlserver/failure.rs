use tiberius::error::{Error, TokenError};

use super::heard::Heard;
use crate::domain::shorten;
use crate::provider::connection::{Cause, Ended, Failure};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::server::ServerPlace;

/// An error that the server has sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: u32,
    pub(super) state: u8,
    /// The severity; from 20 up the server ends the session.
    pub(super) class: u8,
    pub(super) message: String,
    /// The procedure, function or trigger in which it happened; empty for the batch itself.
    pub(super) procedure: String,
    /// The line in that procedure or in the batch, from 1; 0 when it is not known.
    pub(super) line: u32,
}

impl From<&TokenError> for Said {
    fn from(error: &TokenError) -> Self {
        Self {
            code: error.code(),
            state: error.state(),
            class: error.class(),
            message: error.message().to_owned(),
            procedure: error.procedure().to_owned(),
            line: error.line(),
        }
    }
}

/// What a driver's error means. `connecting` tells a server that can't be reached from one that was lost; `heard` are all
/// errors that the server sent, of which the driver's is the first.
pub(super) fn failure(error: &Error, heard: &[Heard], place: &ServerPlace, connecting: bool) -> Failure {
    let lost = |error| Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost };
    match (error, heard.first()) {
        (Error::Server(token), _) => {
            answered(&Said::from(token), heard.get(1..).unwrap_or_default(), place, connecting)
        }
        (error, Some(first)) => {
            // The server said why, and ended the session before it was done with that.
            let said = Said { code: first.code, class: 20, message: first.message.clone(), ..Said::default() };
            let failure = answered(&said, &[], place, connecting);
            match failure.error.kind {
                ErrorKind::Sql => lost(place.lost(&format!("{error}, after: {}", first.message))),
                _ => failure,
            }
        }
        (Error::Tls(text), None) => {
            // The driver goes on with advice for programmers.
            lost(place.unencrypted(&text.split(" To connect anyway").next().unwrap_or(text)))
        }
        // A server that was asked to encrypt the login at least, and can't.
        (Error::Io { message, .. }, None) if connecting && message.contains("tls handshake") => {
            lost(place.unencrypted(message))
        }
        (Error::Io { message, .. }, None) if connecting => lost(place.unreachable(message)),
        (Error::Conversion(text), None) if connecting && text.contains("SQL browser") => {
            lost(place.unreachable(&"its browser service, which knows the instance's port, does not answer"))
        }
        (error, None) if connecting => lost(place.strange(error, "SQL Server")),
        (error, None) => lost(place.lost(error)),
    }
}

fn answered(said: &Said, others: &[Heard], place: &ServerPlace, connecting: bool) -> Failure {
    let (kind, message, hint) = meaning(said, place, connecting);
    let message = match kind {
        ErrorKind::Sql | ErrorKind::Timeout => format!("{message}{}", details(said, others)),
        _ => message,
    };
    let cause = match said.code {
        208 => Cause::MissingTable,
        // What a foreign table's columns give where ours would give texts and numbers.
        206 | 207 | 245 | 529 | 8116 => Cause::ForeignShape,
        515 => Cause::Refused,
        1222 => Cause::Busy,
        1801 | 2714 => Cause::Exists,
        // The count of transactions is not what it was; no transaction to commit or to undo.
        266 | 3902 | 3903 => Cause::TransactionEnded,
        _ => Cause::Other,
    };
    let ended = if kind == ErrorKind::Lost || said.class >= 20 { Ended::Goodbye } else { Ended::Answered };
    let error = ProviderError::new(kind, message).hint(hint).code(said.code.to_string());
    Failure { error, cause, at: None, ended }
}

/// What kind of error it is, what happened, and what to do.
fn meaning(said: &Said, place: &ServerPlace, connecting: bool) -> (ErrorKind, String, String) {
    let (at, text) = (place.address(), &*said.message);
    let busy = || (ErrorKind::Busy, format!("{at} takes no connection now: {text}"), "retry later".to_owned());
    let sql = |hint: &str| (ErrorKind::Sql, text.to_owned(), hint.to_owned());
    match said.code {
        // Server paused, starting, shutting down, being upgraded, or full; a database in recovery; Azure's throttling.
        17142 | 17187 | 17809 | 18401 | 18451 | 18461 | 40501 | 40613 | 49918 | 49919 | 49920 | 10928 | 10929 => busy(),
        922 | 927 | 6005 | 17148 | 40197 if connecting => busy(),
        18450 | 18452 | 18456 | 18470 | 18486 | 18487 | 18488 | 40532 => {
            let refused = place.refused_user(text);
            (refused.kind, refused.message, refused.hint)
        }
        916 if connecting => (
            ErrorKind::Authentication,
            format!("{at} keeps '{}' out of the database '{}': {text}", place.username, place.database),
            format!("create a user for '{}' in it", place.username),
        ),
        911 | 4060 if connecting => (
            ErrorKind::DatabaseMissing,
            format!("the database '{}' does not exist at {at}", place.database),
            String::new(),
        ),
        40615 => {
            (ErrorKind::Unreachable, format!("{at} refuses this machine: {text}"), "add it to the firewall".into())
        }
        596 | 6005 | 6006 | 17148 | 40197 => {
            (ErrorKind::Lost, format!("{at} ended the session: {text}"), String::new())
        }
        1101 | 1105 | 9002 | 40544 => {
            (ErrorKind::DiskFull, text.into(), "free some space on the server, then retry".into())
        }
        3906 | 978 => (ErrorKind::ReadOnly, text.into(), "connect to the primary server, or make it writable".into()),
        229 | 230 | 262 | 297 | 300 | 1088 | 2760 | 15151 | 15247 => {
            sql(&format!("grant the privilege to '{}', if it exists at all", place.username))
        }
        1222 => (
            ErrorKind::Timeout,
            text.into(),
            "another session holds a lock on it; retry when that is done, or raise migration.lock_timeout".into(),
        ),
        1205 => sql("another session works on the same rows; retry when that is done"),
        226 | 574 => sql("let the statement stand in a batch of its own, outside EXEC, so that it is known"),
        266 | 3902 | 3903 => sql("leave transactions to Branchkeeper"),
        _ => sql(""),
    }
}

/// Level, state and procedure of an error, and the errors that followed it.
fn details(said: &Said, others: &[Heard]) -> String {
    let mut text = format!(" (level {}, state {}", said.class, said.state);
    if !said.procedure.is_empty() {
        text.push_str(&format!(", {} line {}", shorten(&said.procedure, 130), said.line));
    }
    text.push(')');
    // 1750 and 3013 only say that something was said before.
    for other in others.iter().filter(|other| !matches!(other.code, 1750 | 3013)).take(3) {
        text.push_str(&format!("; then error {}: {}", other.code, shorten(&other.message, 300)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{FailureClass, Provider, ServerConnection};

    fn place() -> ServerPlace {
        let server = ServerConnection {
            host: "db".into(),
            database: "shop".into(),
            username: "keeper".into(),
            ..ServerConnection::default()
        };
        ServerPlace::resolve(&server, Provider::SqlServer, Duration::from_secs(60)).unwrap()
    }

    fn failed(code: u32, connecting: bool) -> Failure {
        let said = Said { code, class: 16, state: 1, message: "It said so.".into(), ..Said::default() };
        answered(&said, &[], &place(), connecting)
    }

    #[test]
    fn errors_have_their_class() {
        for (code, connecting, class, counts) in [
            (18456, true, FailureClass::Authentication, true),
            (4060, true, FailureClass::Connection, true),
            (17809, true, FailureClass::Connection, false),
            (922, true, FailureClass::Connection, false),
            (1222, false, FailureClass::Timeout, true),
            (1205, false, FailureClass::Sql, true),
            (9002, false, FailureClass::Sql, true),
            (102, false, FailureClass::Sql, true),
        ] {
            let error = failed(code, connecting).error;
            assert_eq!((error.class(), error.counts()), (class, counts), "{code}");
            assert_eq!(error.code, code.to_string());
        }
        assert_eq!(failed(4060, true).error.kind, ErrorKind::DatabaseMissing);
        assert_eq!(failed(1105, false).error.kind, ErrorKind::DiskFull);
        assert_eq!((failed(1222, false).cause, failed(515, false).cause), (Cause::Busy, Cause::Refused));
        assert_eq!(failed(266, false).cause, Cause::TransactionEnded);
    }

    #[test]
    fn severe_errors_end_the_session() {
        let said = |class| Said { code: 823, class, message: "I/O".into(), ..Said::default() };
        assert_eq!(answered(&said(24), &[], &place(), false).ended, Ended::Goodbye);
        assert_eq!(answered(&said(19), &[], &place(), false).ended, Ended::Answered);
        assert_eq!(failed(596, false).ended, Ended::Goodbye);
        let io = Error::Io { kind: std::io::ErrorKind::UnexpectedEof, message: "eof".into() };
        let heard = |code| [Heard { code, message: "killed".into() }];
        assert_eq!(failure(&io, &heard(596), &place(), false).error.kind, ErrorKind::Lost);
        let lost = failure(&io, &heard(823), &place(), false);
        assert!(lost.ended == Ended::Lost && lost.error.message.contains("killed"), "{lost:?}");
        assert_eq!(failure(&io, &[], &place(), true).error.kind, ErrorKind::Unreachable);
    }

    #[test]
    fn every_error_of_a_batch_is_told() {
        let said =
            Said { code: 50000, state: 7, class: 14, message: "first".into(), procedure: "dbo.p".into(), line: 3 };
        let heard = [(50001, "second"), (1750, "see above")].map(|(code, text)| Heard { code, message: text.into() });
        let text = answered(&said, &heard, &place(), false).error.message;
        assert_eq!(text, "first (level 14, state 7, dbo.p line 3); then error 50001: second");
    }

    #[test]
    fn the_drivers_advice_to_programmers_is_not_passed_on() {
        let tls = Error::Tls("the certificate was rejected. To connect anyway you can: call that".into());
        let error = failure(&tls, &[], &place(), true).error;
        assert!(error.message.ends_with("the certificate was rejected."), "{}", error.message);
    }
}
