mod mysql;
mod sqlserver;

pub(super) use self::mysql::DelimiterLine;

/// How a dialect's text is cut into tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// `/* /* */ */` is one comment.
    pub(super) nested_comments: bool,
    /// A comment that is still open at the end of the text just ends there.
    pub(super) comment_may_stay_open: bool,
    /// How strings and names are quoted, and what else is special.
    pub(super) quotes: Quotes,
}

/// What a dialect quotes in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// `[name]` and `` `name` ``.
    Sqlite,
    /// `E'…\'…'`, `U&"…"`, `$tag$…$tag$` and `$1`; elsewhere `$` belongs to words.
    Postgres,
    /// Backslash escapes in `'…'` and `"…"`, both of them strings; `` `name` ``; `#` comments; `/*!…*/`; `DELIMITER`.
    MySql,
    /// `[name]` with `]]`; `#` and `@` belong to words; a line `GO` ends a batch.
    SqlServer,
}

/// What a token is. White space and comments are no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name, quotes included.
    QuotedName,
    /// A quoted string, quotes included.
    Text,
    /// A number or a parameter.
    Number,
    /// One other character.
    Symbol(char),
    /// `/*!40101`, `/*M!100100` or the `*/` that belongs to it: part of the statement's text, but not of its grammar.
    Mark,
    /// A `;` inside a conditional comment, which ends no statement.
    Separator,
    /// What ends a statement whatever it is, the delimiter of `DELIMITER` or a line `GO`, and how often the statement
    /// before it is to be run.
    End(u32),
    /// A `GO` at the beginning of a line, with something behind it that no tool takes there and that is no SQL either.
    SpoiltGo,
}

/// A token and where it stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A comment, its markers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where the text behind the opening marker begins.
    pub(crate) body: usize,
    /// `/* */`, not `--` or `#`.
    pub(crate) is_block: bool,
    /// Whether a statement has begun before it.
    pub(crate) is_late: bool,
}

/// Something quoted or commented that the text ends without closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// Where it began, in bytes.
    pub(super) start: usize,
    /// What it is.
    pub(super) what: &'static str,
    /// What would close it.
    pub(super) closed_by: &'static str,
}

/// Cuts a text into tokens. The text's newlines are `\n`.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    rules: Rules,
    any_token: bool,
    /// Where the last token ended.
    last_end: usize,
    /// Whether a statement has begun. The reader says so.
    pub(super) in_statement: bool,
    /// What `DELIMITER` set; empty as long as `;` is the delimiter.
    pub(super) delimiter: String,
    /// Where the conditional comment that is open began.
    conditional: Option<usize>,
    /// How much of the `LANGUAGE … AS` has been seen, behind which MySQL quotes with dollar signs.
    foreign: mysql::Foreign,
    /// The comments that a directive could be in: all before the first statement, and any later one that says so.
    pub(super) comments: Vec<Comment>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, rules: Rules) -> Self {
        Self {
            text,
            at: 0,
            rules,
            any_token: false,
            last_end: 0,
            in_statement: false,
            delimiter: String::new(),
            conditional: None,
            foreign: mysql::Foreign::default(),
            comments: Vec::new(),
        }
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Open> {
        self.skip_blank()?;
        let start = self.at;
        let Some(kind) = (match self.rules.quotes {
            Quotes::MySql => self.mysql_token()?,
            Quotes::SqlServer => self.sqlserver_token()?,
            Quotes::Sqlite | Quotes::Postgres => self.token()?,
        }) else {
            return Ok(None);
        };
        self.any_token |= !matches!(kind, Kind::Symbol(';') | Kind::End(_));
        self.last_end = self.at;
        Ok(Some(Token { kind, start, end: self.at }))
    }

    /// Goes on behind the end of the current line.
    pub(super) fn skip_line(&mut self) {
        self.at = self.find(self.at, b'\n').map_or(self.text.len(), |newline| newline + 1);
    }

    /// Goes on behind the line `\.` that ends the data of a `COPY … FROM stdin`.
    pub(super) fn skip_copy_data(&mut self) {
        self.skip_line();
        while self.at < self.text.len() {
            let start = self.at;
            self.skip_line();
            if self.text.get(start..self.at).is_some_and(|line| line.trim_end_matches('\n') == "\\.") {
                return;
            }
        }
    }

    fn byte(&self, offset: usize) -> u8 {
        self.text.as_bytes().get(self.at + offset).copied().unwrap_or_default()
    }

    fn find(&self, from: usize, byte: u8) -> Option<usize> {
        let rest = self.text.as_bytes().get(from..)?;
        rest.iter().position(|each| *each == byte).map(|index| from + index)
    }

    fn skip_blank(&mut self) -> Result<(), Open> {
        let mysql = self.rules.quotes == Quotes::MySql;
        loop {
            if mysql && self.at_delimiter(self.at) {
                return Ok(());
            }
            match (self.byte(0), self.byte(1)) {
                (b' ' | b'\t' | b'\n' | 0x0b | 0x0c, _) => self.at += 1,
                (b'#', _) if mysql => self.line_comment(1),
                (b'-', b'-') if !mysql || self.is_mysql_comment() => self.line_comment(2),
                (b'/', b'*') if mysql && self.conditional_marker().is_some() => return Ok(()),
                (b'/', b'*') => {
                    let start = self.at;
                    self.block_comment()?;
                    self.note_comment(start, start + 2, true);
                }
                _ => return Ok(()),
            }
        }
    }

    fn line_comment(&mut self, marker: usize) {
        let start = self.at;
        self.at = self.find(self.at, b'\n').unwrap_or(self.text.len());
        self.note_comment(start, start + marker, false);
    }

    fn note_comment(&mut self, start: usize, body: usize, is_block: bool) {
        let comment = Comment { start, end: self.at, body, is_block, is_late: self.any_token };
        let text = self.text.get(body..self.at).unwrap_or_default().trim_start();
        let says_so = text.get(..MARK.len()).is_some_and(|head| head.eq_ignore_ascii_case(MARK));
        if says_so || !self.any_token {
            self.comments.push(comment);
        }
    }

    fn block_comment(&mut self) -> Result<(), Open> {
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match (self.byte(0), self.byte(1)) {
                (b'/', b'*') if depth == 0 || self.rules.nested_comments => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ if self.at >= self.text.len() => {
                    self.at = self.text.len();
                    let open = Open { start, what: "comment", closed_by: "*/" };
                    return if self.rules.comment_may_stay_open { Ok(()) } else { Err(open) };
                }
                _ => self.at += 1,
            }
        }
    }

    fn token(&mut self) -> Result<Option<Kind>, Open> {
        let first = self.byte(0);
        let kind = match first {
            0 if self.at >= self.text.len() => return Ok(None),
            b'\'' => {
                self.quoted(b'\'', false, "string", "'")?;
                Kind::Text
            }
            b'"' => {
                self.quoted(b'"', false, "quoted name", "\"")?;
                Kind::QuotedName
            }
            b'`' if self.rules.quotes == Quotes::Sqlite => {
                self.quoted(b'`', false, "quoted name", "`")?;
                Kind::QuotedName
            }
            b'[' if self.rules.quotes == Quotes::Sqlite => {
                let open = Open { start: self.at, what: "bracketed name", closed_by: "]" };
                self.at = self.find(self.at, b']').ok_or(open)? + 1;
                Kind::QuotedName
            }
            b'e' | b'E' if self.rules.quotes == Quotes::Postgres && self.byte(1) == b'\'' => {
                self.at += 1;
                self.escape_string()?;
                Kind::Text
            }
            b'u' | b'U' if self.rules.quotes == Quotes::Postgres && self.byte(1) == b'&' && self.byte(2) == b'"' => {
                self.at += 2;
                self.quoted(b'"', false, "quoted name", "\"")?;
                Kind::QuotedName
            }
            b'$' if self.rules.quotes == Quotes::Postgres => self.dollar()?,
            b'0'..=b'9' => {
                self.skip_while(|byte| byte != b'$' && is_word(byte));
                Kind::Number
            }
            _ if is_word(first) => {
                self.skip_while(is_word);
                Kind::Word
            }
            _ => {
                self.at += 1;
                Kind::Symbol(char::from(first))
            }
        };
        Ok(Some(kind))
    }

    fn skip_while(&mut self, mut fits: impl FnMut(u8) -> bool) {
        while self.at < self.text.len() && fits(self.byte(0)) {
            self.at += 1;
        }
    }

    /// From the opening quote to behind the closing one; a doubled quote stands for itself.
    fn quoted(&mut self, quote: u8, escapes: bool, what: &'static str, closed_by: &'static str) -> Result<(), Open> {
        let open = Open { start: self.at, what, closed_by };
        self.at += 1;
        loop {
            match self.byte(0) {
                0 if self.at >= self.text.len() => return Err(open),
                b'\\' if escapes => self.at += 2,
                byte if byte == quote && self.byte(1) == quote => self.at += 2,
                byte if byte == quote => {
                    self.at += 1;
                    return Ok(());
                }
                _ => self.at += 1,
            }
        }
    }

    /// A string with backslash escapes. Another `'` after white space with a newline in it continues the string, and
    /// the escapes go on to work there.
    fn escape_string(&mut self) -> Result<(), Open> {
        loop {
            self.quoted(b'\'', true, "string", "'")?;
            let end = self.at;
            let mut newline = false;
            loop {
                match (self.byte(0), self.byte(1)) {
                    (b'\n', _) => {
                        newline = true;
                        self.at += 1;
                    }
                    (b' ' | b'\t' | 0x0b | 0x0c, _) => self.at += 1,
                    (b'-', b'-') => self.at = self.find(self.at, b'\n').unwrap_or(self.text.len()),
                    _ => break,
                }
            }
            if !(newline && self.byte(0) == b'\'') {
                self.at = end;
                return Ok(());
            }
        }
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`, or a lone dollar sign. A `$` inside a word never comes here.
    fn dollar(&mut self) -> Result<Kind, Open> {
        let start = self.at;
        self.at += 1;
        if self.byte(0).is_ascii_digit() {
            self.skip_while(|byte| byte.is_ascii_digit());
            return Ok(Kind::Number);
        }
        self.skip_while(|byte| byte != b'$' && is_word(byte));
        if self.byte(0) != b'$' {
            self.at = start + 1;
            return Ok(Kind::Symbol('$'));
        }
        self.at += 1;
        let tag = self.text.get(start..self.at).unwrap_or_default();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let open = Open { start, what: "dollar-quoted string", closed_by: "the same tag" };
        self.at += rest.find(tag).ok_or(open)? + tag.len();
        Ok(Kind::Text)
    }
}

/// What a comment begins with to be a directive.
pub(crate) const MARK: &str = "branchkeeper";

/// Everything beyond ASCII counts as a letter, as in the servers' own scanners.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}
