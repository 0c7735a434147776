use std::ffi::OsString;

/// What a piece of text means, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// All is well.
    Good,
    /// Something is going on or waits.
    Busy,
    /// Something went wrong.
    Bad,
    /// Of little interest.
    Faint,
}

impl Style {
    /// `text` in this style, or as it is when colours are not wanted.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            _ if !colour || text.is_empty() => return text.to_owned(),
            Self::Heading => "1",
            Self::Good => "32",
            Self::Busy => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Whether to write colour codes: only on a terminal that knows them, and not against somebody's wish.
pub(crate) fn wants_colour(no_color_flag: bool, terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = variable("TERM").is_some_and(|value| value == "dumb");
    terminal && !no_color_flag && !refused && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_on_a_willing_terminal() {
        let none = |_: &str| None;
        let set = |wanted: &'static str, value: &'static str| move |name: &str| (name == wanted).then(|| value.into());
        assert!(wants_colour(false, true, none));
        assert!(!wants_colour(false, false, none));
        assert!(!wants_colour(true, true, none));
        assert!(!wants_colour(false, true, set("NO_COLOR", "1")));
        assert!(wants_colour(false, true, set("NO_COLOR", "")));
        assert!(!wants_colour(false, true, set("TERM", "dumb")));
    }

    #[test]
    fn paint_without_colour_changes_nothing() {
        assert_eq!(Style::Bad.paint("x", false), "x");
        assert_eq!(Style::Bad.paint("x", true), "\x1b[31mx\x1b[0m");
        assert_eq!(Style::Bad.paint("", true), "");
    }
}
