use std::fmt::{Display, Write};

/// What a family of measurements is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// It only rises, until the process starts again.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A page of measurements in Prometheus' text format, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// The media type of the page.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family, whose samples have to follow at once.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { page: &mut self.0, name }
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// A family that is being written.
#[derive(Debug)]
pub struct Family<'a> {
    page: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// Adds a measurement.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a string does not fail.
        let _ = writeln!(self.page, "{}{labels} {value}", self.name);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_as_the_format_wants_it() {
        let mut page = Exposition::default();
        page.family("bk_calls_total", Kind::Counter, "Calls.\nAll \\ of them.")
            .sample(&[("method", "a"), ("code", "say \"no\"\\\n")], 3)
            .sample(&[], 4);
        page.family("bk_up", Kind::Gauge, "Up.").sample(&[], 0.5);
        assert_eq!(
            page.into_text(),
            "# HELP bk_calls_total Calls.\\nAll \\\\ of them.\n# TYPE bk_calls_total counter\n\
             bk_calls_total{method=\"a\",code=\"say \\\"no\\\"\\\\\\n\"} 3\nbk_calls_total 4\n\
             # HELP bk_up Up.\n# TYPE bk_up gauge\nbk_up 0.5\n"
        );
    }
}
