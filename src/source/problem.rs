use std::fmt;

/// One thing that is wrong in a migrations folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's name inside the folder, or the folder itself.
    pub file: String,
    /// The line, counted from 1; 0 when the whole file is meant.
    pub line: u32,
    /// The column, counted from 1 in characters; 0 when the whole file or line is meant.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::at(file, (0, 0), message, hint)
    }

    /// A problem at a line and column.
    pub fn at(
        file: impl Into<String>,
        (line, column): (u32, u32),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { file: file.into(), line, column, message: message.into(), hint: hint.into() }
    }
}

/// `file:line:column: message (hint)`, without the parts that do not apply; always one line.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        for number in [self.line, self.column].into_iter().take_while(|number| *number > 0) {
            write!(f, "{number}:")?;
        }
        write!(f, " {}", self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " ({})", self.hint) }
    }
}

/// Everything that is wrong in a migrations folder, ordered by file and place. Displays one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

/// Text from outside as it may stand in a message: bounded, control characters escaped.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for ch in text.chars().take(200) {
        if ch.is_control() { out.extend(ch.escape_default()) } else { out.push(ch) }
    }
    if text.chars().nth(200).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        let problems = Problems(vec![
            Problem::of_file("a.sql", "is empty", ""),
            Problem::at("b.sql", (3, 0), "is odd", "mend it"),
            Problem::at("b.sql", (3, 7), "is odd", "mend it"),
        ]);
        let text = "a.sql: is empty\nb.sql:3: is odd (mend it)\nb.sql:3:7: is odd (mend it)";
        assert_eq!(problems.to_string(), text);
    }

    #[test]
    fn names_from_outside_stay_on_one_line() {
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 201);
    }
}
