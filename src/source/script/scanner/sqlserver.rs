//! What SQL Server's tools have of their own: brackets and lines with `GO`.

use super::{Kind, Open, Scanner, is_word};

/// What stands behind a `GO` on its line.
enum AfterGo {
    /// Nothing but a count and comments.
    Count(u32),
    /// Something that makes it no separator.
    Other,
}

impl Scanner<'_> {
    pub(super) fn sqlserver_token(&mut self) -> Result<Option<Kind>, Open> {
        let kind = match self.byte(0) {
            b'[' => {
                let open = Open { start: self.at, what: "bracketed name", closed_by: "]" };
                self.at += 1;
                loop {
                    self.at = self.find(self.at, b']').ok_or(open)? + 1;
                    if self.byte(0) != b']' {
                        break;
                    }
                    self.at += 1;
                }
                Kind::QuotedName
            }
            first if is_sqlserver_word(first) && !first.is_ascii_digit() => {
                let start = self.at;
                self.skip_while(is_sqlserver_word);
                let word = self.text.get(start..self.at).unwrap_or_default();
                let is_go = word.eq_ignore_ascii_case("go") && self.begins_line(start);
                match is_go.then(|| self.after_go()) {
                    Some((AfterGo::Count(count), end)) => {
                        self.at = end;
                        Kind::End(count)
                    }
                    Some(_) if self.is_spoilt() => Kind::SpoiltGo,
                    _ => Kind::Word,
                }
            }
            _ => return self.token(),
        };
        Ok(Some(kind))
    }

    /// Whether only white space and comments stand before this offset on its line.
    fn begins_line(&self, offset: usize) -> bool {
        let line = self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        self.last_end <= line
    }

    /// Whether behind the `GO` here stands what no statement has behind a name `GO`.
    fn is_spoilt(&self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let words = line.trim_start_matches([' ', '\t', '\u{b}', '\u{c}']);
        words.starts_with(';') || line.len() > words.len() && words.starts_with(|next: char| next.is_alphanumeric())
    }

    /// What follows a `GO`, and where it ends. `GO 5` runs the batch five times; comments may follow.
    fn after_go(&self) -> (AfterGo, usize) {
        let mut ahead = Scanner::new(self.text, self.rules);
        ahead.at = self.at;
        let line_end = self.find(self.at, b'\n').unwrap_or(self.text.len());
        let mut count = None;
        loop {
            ahead.skip_while(|byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c));
            match (ahead.byte(0), ahead.byte(1)) {
                _ if ahead.at >= line_end => return (AfterGo::Count(count.unwrap_or(1)), line_end),
                (b'-', b'-') => return (AfterGo::Count(count.unwrap_or(1)), line_end),
                (b'/', b'*') => {
                    // A comment that goes on behind the line is no longer part of the command.
                    let start = ahead.at;
                    if ahead.block_comment().is_err() || ahead.at > line_end {
                        return (AfterGo::Count(count.unwrap_or(1)), start);
                    }
                }
                (b'0'..=b'9', _) if count.is_none() && ahead.at > self.at => {
                    let start = ahead.at;
                    ahead.skip_while(|byte| byte.is_ascii_digit());
                    let digits = self.text.get(start..ahead.at).unwrap_or_default();
                    match digits.parse() {
                        Ok(number) if number > 0 => count = Some(number),
                        _ => return (AfterGo::Other, self.at),
                    }
                    if is_sqlserver_word(ahead.byte(0)) {
                        return (AfterGo::Other, self.at);
                    }
                }
                _ => return (AfterGo::Other, self.at),
            }
        }
    }
}

fn is_sqlserver_word(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'#' | b'@')
}
