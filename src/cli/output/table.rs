use super::style::Style;
use super::text::one_line;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    /// The width below which it is not cut; `None` means that it is never cut.
    least: Option<usize>,
    /// When it may be left out to make room: lower ranks go first. `None` means never.
    rank: Option<u8>,
    /// Whether it is left out when all its cells are empty.
    if_any: bool,
}

impl Column {
    /// A column that is never cut: codes, ids and numbers are of no use in part.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, right: false, least: None, rank: None, if_any: false }
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

    /// May be left out where cutting does not make room enough; lower ranks go first.
    pub(crate) const fn optional(mut self, rank: u8) -> Self {
        self.rank = Some(rank);
        self
    }

    /// Is left out when no row has anything in it.
    pub(crate) const fn if_any(mut self) -> Self {
        self.if_any = true;
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

    /// The lines of the table, at most `width` characters wide where that can be had by cutting and leaving out.
    pub(crate) fn render(&self, width: Option<usize>, colour: bool) -> String {
        let shown = self.layout(width);
        let mut out = String::new();
        let titles = shown.iter().map(|(index, _)| (self.columns[*index].title, Style::Heading));
        self.line(&mut out, &shown, titles, colour);
        for row in &self.rows {
            let cells = shown.iter().map(|(index, _)| (row[*index].text.as_str(), row[*index].style));
            self.line(&mut out, &shown, cells, colour);
        }
        out
    }

    /// Which columns to show, and how wide.
    fn layout(&self, limit: Option<usize>) -> Vec<(usize, usize)> {
        let cells = |index: usize| self.rows.iter().map(move |row| row[index].text.chars().count());
        let mut shown: Vec<(usize, usize)> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let widest = cells(index).max().unwrap_or(0);
            if widest > 0 || !column.if_any {
                shown.push((index, widest.max(column.title.chars().count())));
            }
        }
        let Some(limit) = limit else { return shown };
        let least = |(index, width): (usize, usize)| self.columns[index].least.map_or(width, |least| least.min(width));
        let excess = |widths: &mut dyn Iterator<Item = usize>| {
            let (sum, columns) = widths.fold((0, 0), |(sum, columns), width| (sum + width, columns + 1));
            (sum + GAP.len() * usize::max(columns, 1) - GAP.len()).saturating_sub(limit)
        };
        while excess(&mut shown.iter().copied().map(least)) > 0 {
            let ranked = shown.iter().enumerate().filter_map(|(at, (index, _))| Some((self.columns[*index].rank?, at)));
            let Some((_, at)) = ranked.min() else { break };
            shown.remove(at);
        }
        // The widest gives way first, so that short columns stay whole as long as possible.
        for _ in 0..excess(&mut shown.iter().map(|(_, width)| *width)) {
            let give_way = shown
                .iter_mut()
                .filter(|(index, width)| self.columns[*index].least.is_some_and(|least| *width > least));
            let Some((_, width)) = give_way.max_by_key(|(_, width)| *width) else { break };
            *width -= 1;
        }
        shown
    }

    fn line<'a>(
        &self,
        out: &mut String,
        shown: &[(usize, usize)],
        cells: impl Iterator<Item = (&'a str, Style)>,
        colour: bool,
    ) {
        let start = out.len();
        for (place, ((text, style), (index, width))) in cells.zip(shown).enumerate() {
            if place > 0 {
                out.push_str(GAP);
            }
            let text = cut(text, *width);
            let padding = " ".repeat(width.saturating_sub(text.chars().count()));
            if self.columns[*index].right {
                out.push_str(&padding);
            }
            out.push_str(&style.paint(&text, colour));
            if !self.columns[*index].right {
                out.push_str(&padding);
            }
        }
        out.truncate(start + out[start..].trim_end_matches(' ').len());
        out.push('\n');
    }
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
    fn columns_are_left_out_for_room_or_for_lack_of_news() {
        let mut table = Table::new([
            Column::new("CODE"),
            Column::new("NAME").flexible(4).optional(2),
            Column::new("PROVIDER").optional(1),
            Column::new("ERROR").if_any(),
        ]);
        table.row(["BR001".into(), "Springfield".into(), "sqlite".into()]);
        assert_eq!(table.render(None, false), "CODE   NAME         PROVIDER\nBR001  Springfield  sqlite\n");
        assert_eq!(
            table.render(Some(24), false),
            "CODE   NAME     PROVIDER\nBR001  Springf  sqlite\n".replace("gf ", "g… ")
        );
        assert_eq!(table.render(Some(20), false), "CODE   NAME\nBR001  Springfield\n");
        assert_eq!(table.render(Some(10), false), "CODE\nBR001\n");
        table.row(["BR002".into(), "".into(), "".into(), "no".into()]);
        assert!(table.render(None, false).starts_with("CODE   NAME         PROVIDER  ERROR\n"));
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
