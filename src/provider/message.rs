/// What ends each statement of a message: on a line of its own, because the statement may end in a comment.
pub(super) const END: &str = "\n;\n";

/// One text of several statements, and what each of them is for.
#[derive(Debug, Default)]
pub(super) struct Message {
    text: String,
    chars: usize,
    parts: Vec<Part>,
}

/// One statement of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) purpose: Purpose,
    /// The first byte in the text.
    start: usize,
    /// The first character in the text.
    first: usize,
    /// How many characters it has.
    length: usize,
}

/// What a statement of a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is a migration's own: the number of the migration in its unit, the statement's index in the migration.
    Statement { work: usize, index: usize },
    /// It is one of the statements that a migration's own statement stands for.
    Step { work: usize, index: usize },
    /// It sets the session up or asks something.
    Setting,
    /// It begins the transaction.
    Begin,
    /// It makes sure that the lock is ours.
    Fence,
    /// It writes the ledger.
    Record,
    /// It commits.
    Commit,
    /// It lets go of the server's lock, after the commit.
    Unlock,
}

impl Message {
    pub(super) fn push(&mut self, purpose: Purpose, sql: &str) {
        if sql.is_empty() {
            return;
        }
        let length = sql.chars().count();
        self.parts.push(Part { purpose, start: self.text.len(), first: self.chars, length });
        self.text.push_str(sql);
        self.text.push_str(END);
        self.chars += length + END.len();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether it has grown so long that it had better be sent: drivers and servers keep all of it in memory, parsed.
    pub(super) fn is_long(&self) -> bool {
        self.parts.len() >= 512 || self.text.len() >= 1 << 20
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text from a part on.
    pub(super) fn text_from(&self, part: usize) -> &str {
        let start = self.parts.get(part).map_or(self.text.len(), |part| part.start);
        self.text.get(start..).unwrap_or_default()
    }

    /// Whether it holds a commit, so that its fate is in doubt when it is cut off.
    pub(super) fn commits(&self) -> bool {
        self.parts.iter().any(|part| part.purpose == Purpose::Commit)
    }

    /// Which part failed, and where in it. `sent` is the part that the text began with, `done` how many statements came
    /// back before, `at` the place in characters from the text's first, if the server gave one. The place decides: a server
    /// that parses the whole text first refuses a late statement before the first one has run.
    pub(super) fn locate(&self, sent: usize, done: usize, at: Option<usize>) -> (usize, Option<usize>) {
        let base = self.parts.get(sent).map_or(0, |part| part.first);
        let by_place = at.and_then(|at| {
            let at = at + base;
            // The character after the end counts too: that is where an incomplete statement fails.
            let found = self.parts.iter().position(|part| (part.first..=part.first + part.length + 1).contains(&at))?;
            Some((found, Some((at - self.parts[found].first).min(self.parts[found].length))))
        });
        // A procedure answers more than once.
        by_place.unwrap_or(((sent + done).min(self.parts.len().saturating_sub(1)), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let mut message = Message::default();
        message.push(Purpose::Begin, "BEGIN");
        message.push(Purpose::Setting, "");
        message.push(Purpose::Statement { work: 0, index: 0 }, "żółć -- x");
        message.push(Purpose::Statement { work: 0, index: 1 }, "oops");
        message
    }

    #[test]
    fn a_place_names_the_statement_and_the_offset_in_it() {
        let message = message();
        assert_eq!(message.text_from(0), "BEGIN\n;\nżółć -- x\n;\noops\n;\n");
        assert_eq!(message.text_from(2), "oops\n;\n");
        let place = |needle: &str| message.text_from(0).split(needle).next().map(|before| before.chars().count());
        assert_eq!(message.locate(0, 0, place("ć")), (1, Some(3)));
        assert_eq!(message.locate(0, 0, place("oops")), (2, Some(0)), "even when nothing was run");
        assert_eq!(message.locate(2, 0, Some(1)), (2, Some(1)), "in a text that began later");
        assert_eq!(message.locate(0, 0, Some(9999)), (0, None));
    }

    #[test]
    fn without_a_place_the_count_decides() {
        assert_eq!(message().locate(0, 2, None), (2, None));
        assert_eq!(message().locate(1, 1, None), (2, None));
    }

    #[test]
    fn the_end_of_a_statement_belongs_to_it() {
        let message = message();
        let end = "BEGIN\n;\nżółć -- x\n".chars().count();
        assert_eq!(message.locate(0, 0, Some(end)), (1, Some(9)));
    }
}
