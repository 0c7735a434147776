use std::process::ExitCode;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::output::text::one_line;

/// How a command ended when nothing went wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done: exit code 0.
    Done,
    /// The answer is bad news, which has been printed: the run ended with failures, the schema is invalid. Exit code 1.
    BadNews,
    /// The service refused a part of it, which has been printed. Exit code 3.
    Refused,
}

impl Outcome {
    /// Done if `good`.
    pub(crate) fn of(good: bool) -> Self {
        if good { Self::Done } else { Self::BadNews }
    }
}

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something on this machine went wrong: exit code 1.
    Local(anyhow::Error),
    /// The command line, the configuration or a given file is wrong: exit code 2.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do; may be empty.
        hint: String,
    },
    /// The service refused the request: exit code 3.
    Refused(Box<Status>),
    /// The service could not be reached, or stopped answering: exit code 3.
    Unreachable {
        /// What happened.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Somebody pressed Ctrl-C; what goes on without us has been said: exit code 130, as shells have it.
    Interrupted,
    /// Nobody reads standard output any more: exit code 0, without a word.
    Closed,
}

impl Failure {
    /// A wrong use of the command line.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: hint.into() }
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Closed => 0,
            Self::Local(_) => 1,
            Self::Usage { .. } => 2,
            Self::Refused(_) | Self::Unreachable { .. } => 3,
            Self::Interrupted => 130,
        })
    }

    /// What to print on standard error; empty when nothing is left to say.
    pub(crate) fn report(&self) -> String {
        match self {
            Self::Local(error) => lines(&one_line(&format!("{error:#}")), &[], ""),
            Self::Usage { message, hint } | Self::Unreachable { message, hint } => lines(message, &[], hint),
            Self::Refused(status) => describe(status),
            Self::Interrupted | Self::Closed => String::new(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Local(error.into()) }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Local(error)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match transport_reason(&status) {
            Some(reason) => Self::Unreachable {
                message: format!("the connection to the service was lost: {reason}"),
                hint: "`branchkeeper health` shows whether it is there".into(),
            },
            None => Self::Refused(Box::new(status)),
        }
    }
}

/// Why the transport failed, when it was the transport and not the service that made this status.
pub(crate) fn transport_reason(status: &Status) -> Option<String> {
    std::error::Error::source(status).map(innermost)
}

/// The last cause of an error: the one that says what happened, without the layers it came through.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    one_line(&error.to_string())
}

/// A status as the service meant it: message, fields, hint.
pub(crate) fn describe(status: &Status) -> String {
    let details = status.get_error_details();
    let mut extra: Vec<String> = Vec::new();
    for violation in details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default() {
        // A field that is the whole story has been told by the message.
        if !violation.description.is_empty() && status.message().starts_with(&violation.description) {
            continue;
        }
        extra.push(format!("{} {}", one_line(&violation.field), one_line(&violation.description)));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        extra.push(format!("it may work again in {}", crate::config::format_duration(round_up(delay))));
    }
    let message = match status.message() {
        "" => format!("the service refused the request ({})", status.code().description()),
        message => one_line(message),
    };
    let hint = details.error_info().and_then(|info| info.metadata.get("hint")).map(|hint| one_line(hint));
    let (message, hint) = match hint {
        Some(hint) => apart(&message, &hint),
        None => (message, usual_hint(status.code()).to_owned()),
    };
    lines(&message, &extra, &hint)
}

/// A message and its hint, apart. The service's messages end with the hint, for clients that show nothing else, and the
/// hint that is given besides may have been cut.
fn apart(message: &str, hint: &str) -> (String, String) {
    let begin = format!("; {}", hint.trim_end_matches('…'));
    match message.rfind(&begin) {
        Some(at) => (message[..at].to_owned(), message[at + 2..].to_owned()),
        None => (message.to_owned(), hint.to_owned()),
    }
}

/// What to do when the service does not say it.
fn usual_hint(code: Code) -> &'static str {
    match code {
        Code::Unimplemented => "the service does not know this request; is it an older version, or something else?",
        Code::Unavailable => "the service is starting, stopping, or has lost its head office; try again in a moment",
        Code::ResourceExhausted => "the service has too much to do, or the answer is too large; try again in a moment",
        _ => "",
    }
}

fn round_up(delay: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(delay.as_secs() + u64::from(delay.subsec_nanos() > 0))
}

fn lines(message: &str, extra: &[String], hint: &str) -> String {
    let mut text = format!("error: {message}");
    for line in extra {
        text.push_str("\n  ");
        text.push_str(line);
    }
    if !hint.is_empty() {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    #[test]
    fn a_refusal_shows_all_that_the_service_said() {
        let mut details = ErrorDetails::new();
        details.set_bad_request(vec![FieldViolation::new("branch.code", "must not be empty")]);
        details.set_error_info("INVALID", "branchkeeper", HashMap::from([("hint".into(), "give a code".into())]));
        details.set_retry_info(Some(Duration::from_millis(4_200)));
        let status = Status::with_error_details(Code::InvalidArgument, "the branch is not valid", details);
        let failure = Failure::from(status);
        assert_eq!(
            failure.report(),
            "error: the branch is not valid\n  branch.code must not be empty\n  it may work again in 5s\nhint: give a code"
        );
        assert_eq!(format!("{:?}", failure.exit_code()), format!("{:?}", ExitCode::from(3)));
    }

    #[test]
    fn a_hint_is_not_said_twice() {
        assert_eq!(apart("it broke; mend it", "mend it"), ("it broke".into(), "mend it".into()));
        assert_eq!(apart("it broke; mend it now", "mend…"), ("it broke".into(), "mend it now".into()));
        assert_eq!(apart("it broke", "mend it"), ("it broke".into(), "mend it".into()));
    }

    #[test]
    fn a_bare_status_is_told_too() {
        let failure = Failure::from(Status::new(Code::NotFound, ""));
        let text = failure.report();
        assert!(text.starts_with("error: the service refused the request (") && !text.contains("hint"), "{text}");
        assert!(Failure::from(Status::unimplemented("no")).report().contains("older version"));
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(failure, Failure::Closed) && failure.report().is_empty());
    }
}
