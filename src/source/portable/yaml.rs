use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, options};

use super::super::Problem;

/// Line and column, both from 1.
pub(super) type At = (u32, u32);

/// The most parts (keys, values, lists) of a file, those that aliases repeat included.
const MAX_NODES: usize = 500_000;
/// How deep lists and mappings may lie in each other.
const MAX_DEPTH: usize = 24;

/// A part of a YAML file and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// A single value as it is written: nothing is taken for a number, a date or yes and no that is not asked for.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes.
    pub(super) is_plain: bool,
    /// Where each line of the text stands, when the text keeps the file's lines: the first line and the column of all.
    pub(super) body: Option<At>,
}

impl Scalar {
    /// Whether it stands for no value: `null`, `~`, or nothing.
    pub(super) fn is_null(&self) -> bool {
        self.is_plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    /// Whether it stands for no value.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.is_null())
    }

    /// What kind of thing it is, for messages.
    pub(super) fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Map(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum(),
        }
    }
}

/// Reads a file of one YAML document; `None` when it holds nothing.
pub(super) fn parse(file: &str, text: &str) -> Result<Option<Node>, Problem> {
    let options = options! { emit_comments: false, flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    let mut loader =
        Loader { file, lines: Lines::of(text), stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let at = (position(error.marker().line()), position(error.marker().col() + 1));
            Problem::at(
                file,
                at,
                format!("is not YAML: {}", error.info()),
                "mend the file's form; its indentation counts",
            )
        })?;
        loader.take(event, span)?;
    }
    Ok(loader.root)
}

fn position(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where lines begin, to find the indentation of block texts.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1));
        Self { text, starts }
    }

    /// Where the text of a block that `|` opens begins: the line behind the `|`, and the column of all its lines. The
    /// parser tells a place between the `|` and the first line with text.
    fn body(&self, near: u32, content: &str) -> Option<At> {
        let first = content.lines().position(|line| !line.trim().is_empty())?;
        let wanted = content.lines().nth(first)?;
        let raw = |line: usize| self.text.get(*self.starts.get(line)?..)?.lines().next();
        let near = usize::try_from(near).ok()?;
        let opening = (near.saturating_sub(first + 2)..near)
            .rev()
            .find(|line| raw(*line).is_some_and(|raw| raw.contains('|')))?;
        let line = raw(opening + 1 + first)?;
        let indent = line.strip_suffix(wanted)?;
        indent.chars().all(|ch| ch == ' ').then(|| (position(opening + 2), position(indent.len() + 1)))
    }
}

/// A list or mapping that is being read.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Node>,
}

struct Loader<'a> {
    file: &'a str,
    lines: Lines<'a>,
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Loader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = (position(span.start.line()), position(span.start.col() + 1));
        let refuse = |message: &str, hint: &str| Err(Problem::at(self.file, at, message, hint));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return refuse("has a tag, which means nothing here", "remove the word that begins with '!'");
                }
                if text.contains('\0') {
                    return refuse("holds the character NUL, which no server takes in a statement", "remove it");
                }
                let body = if style == ScalarStyle::Literal { self.lines.body(at.0, &text) } else { None };
                let scalar = Scalar { text: text.into_owned(), is_plain: style == ScalarStyle::Plain, body };
                self.add(Node { at, kind: Kind::Scalar(scalar) }, anchor)
            }
            Event::SequenceStart(_, anchor, None) => self.open(at, Kind::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, None) => self.open(at, Kind::Map(Vec::new()), anchor),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                refuse("has a tag, which means nothing here", "remove the word that begins with '!'")
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(open) => self.add(open.node, open.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    self.nodes += node.size();
                    self.add(Node { at, ..node }, 0)
                }
                None => refuse("repeats something that holds it", "write it out"),
            },
            Event::DocumentStart(..) if self.root.is_some() => {
                refuse("begins a second document", "a migration is one document: remove the '---'")
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, at: At, kind: Kind, anchor: usize) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("lists and mappings lie more than {MAX_DEPTH} deep in each other");
            return Err(Problem::at(self.file, at, message, "nothing in a migration is that deep"));
        }
        self.stack.push(Open { node: Node { at, kind }, anchor, key: None });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("has more than {MAX_NODES} parts");
            return Err(Problem::at(self.file, node.at, message, "spread it over several migrations"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None => parent.key = Some(node),
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(node: &Node) -> &Scalar {
        match &node.kind {
            Kind::Scalar(scalar) => scalar,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let node = parse("f", "[0010, no, 1e3, \"null\", ~, 2024-01-01]").unwrap().unwrap();
        let Kind::List(items) = node.kind else { panic!() };
        let texts: Vec<_> = items.iter().map(|item| scalar(item).text.as_str()).collect();
        assert_eq!(texts, ["0010", "no", "1e3", "null", "~", "2024-01-01"]);
        assert!(!scalar(&items[3]).is_null() && scalar(&items[4]).is_null());
        assert_eq!(items[1].at, (1, 8));
    }

    #[test]
    fn block_texts_know_their_lines() {
        let node = parse("f", "a:\n  sql: |\n\n    one\n      two\n").unwrap().unwrap();
        let Kind::Map(entries) = node.kind else { panic!() };
        let Kind::Map(inner) = &entries[0].1.kind else { panic!() };
        let sql = scalar(&inner[0].1);
        assert_eq!((sql.text.as_str(), sql.body), ("\none\n  two\n", Some((3, 5))));
    }

    #[test]
    fn aliases_repeat_and_stay_bounded() {
        let node = parse("f", "a: &x {b: 1}\nc: *x\n").unwrap().unwrap();
        let Kind::Map(entries) = node.kind else { panic!() };
        assert_eq!(entries[1].1.at, (2, 4));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..9 {
            let list = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        assert!(parse("f", &bomb).unwrap_err().message.contains("more than"));
        assert!(parse("f", &"[".repeat(1000)).is_err());
        assert!(parse("f", "a: 1\n---\nb: 2\n").is_err());
        assert!(parse("f", "a: !x 2\n").is_err());
        assert!(parse("f", "a: &a [*a]\n").is_err());
    }
}
