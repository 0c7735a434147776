use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::style::{Style, wants_colour};
use super::table::Table;

/// The shape of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tables and lines for people.
    #[default]
    Table,
    /// JSON for scripts; streams are one object a line.
    Json,
}

/// Writes to standard output, as its reader can use it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    format: Format,
    colour: bool,
    width: Option<usize>,
}

impl Printer {
    /// A printer that knows whether a person or a program reads standard output.
    pub(crate) fn new(format: Format, no_color: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = wants_colour(no_color, terminal, |name| std::env::var_os(name));
        let width = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self { format, colour, width: if terminal { width() } else { None } }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// `text` in a style, if colours are wanted.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        style.paint(text, self.colour)
    }

    /// Writes one line.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Writes text as it is.
    pub(crate) fn raw(&self, text: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text)?;
        out.flush()
    }

    /// Writes a table.
    pub(crate) fn table(&self, table: &Table) -> io::Result<()> {
        self.raw(table.render(self.width, self.colour).as_bytes())
    }

    /// Writes names and values, one a line; values that are empty are left out.
    pub(crate) fn record(&self, fields: &[(&str, String)]) -> io::Result<()> {
        let shown = || fields.iter().filter(|(_, value)| !value.is_empty());
        let width = shown().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let line = |(name, value): &(&str, String)| {
            let padding = " ".repeat(width - name.chars().count());
            format!("{}{padding}  {}\n", self.paint(name, Style::Heading), super::text::one_line(value))
        };
        self.raw(shown().map(line).collect::<String>().as_bytes())
    }

    /// Writes one document, indented.
    pub(crate) fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// Writes one object of a stream, on one line.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.raw(&text)
    }
}

/// Writes a line for the person at the keyboard, past whatever reads standard output. That nobody can read it is no
/// reason to stop.
pub(crate) fn notice(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
