//! Changes to a script that keep most of its structure.

use rand::Rng;
use rand::rngs::StdRng;

use super::super::property_tests::SOUP;
use super::corpus;
use crate::domain::Provider;

/// What encloses text in one dialect or another.
const PAIRS: [(&str, &str); 26] = [
    ("'", "'"),
    ("\"", "\""),
    ("`", "`"),
    ("[", "]"),
    ("E'", "'"),
    ("N'", "'"),
    ("U&'", "'"),
    ("$$", "$$"),
    ("$x$", "$x$"),
    ("(", ")"),
    ("/*", "*/"),
    ("/*!50003 ", "*/"),
    ("/*M!100100 ", "*/"),
    ("/*! ", " */"),
    ("--", "\n"),
    ("-- ", "\n"),
    ("#", "\n"),
    (" BEGIN ", " END;"),
    (" BEGIN ATOMIC ", "; END "),
    (" CASE WHEN 1 THEN ", " END "),
    ("\nDELIMITER //\n", "//\nDELIMITER ;\n"),
    ("\nDELIMITER $$\n", "$$\nDELIMITER ;\n"),
    ("\nGO\n", "\nGO 2\n"),
    ("CREATE TRIGGER t AFTER INSERT ON u BEGIN ", "; END;"),
    ("CREATE PROCEDURE p() BEGIN ", "; END;"),
    ("COPY t FROM stdin;\n", "\n\\.\n"),
];

/// The text changed in one way; `other` lends a part.
pub(super) fn once(random: &mut StdRng, provider: Provider, text: &str, other: &str) -> String {
    let (start, end) = range(random, text);
    let (before, part, after) = (&text[..start], &text[start..end], &text[end..]);
    match random.random_range(0..14) {
        0..=2 => format!("{before}{}{}", word(random, provider), &text[start..]),
        3 => format!("{before}{}{after}", word(random, provider)),
        4 => format!("{before}{after}"),
        5 => format!("{before}{part}{part}{after}"),
        6 | 7 => {
            let (open, close) = PAIRS[random.random_range(0..PAIRS.len())];
            format!("{before}{open}{part}{close}{after}")
        }
        8 => {
            let (from, to) = range(random, other);
            format!("{before}{}{after}", &other[from..to])
        }
        9 => {
            let (from, _) = range(random, other);
            format!("{before}{}", &other[from..])
        }
        10 => nest(random, text),
        11 => flip(random, text),
        12 if random.random() => format!("{before}{}{after}", part.to_ascii_lowercase()),
        12 => format!("{before}{}{after}", part.to_ascii_uppercase()),
        _ => spaced(random, text),
    }
}

/// Cuts the text to at most `longest` bytes.
pub(super) fn shorten(text: &mut String, longest: usize) {
    let mut end = longest.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// A place in the text: any, or where a word or a sign begins.
fn place(random: &mut StdRng, text: &str) -> usize {
    let mut at = random.random_range(0..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    if random.random() {
        let is_joint = |c: char| !c.is_alphanumeric();
        at = text[at..].find(is_joint).map_or(at, |offset| at + offset);
    }
    at
}

fn range(random: &mut StdRng, text: &str) -> (usize, usize) {
    let (one, other) = (place(random, text), place(random, text));
    (one.min(other), one.max(other))
}

/// A word or sign of this dialect, or of any.
fn word(random: &mut StdRng, provider: Provider) -> String {
    if random.random_range(0..4) == 0 {
        return SOUP[random.random_range(0..SOUP.len())].to_owned();
    }
    let words = corpus::words(provider);
    let word = words[random.random_range(0..words.len())];
    if random.random() { format!(" {word} ") } else { word.to_owned() }
}

/// Puts the text, or a part of it, several times into the same pair.
fn nest(random: &mut StdRng, text: &str) -> String {
    let (start, end) = range(random, text);
    let (open, close) = PAIRS[random.random_range(0..PAIRS.len())];
    let depth = random.random_range(2..6);
    format!("{}{}{}{}{}", &text[..start], open.repeat(depth), &text[start..end], close.repeat(depth), &text[end..])
}

/// Changes single bytes.
fn flip(random: &mut StdRng, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.random_range(1..4) {
        if !bytes.is_empty() {
            let at = random.random_range(0..bytes.len());
            bytes[at] = if random.random() { bytes[at] ^ (1 << random.random_range(0..8)) } else { random.random() };
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Changes the blanks.
fn spaced(random: &mut StdRng, text: &str) -> String {
    let blanks =
        [" ", "\n", "\t", "", "\r\n", "\u{a0}", "\u{c}", "\u{b}", "/**/", "--\n", "\u{feff}", "\u{2028}", "\0"];
    let mut out = String::new();
    for part in text.split_inclusive([' ', '\n']) {
        let bare = part.trim_end_matches([' ', '\n']);
        let is_kept = bare.len() == part.len() || random.random_range(0..4) != 0;
        out.push_str(if is_kept { part } else { bare });
        if !is_kept {
            out.push_str(blanks[random.random_range(0..blanks.len())]);
        }
    }
    out
}
