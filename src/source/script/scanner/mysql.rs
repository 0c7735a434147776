//! What MySQL and MariaDB have of their own, as the `mysql` and `mariadb` clients read it.

use super::{Kind, Open, Quotes, Scanner, is_word};

/// What a `DELIMITER` line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DelimiterLine {
    /// Where the line's first word stands.
    pub(in super::super) start: usize,
    /// What is wrong with the line: message and hint.
    pub(in super::super) fault: Option<(&'static str, &'static str)>,
}

/// Where a statement is that may make a routine in another language, `LANGUAGE JAVASCRIPT AS $$ … $$`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Before the `LANGUAGE`.
    #[default]
    No,
    /// Behind it.
    Language,
    /// Right behind the `AS`.
    As,
}

/// The longest delimiter that the client takes.
const MAX_DELIMITER: usize = 15;

impl Scanner<'_> {
    /// Steps over a `DELIMITER` line and obeys it, when one stands here. Only to be asked between statements.
    pub(in super::super) fn delimiter_line(&mut self) -> Result<Option<DelimiterLine>, Open> {
        if self.rules.quotes != Quotes::MySql {
            return Ok(None);
        }
        self.skip_blank()?;
        let start = self.at;
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let Some((_, rest)) = line.split_at_checked("delimiter".len()).filter(|(word, rest)| {
            word.eq_ignore_ascii_case("delimiter")
                && !rest.bytes().next().is_some_and(|byte| is_word(byte) || byte == b'.')
        }) else {
            return Ok(None);
        };
        let before = self.text.get(..start).unwrap_or_default();
        let is_first = before.get(before.rfind('\n').map_or(0, |newline| newline + 1)..).unwrap_or_default();
        let fault = if !is_first.trim().is_empty() {
            Some(("DELIMITER does not stand at the beginning of its line", "the client obeys it only there"))
        } else if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            Some(("DELIMITER is not followed by a space", "write it like 'DELIMITER //'"))
        } else {
            let rest = rest.trim();
            let argument = match rest.chars().next() {
                Some(quote @ ('\'' | '"' | '`')) => rest.strip_prefix(quote).and_then(|rest| rest.split(quote).next()),
                _ => rest.split([' ', '\t']).next(),
            };
            match argument.unwrap_or_default() {
                "" => Some(("DELIMITER names no delimiter", "write it like 'DELIMITER //'")),
                text if text.contains('\\') => Some(("a delimiter can't have a backslash", "use another, like '//'")),
                text if text.len() > MAX_DELIMITER => {
                    Some(("this delimiter has more than 15 bytes", "use a shorter one, like '//'"))
                }
                ";" => {
                    self.delimiter.clear();
                    None
                }
                text => {
                    text.clone_into(&mut self.delimiter);
                    None
                }
            }
        };
        self.skip_line();
        Ok(Some(DelimiterLine { start, fault }))
    }

    /// Whether the delimiter that `DELIMITER` set stands there. The client looks for it everywhere but in strings and
    /// comments, even inside a word.
    pub(super) fn at_delimiter(&self, offset: usize) -> bool {
        let rest = self.text.as_bytes().get(offset..).unwrap_or_default();
        !self.delimiter.is_empty() && rest.starts_with(self.delimiter.as_bytes())
    }

    /// Whether the `--` here begins a comment: before white space or a control character, or at the beginning of a
    /// statement.
    pub(super) fn is_mysql_comment(&self) -> bool {
        let next = self.byte(2);
        !self.in_statement || next == b' ' || next.is_ascii_control()
    }

    /// How long the `/*!50003` here is; `None` when it begins no conditional comment, or one that no server obeys.
    pub(super) fn conditional_marker(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let after = rest.strip_prefix("/*!").or_else(|| rest.strip_prefix("/*M!"))?;
        let digits = after.bytes().take(6).take_while(u8::is_ascii_digit).count();
        let digits = if digits < 5 { 0 } else { digits };
        let never = after.starts_with("99999") && (digits == 5 || after.starts_with("999999"));
        (!never).then_some(rest.len() - after.len() + digits)
    }

    pub(super) fn mysql_token(&mut self) -> Result<Option<Kind>, Open> {
        if !self.in_statement {
            self.foreign = Foreign::No;
        }
        if self.at_delimiter(self.at) {
            self.at += self.delimiter.len();
            self.conditional = None;
            return Ok(Some(Kind::End(1)));
        }
        let kind = match self.byte(0) {
            0 if self.at >= self.text.len() => {
                let open = |start| Open { start, what: "conditional comment", closed_by: "*/" };
                return self.conditional.map_or(Ok(None), |start| Err(open(start)));
            }
            b'/' if self.byte(1) == b'*' => {
                self.conditional = Some(self.at);
                self.at += self.conditional_marker().unwrap_or(2);
                Kind::Mark
            }
            b'*' if self.byte(1) == b'/' && self.conditional.is_some() => {
                self.conditional = None;
                self.at += 2;
                Kind::Mark
            }
            b';' if self.conditional.is_some() => {
                self.at += 1;
                Kind::Separator
            }
            quote @ (b'\'' | b'"') => {
                self.quoted(quote, true, "string", if quote == b'"' { "\"" } else { "'" })?;
                Kind::Text
            }
            b'`' => {
                self.quoted(b'`', false, "quoted name", "`")?;
                Kind::QuotedName
            }
            b'$' if self.foreign == Foreign::As => self.dollar()?,
            first if is_word(first) => {
                let start = self.at;
                while self.at < self.text.len() && is_word(self.byte(0)) && !self.at_delimiter(self.at) {
                    self.at += 1;
                }
                let word = self.text.as_bytes().get(start..self.at).unwrap_or_default();
                self.foreign = match self.foreign {
                    _ if word.eq_ignore_ascii_case(b"language") => Foreign::Language,
                    Foreign::Language | Foreign::As if word.eq_ignore_ascii_case(b"as") => Foreign::As,
                    Foreign::Language | Foreign::As => Foreign::Language,
                    Foreign::No => Foreign::No,
                };
                if is_number(word) { Kind::Number } else { Kind::Word }
            }
            _ => return self.token(),
        };
        Ok(Some(kind))
    }
}

/// A name may begin with a digit, as long as it is not a number.
fn is_number(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = word.split_at(digits);
    match (number, rest) {
        ([], _) => false,
        (_, []) => true,
        (b"0", [b'x', hex @ ..]) => hex.iter().all(u8::is_ascii_hexdigit),
        (b"0", [b'b', bits @ ..]) => bits.iter().all(|bit| matches!(bit, b'0' | b'1')),
        (_, [b'e' | b'E', exponent @ ..]) => exponent.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}
