use super::style::Style;
use super::text::one_line;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    /// The width below which it is not cut; `None` means that it is never cut.
    least: Option<usize>,
}

impl Column {
    /// A column that is never cut: codes, ids and numbers are of no use in part.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, right: false, least: None }
    }

    /// Numbers, aligned at their end.
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// May be cut down to `least` characters where room is short.
    pub(crate) const fn flexible(mut self, least: usize) -> Self {
        self.least = Some(least);
        self
    }
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell with a meaning.
    pub(crate) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: one_line(text.as_ref()), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// What stands between columns.
const GAP: &str = "  ";

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut cells: Vec<Cell> = cells.into_iter().take(self.columns.len()).collect();
        cells.resize(self.columns.len(), Cell::default());
        self.rows.push(cells);
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines of the table, at most `width` characters wide where that can be had by cutting flexible columns.
    pub(crate) fn render(&self, width: Option<usize>, colour: bool) -> String {
        let widths = self.widths(width);
        let mut out = String::new();
        let titles = self.columns.iter().map(|column| (column.title, Style::Heading));
        line(&mut out, &self.columns, &widths, titles, colour);
        for row in &self.rows {
            line(&mut out, &self.columns, &widths, row.iter().map(|cell| (cell.text.as_str(), cell.style)), colour);
        }
        out
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let natural = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().map(|row| row[index].text.chars().count());
            cells.max().unwrap_or(0).max(column.title.chars().count())
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(natural).collect();
        let Some(limit) = limit else { return widths };
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
        // The widest gives way first, so that short columns stay whole as long as possible.
        while excess > 0 {
            let least = |index: usize| self.columns[index].least.unwrap_or(usize::MAX);
            let widest = (0..widths.len()).filter(|index| widths[*index] > least(*index)).max_by_key(|i| widths[*i]);
            let Some(index) = widest else { break };
            widths[index] -= 1;
            excess -= 1;
        }
        widths
    }
}

fn line<'a>(
    out: &mut String,
    columns: &[Column],
    widths: &[usize],
    cells: impl Iterator<Item = (&'a str, Style)>,
    colour: bool,
) {
    let start = out.len();
    for (index, ((text, style), (column, width))) in cells.zip(columns.iter().zip(widths)).enumerate() {
        if index > 0 {
            out.push_str(GAP);
        }
        let shown = cut(text, *width);
        let padding = " ".repeat(width.saturating_sub(shown.chars().count()));
        if column.right {
            out.push_str(&padding);
        }
        out.push_str(&style.paint(&shown, colour));
        if !column.right {
            out.push_str(&padding);
        }
    }
    out.truncate(start + out[start..].trim_end_matches(' ').len());
    out.push('\n');
}

/// `text` in at most `width` characters, with an ellipsis where it was cut.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(width.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Table {
        let mut table = Table::new([
            Column::new("CODE"),
            Column::new("NAME").flexible(6),
            Column::new("STATUS"),
            Column::new("PENDING").right(),
            Column::new("ERROR").flexible(8),
        ]);
        table.row(["BR001".into(), "Springfield".into(), Cell::styled("Completed", Style::Good), "0".into()]);
        table.row([
            "BR002".into(),
            "Łódź\n Widzew".into(),
            Cell::styled("Failed", Style::Bad),
            "12".into(),
            "near \"CREAT\": syntax error in a statement of the second migration".into(),
        ]);
        table
    }

    #[test]
    fn as_wide_as_needed_in_a_pipe() {
        let expected = "\
CODE   NAME         STATUS     PENDING  ERROR
BR001  Springfield  Completed        0
BR002  Łódź Widzew  Failed          12  near \"CREAT\": syntax error in a statement of the second migration
";
        assert_eq!(sample().render(None, false), expected);
    }

    #[test]
    fn cut_to_the_terminal() {
        let expected = "\
CODE   NAME         STATUS     PENDING  ERROR
BR001  Springfield  Completed        0
BR002  Łódź Widzew  Failed          12  near \"CREAT\": synt…
";
        assert_eq!(sample().render(Some(59), false), expected);
        let expected = "\
CODE   NAME    STATUS     PENDING  ERROR
BR001  Sprin…  Completed        0
BR002  Łódź …  Failed          12  near \"C…
";
        assert_eq!(sample().render(Some(20), false), expected);
    }

    #[test]
    fn colours_do_not_change_the_alignment() {
        let plain = sample().render(Some(59), false);
        let coloured = sample().render(Some(59), true);
        assert!(coloured.contains("\x1b[32mCompleted\x1b[0m"));
        let mut stripped = coloured;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"] {
            stripped = stripped.replace(code, "");
        }
        assert_eq!(stripped, plain);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut table = Table::new([Column::new("A")]);
        table.row(["x\x1b[2Jy\r\n\u{9b}z".into()]);
        let text = table.render(None, false);
        assert!(text.lines().count() == 2 && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }

    proptest! {
        #[test]
        fn a_table_of_flexible_columns_fits(cells in prop::collection::vec(".{0,60}", 1..6), width in 30usize..120) {
            let columns: Vec<_> = cells.iter().map(|_| Column::new("T").flexible(3)).collect();
            let mut table = Table::new(columns);
            table.row(cells.iter().map(Cell::from));
            for line in table.render(Some(width), false).lines() {
                prop_assert!(line.chars().count() <= width);
            }
        }
    }
}
