use super::super::scanner::{Kind, Token};
use super::Unfinished;

/// Finds where a statement ends when it may hold statements of its own: the body of a procedure, function, trigger or
/// event, and MariaDB's compound statements outside of them. There a `;` ends the statement only when every block that
/// was opened is closed again. With a delimiter of its own, such a statement ends at the delimiter and nowhere else.
///
/// `BEGIN`, `END`, `IF` and others are names, too, where a statement does not begin, so the position in the inner
/// statement decides.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Ender {
    state: State,
    /// The blocks that are open, outermost first.
    open: Vec<Open>,
    /// What the tokens before this one make of it.
    before: Before,
    /// How many parentheses are open in the statement's head.
    parens: usize,
    /// Where the body began.
    body: usize,
    /// The token before, when it was a word.
    last: Last,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Before the first word.
    #[default]
    Start,
    /// After `CREATE` or `ALTER` and what may stand before the kind of object.
    Head,
    /// Before the parameters of a procedure.
    Procedure,
    /// Between the parameters and the body of a procedure.
    Characteristics,
    /// Before the parameters of a function.
    Function,
    /// Between the parameters and the body of a function.
    Returns,
    /// Before `FOR EACH ROW`.
    Trigger,
    /// After `EACH`.
    Each,
    /// Before an event's `DO`.
    Event,
    /// After a first word that a `:` would make a label.
    Label,
    /// After a first `BEGIN`, which a `NOT ATOMIC` would make a block.
    Begin,
    /// In the body.
    Body,
    /// In a statement without one.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `BEGIN` or `LOOP`.
    Block,
    /// `IF` or `CASE`, with statements behind every `THEN`.
    Choice,
    /// `WHILE` or MariaDB's `FOR`, whose `DO` is yet to come.
    Head,
    /// The same after its `DO`.
    Loop,
    /// `REPEAT`.
    Repeat,
    /// `REPEAT` after its `UNTIL`.
    Until,
    /// A `CASE` inside an expression.
    Value,
}

/// Where in an inner statement one is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    /// At its beginning.
    Statement,
    /// After its first word, which a `:` would make a label.
    Label,
    /// After `FOLLOWS` or `PRECEDES`.
    OtherTrigger,
    /// After `DECLARE`.
    Declare,
    /// After `DECLARE … HANDLER`.
    Handler,
    /// Where a handler's condition has to stand.
    Condition,
    /// After `SQLSTATE` or `NOT`.
    ConditionRest,
    /// After a condition.
    ConditionEnd,
    /// After the `END` of a block, which may name its kind.
    End,
    /// Somewhere else.
    #[default]
    Rest,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// Something that a whole expression can end with.
    #[default]
    Value,
    /// Something that makes a name of the word behind it.
    Name,
    /// Something that an expression goes on behind.
    Operator,
}

impl Ender {
    /// Takes the next token; true when it is the terminator.
    pub(in super::super) fn ends(&mut self, token: Token, text: &str, is_delimited: bool) -> bool {
        let word = match token.kind {
            Kind::Word => text.get(token.start..token.end).unwrap_or_default(),
            Kind::Mark => return false,
            Kind::Symbol(';') if self.is_complete(is_delimited) => {
                *self = Self::default();
                return true;
            }
            _ => "",
        };
        let word = if self.last == Last::Name { String::new() } else { word.to_ascii_uppercase() };
        match self.state {
            State::Body => self.inner(token, &word),
            State::Plain => {}
            _ => self.head(token, &word),
        }
        self.last = match token.kind {
            Kind::Symbol('.' | '@') => Last::Name,
            Kind::Symbol(')') => Last::Value,
            Kind::Symbol(_) | Kind::Separator => Last::Operator,
            Kind::Word if OPERATORS.contains(&word.as_str()) => Last::Operator,
            _ => Last::Value,
        };
        false
    }

    fn is_complete(&self, is_delimited: bool) -> bool {
        let is_plain = matches!(self.state, State::Start | State::Head | State::Label | State::Begin | State::Plain);
        is_plain || !is_delimited && self.open.iter().all(|open| *open == Open::Value)
    }

    /// A token before the body.
    fn head(&mut self, token: Token, word: &str) {
        match token.kind {
            Kind::Symbol('(') => self.parens += 1,
            Kind::Symbol(')') => {
                self.parens = self.parens.saturating_sub(1);
                if self.parens == 0 {
                    self.state = match self.state {
                        State::Procedure => State::Characteristics,
                        State::Function => State::Returns,
                        state => state,
                    };
                }
                return;
            }
            _ => {}
        }
        if self.parens > 0 && self.state != State::Start {
            return;
        }
        let is_word = token.kind == Kind::Word && !word.is_empty();
        // The name of the DEFINER.
        let is_user = self.last == Last::Operator;
        self.state = match (self.state, word) {
            (State::Start, "CREATE" | "ALTER") => State::Head,
            // MariaDB runs compound statements by themselves.
            (State::Start, "BEGIN") => State::Begin,
            (State::Start, "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR") => return self.enter_with(token, word),
            (State::Start, _) if matches!(token.kind, Kind::Word | Kind::QuotedName) => State::Label,
            (State::Start, _) => State::Plain,
            (State::Label, _) if token.kind == Kind::Symbol(':') => return self.enter(token.end),
            (State::Begin, "NOT") => {
                self.enter(token.start);
                self.open.push(Open::Block);
                return;
            }
            (State::Label | State::Begin, _) => State::Plain,
            (State::Head, _) if !is_word || is_user || HEAD.contains(&word) => State::Head,
            (State::Head, "PROCEDURE") => State::Procedure,
            (State::Head, "FUNCTION") => State::Function,
            (State::Head, "TRIGGER") => State::Trigger,
            (State::Head, "EVENT") => State::Event,
            (State::Head, _) => State::Plain,
            (State::Trigger, "EACH") => State::Each,
            (State::Each, "ROW") | (State::Event, "DO") => return self.enter(token.end),
            (State::Characteristics, _) if is_word && !CHARACTERISTICS.contains(&word) => {
                return self.enter_with(token, word);
            }
            (State::Returns, "BEGIN" | "RETURN" | "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR") => {
                return self.enter_with(token, word);
            }
            // A label; nothing else before the body of a function or procedure has a colon.
            (State::Returns | State::Characteristics, _) if token.kind == Kind::Symbol(':') => {
                return self.enter(token.end);
            }
            (state, _) => state,
        };
    }

    /// The body begins with this token.
    fn enter_with(&mut self, token: Token, word: &str) {
        self.enter(token.start);
        self.inner(token, word);
    }

    /// The body begins with the next token.
    fn enter(&mut self, start: usize) {
        self.state = State::Body;
        self.body = start;
        self.before = Before::Statement;
    }

    /// A token of the body.
    fn inner(&mut self, token: Token, word: &str) {
        if matches!(token.kind, Kind::Symbol(';') | Kind::Separator) {
            while self.open.last() == Some(&Open::Value) {
                self.open.pop();
            }
            self.before = Before::Statement;
            return;
        }
        match self.before {
            Before::Statement => self.before = self.begin(token, word),
            Before::Label if token.kind == Kind::Symbol(':') => self.before = Before::Statement,
            Before::OtherTrigger => self.before = Before::Statement,
            Before::Declare if word == "HANDLER" => self.before = Before::Handler,
            Before::Declare => {}
            Before::Handler if word == "FOR" => self.before = Before::Condition,
            Before::Handler => {}
            Before::Condition if word == "SQLSTATE" || word == "NOT" => self.before = Before::ConditionRest,
            Before::Condition => self.before = Before::ConditionEnd,
            Before::ConditionRest if word == "VALUE" => {}
            Before::ConditionRest => self.before = Before::ConditionEnd,
            Before::ConditionEnd if token.kind == Kind::Symbol(',') => self.before = Before::Condition,
            Before::ConditionEnd => self.before = self.begin(token, word),
            Before::End if word == "CASE" => self.before = Before::Rest,
            Before::Label | Before::End | Before::Rest => {
                self.before = Before::Rest;
                self.middle(word);
            }
        }
    }

    /// The first token of an inner statement.
    fn begin(&mut self, token: Token, word: &str) -> Before {
        match word {
            "BEGIN" | "LOOP" => self.push(Open::Block, Before::Statement),
            "IF" | "CASE" => self.push(Open::Choice, Before::Rest),
            "WHILE" | "FOR" => self.push(Open::Head, Before::Rest),
            "REPEAT" => self.push(Open::Repeat, Before::Statement),
            // BEGIN NOT ATOMIC.
            "NOT" | "ATOMIC" if self.open.len() == 1 => Before::Statement,
            "ELSE" => Before::Statement,
            "UNTIL" if self.open.last() == Some(&Open::Repeat) => {
                self.open.pop();
                self.push(Open::Until, Before::Rest)
            }
            "END" if !self.open.is_empty() => {
                self.open.pop();
                Before::End
            }
            "DECLARE" => Before::Declare,
            "FOLLOWS" | "PRECEDES" if self.open.is_empty() => Before::OtherTrigger,
            _ if matches!(token.kind, Kind::Word | Kind::QuotedName) => Before::Label,
            _ => Before::Rest,
        }
    }

    fn push(&mut self, open: Open, before: Before) -> Before {
        self.open.push(open);
        before
    }

    /// A word inside an inner statement.
    fn middle(&mut self, word: &str) {
        match (word, self.open.last()) {
            ("CASE", _) => self.open.push(Open::Value),
            ("END", Some(Open::Value)) if self.last == Last::Value => {
                self.open.pop();
            }
            ("END", Some(Open::Until)) if self.last == Last::Value => {
                self.open.pop();
                self.before = Before::End;
            }
            ("THEN", Some(Open::Choice)) => self.before = Before::Statement,
            ("DO", Some(Open::Head)) => {
                self.open.pop();
                self.before = self.push(Open::Loop, Before::Statement);
            }
            _ => {}
        }
    }

    /// What the end of the text leaves unfinished.
    pub(in super::super) fn unfinished(&self) -> Option<Unfinished> {
        if self.open.is_empty() {
            return None;
        }
        let hint = "every BEGIN, IF, CASE, LOOP, WHILE and REPEAT needs its END; or put DELIMITER lines around it";
        Some(Unfinished { start: self.body, message: "the body that begins here never ends", hint })
    }
}

/// What may stand between `CREATE` or `ALTER` and the kind of what is made.
const HEAD: [&str; 6] = ["OR", "REPLACE", "DEFINER", "AGGREGATE", "CURRENT_USER", "CURRENT_ROLE"];

/// The words of a procedure's characteristics, which stand before its body.
const CHARACTERISTICS: [&str; 13] = [
    "COMMENT",
    "LANGUAGE",
    "SQL",
    "NOT",
    "DETERMINISTIC",
    "CONTAINS",
    "NO",
    "READS",
    "DATA",
    "MODIFIES",
    "SECURITY",
    "DEFINER",
    "INVOKER",
];

/// Words behind which an expression goes on.
const OPERATORS: [&str; 17] = [
    "WHEN", "THEN", "ELSE", "CASE", "AND", "OR", "NOT", "XOR", "DIV", "MOD", "IN", "LIKE", "REGEXP", "RLIKE", "IS",
    "BETWEEN", "UNTIL",
];
