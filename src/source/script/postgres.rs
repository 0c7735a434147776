use super::cursor::Cursor;
use super::scanner::{Kind, Quotes, Rules, Token};
use super::{Refused, Unfinished};
use crate::domain::{Effect, ObjectName};

pub(super) const RULES: Rules = Rules { nested_comments: true, comment_may_stay_open: false, quotes: Quotes::Postgres };

/// Finds statement ends as psql does: a `;` ends a statement outside parentheses and outside the `BEGIN ATOMIC … END` of
/// a function's or procedure's body, in which `CASE … END` nests.
#[derive(Debug, Clone, Default)]
pub(super) struct Ender {
    /// How many parentheses are open.
    parens: usize,
    /// Where the outermost of them stands.
    outermost: usize,
    /// How many words of `CREATE [OR REPLACE] FUNCTION|PROCEDURE` have been seen.
    head: Head,
    /// Where a `BEGIN` stands whose `ATOMIC` may come next.
    begin: Option<usize>,
    /// Where the body began, and how many `END`s it lacks.
    body: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Start,
    Create,
    Or,
    Replace,
    /// The statement makes a function or procedure.
    Routine,
    /// It makes something else.
    Other,
}

impl Ender {
    /// Takes the next token; true when it is the terminator.
    pub(super) fn ends(&mut self, token: Token, text: &str) -> bool {
        let begin = self.begin.take();
        match token.kind {
            Kind::Symbol('(') => {
                if self.parens == 0 {
                    self.outermost = token.start;
                }
                self.parens += 1;
            }
            // psql, too, lets a surplus one pass; the server refuses it.
            Kind::Symbol(')') => self.parens = self.parens.saturating_sub(1),
            Kind::Symbol(';') if self.parens == 0 && self.body.is_none() => {
                *self = Self::default();
                return true;
            }
            Kind::Word => self.word(token, text.get(token.start..token.end).unwrap_or_default(), begin),
            _ => {}
        }
        false
    }

    fn word(&mut self, token: Token, word: &str, begin: Option<usize>) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        self.head = match self.head {
            Head::Start if is("create") => Head::Create,
            Head::Create if is("or") => Head::Or,
            Head::Or if is("replace") => Head::Replace,
            Head::Create | Head::Replace if is("function") || is("procedure") => Head::Routine,
            Head::Routine => Head::Routine,
            _ => Head::Other,
        };
        if self.head != Head::Routine || self.parens > 0 {
            return;
        }
        match (&mut self.body, begin) {
            (Some((_, ends)), _) if is("case") => *ends += 1,
            (Some((_, ends)), _) if is("end") => {
                *ends -= 1;
                if *ends == 0 {
                    self.body = None;
                }
            }
            (None, Some(begin)) if is("atomic") => self.body = Some((begin, 1)),
            (None, _) if is("begin") => self.begin = Some(token.start),
            _ => {}
        }
    }

    /// What the end of the text leaves unfinished.
    pub(super) fn unfinished(&self) -> Option<Unfinished> {
        if self.parens > 0 {
            let hint = "a ';' inside parentheses does not end the statement";
            return Some(Unfinished { start: self.outermost, message: "this parenthesis is never closed", hint });
        }
        let (start, _) = self.body?;
        let hint = "add the END of the body, and one END for every CASE in it";
        Some(Unfinished { start, message: "the body that begins here never ends", hint })
    }
}

/// Statements that Branchkeeper must not pass on.
pub(super) fn refused(mut at: Cursor<'_>) -> Option<Refused> {
    let word = at.word().to_ascii_uppercase();
    at.bump();
    match word.as_str() {
        "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            Some(Refused::transaction(&word))
        }
        "START" if at.is("TRANSACTION") => Some(Refused::transaction("START TRANSACTION")),
        "PREPARE" if at.is("TRANSACTION") => Some(Refused::transaction("PREPARE TRANSACTION")),
        "DISCARD" if at.is("ALL") => Some(Refused {
            message: "DISCARD ALL is refused: it would release the lock that Branchkeeper holds on the branch"
                .to_owned(),
            hint: "use RESET ALL, DISCARD PLANS, DISCARD SEQUENCES or DISCARD TEMP",
        }),
        "COPY" => refused_copy(at),
        _ => None,
    }
}

fn refused_copy(at: Cursor<'_>) -> Option<Refused> {
    let (stream, hint) = match copy_stream(at)? {
        Stream::In => ("FROM stdin", "use INSERT, or COPY from a file on the server"),
        Stream::Out => ("TO stdout", "remove it, or COPY to a file on the server"),
    };
    Some(Refused {
        message: format!("COPY … {stream} is refused: there is no client to stream data to or from"), hint
    })
}

/// Whether the statement is a `COPY … FROM stdin`, after which data and not SQL follows.
pub(super) fn has_data(mut at: Cursor<'_>) -> bool {
    at.take("COPY") && matches!(copy_stream(at), Some(Stream::In))
}

enum Stream {
    In,
    Out,
}

fn copy_stream(mut at: Cursor<'_>) -> Option<Stream> {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            // The server takes either name in either direction.
            Kind::Word if depth == 0 => {
                let mut ahead = at;
                if ahead.take("FROM") && ahead.take_any(&["STDIN", "STDOUT"]) {
                    return Some(Stream::In);
                }
                if ahead.take("TO") && ahead.take_any(&["STDIN", "STDOUT"]) {
                    return Some(Stream::Out);
                }
            }
            _ => {}
        }
        at.bump();
    }
    None
}

/// Which effect a statement has that refuses a transaction. These are the statements for which the server's
/// documentation says that they cannot be executed inside a transaction block, as far as the text alone tells.
pub(super) fn alone(mut at: Cursor<'_>) -> Option<Effect> {
    if at.take("CREATE") {
        created(at)
    } else if at.take("DROP") {
        dropped(at)
    } else if at.take("ALTER") {
        altered(at)
    } else if at.take("REINDEX") {
        reindexed(at)
    } else if at.take("VACUUM") {
        Some(Effect::Idempotent)
    } else if at.take("CLUSTER") {
        if !options(&mut at, |_| {}) {
            at.take("VERBOSE");
        }
        at.at_end().then_some(Effect::Idempotent)
    } else {
        None
    }
}

fn created(mut at: Cursor<'_>) -> Option<Effect> {
    at.take("UNIQUE");
    if at.take_all(&["INDEX", "CONCURRENTLY"]) {
        return Some(index_exists(at).unwrap_or(Effect::Unknowable));
    }
    if at.take("DATABASE") {
        return Some(at.part().map_or(Effect::Unknowable, Effect::DatabaseExists));
    }
    at.take_any(&["TABLESPACE", "SUBSCRIPTION"]).then_some(Effect::Unknowable)
}

fn index_exists(mut at: Cursor<'_>) -> Option<Effect> {
    at.take_all(&["IF", "NOT", "EXISTS"]);
    if at.is("ON") {
        return None;
    }
    let index = at.part()?;
    if !at.take("ON") {
        return None;
    }
    at.take("ONLY");
    let table = at.name()?;
    Some(Effect::IndexExists { index: ObjectName::bare(index), table })
}

fn dropped(mut at: Cursor<'_>) -> Option<Effect> {
    if at.take_all(&["INDEX", "CONCURRENTLY"]) {
        at.take_all(&["IF", "EXISTS"]);
        let index = at.name();
        return Some(match index {
            Some(index) if !at.symbol(',') => Effect::IndexGone(index),
            _ => Effect::Unknowable,
        });
    }
    if at.take("DATABASE") {
        at.take_all(&["IF", "EXISTS"]);
        return Some(at.part().map_or(Effect::Unknowable, Effect::DatabaseGone));
    }
    at.take_any(&["TABLESPACE", "SUBSCRIPTION"]).then_some(Effect::Unknowable)
}

fn altered(mut at: Cursor<'_>) -> Option<Effect> {
    if at.take("SYSTEM") {
        return Some(Effect::Idempotent);
    }
    if at.take("DATABASE") {
        at.bump();
        return at.take_all(&["SET", "TABLESPACE"]).then_some(Effect::Idempotent);
    }
    if at.take("SUBSCRIPTION") {
        at.bump();
        // These only change the subscription's catalog row.
        let plain = at.take_any(&["CONNECTION", "ENABLE", "DISABLE", "OWNER", "RENAME", "SKIP"]);
        let same_again = at.take_any(&["REFRESH", "SET"]);
        return (!plain).then_some(if same_again { Effect::Idempotent } else { Effect::Unknowable });
    }
    if at.take("TABLE") {
        at.take_all(&["IF", "EXISTS"]);
        at.take("ONLY");
        at.name()?;
        let detach = at.take_all(&["DETACH", "PARTITION"]) && at.name().is_some();
        return (detach && at.take("CONCURRENTLY")).then_some(Effect::Unknowable);
    }
    None
}

fn reindexed(mut at: Cursor<'_>) -> Option<Effect> {
    let mut concurrently = false;
    options(&mut at, |option| {
        if option.take("CONCURRENTLY") {
            let value = option.raw().trim_matches(['\'', '"']);
            concurrently = !["false", "off", "0"].iter().any(|off| value.eq_ignore_ascii_case(off));
        }
    });
    let whole = at.take_any(&["DATABASE", "SYSTEM", "SCHEMA"]);
    if !whole {
        at.take_any(&["TABLE", "INDEX"]);
    }
    (whole || concurrently || at.take("CONCURRENTLY")).then_some(Effect::Idempotent)
}

/// Steps over a parenthesised list of options and shows each to `see`. False when there is none.
fn options<'a>(at: &mut Cursor<'a>, mut see: impl FnMut(&mut Cursor<'a>)) -> bool {
    if !at.symbol('(') {
        return false;
    }
    while !at.at_end() && !at.symbol(')') {
        see(&mut at.clone());
        at.bump();
    }
    true
}
