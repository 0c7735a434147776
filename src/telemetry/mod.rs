//! The service's log: tracing events on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: one line of text, coloured on a terminal unless `NO_COLOR` is set.
    Human,
    /// For machines: one JSON object a line, the spans included.
    Json,
}

impl Format {
    /// Human on a terminal, otherwise JSON.
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// Libraries whose own news below a warning is noise to an operator.
const QUIET: [&str; 7] = ["h2", "hyper", "hyper_util", "rustls", "sqlx", "tiberius", "tower"];

/// Sends tracing events of `level` (`error`, `warn`, `info`, `debug`, `trace`) and above to standard error.
///
/// `RUST_LOG`, when set, overrides the level. The first call of a process wins; later ones change nothing.
pub fn init(format: Format, level: &str) {
    let (filter, refused) = filter(std::env::var("RUST_LOG").ok().as_deref(), level);
    // Whoever read the log may have gone away. That is no reason to panic, which complaining to the same place would be.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let ready = match format {
        Format::Human => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            builder.with_ansi(colour).with_target(false).try_init()
        }
        Format::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(true).try_init(),
    };
    if let (Ok(()), Some(reason)) = (ready, refused) {
        tracing::warn!(reason, "RUST_LOG is not understood and was ignored");
    }
}

/// The filter, and why `RUST_LOG` was not taken.
fn filter(rust_log: Option<&str>, level: &str) -> (EnvFilter, Option<String>) {
    let configured = || {
        let quiet = if level == "error" { "error" } else { "warn" };
        let directives: String = QUIET.iter().map(|name| format!(",{name}={quiet}")).collect();
        EnvFilter::new(format!("{level}{directives}"))
    };
    match rust_log.filter(|text| !text.trim().is_empty()).map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (configured(), Some(error.to_string())),
        None => (configured(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_overrides_the_level_unless_it_is_broken() {
        let shown = |rust_log, level| filter(rust_log, level).0.to_string();
        assert!(shown(None, "info").contains("sqlx=warn"));
        assert!(shown(Some(""), "error").contains("sqlx=error"));
        assert_eq!(shown(Some("trace"), "info"), "trace");
        let (kept, refused) = filter(Some("a=b=c"), "info");
        assert!(kept.to_string().contains("info") && refused.is_some());
    }
}
