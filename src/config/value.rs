use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::duration::{format_duration, parse_duration};
use crate::domain::shorten;

/// A value as it stands in its source.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    /// From an environment variable or a flag: every type is written as text there.
    Text(&'a str),
    /// From the file, with the type that it has there.
    Toml(&'a DeValue<'a>),
}

impl<'a> Raw<'a> {
    /// A text.
    pub(super) fn text(self) -> Result<&'a str, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Toml(value) => value.as_str().ok_or_else(|| self.wrong("text in quotes")),
        }
    }

    /// A text that `read` understands.
    pub(super) fn parsed<T>(self, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        read(self.text()?)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!("'{}' is not allowed; use {}", shorten(text, 60), or_list(&allowed))
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Result<bool, String> {
        match self {
            Self::Text("true") => Ok(true),
            Self::Text("false") => Ok(false),
            Self::Text(text) => Err(format!("'{}' is not allowed; use true or false", shorten(text, 60))),
            Self::Toml(value) => value.as_bool().ok_or_else(|| self.wrong("true or false, without quotes")),
        }
    }

    /// A whole number within bounds.
    pub(super) fn integer<T>(self, bounds: RangeInclusive<T>) -> Result<T, String>
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let number = match self {
            Self::Text(text) => text.trim().parse::<i64>().map_err(|_| text.to_owned()),
            Self::Toml(value) => {
                let integer = value.as_integer().ok_or_else(|| self.wrong("a whole number"))?;
                i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| integer.as_str().to_owned())
            }
        };
        let allowed = format!("allowed are {} to {}", bounds.start(), bounds.end());
        let number = number.map_err(|text| format!("'{}' is not such a number; {allowed}", shorten(&text, 60)))?;
        T::try_from(number)
            .ok()
            .filter(|value| bounds.contains(value))
            .ok_or_else(|| format!("{number} is out of bounds; {allowed}"))
    }

    /// A duration within bounds, which are durations in text too.
    pub(super) fn duration(self, bounds: RangeInclusive<Duration>) -> Result<Duration, String> {
        let text = match self {
            Self::Toml(value) if value.is_integer() => {
                return Err("a duration needs quotes and a unit, such as \"30s\"".into());
            }
            _ => self.text()?,
        };
        let duration = parse_duration(text)?;
        if bounds.contains(&duration) {
            return Ok(duration);
        }
        let [from, to] = [*bounds.start(), *bounds.end()].map(format_duration);
        Err(format!("'{}' is out of bounds; allowed are {from} to {to}", shorten(text, 60)))
    }

    /// A path.
    pub(super) fn path(self) -> Result<PathBuf, String> {
        let text = self.text()?;
        if text.contains('\0') {
            return Err("a path cannot contain the NUL character".into());
        }
        Ok(PathBuf::from(text))
    }

    /// A path that is not empty.
    pub(super) fn folder(self) -> Result<PathBuf, String> {
        let path = self.path()?;
        if path.as_os_str().is_empty() { Err("the folder must not be empty".into()) } else { Ok(path) }
    }

    /// A list of texts; in a variable they are separated by commas.
    pub(super) fn list(self) -> Result<Vec<String>, String> {
        match self {
            Self::Text(text) => {
                Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
            }
            Self::Toml(value) => {
                let items = value.as_array().ok_or_else(|| self.wrong("a list of texts, such as [\"Sales\"]"))?;
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().ok_or_else(|| "every item of the list has to be text in quotes".into())
            }
        }
    }

    fn wrong(self, expected: &str) -> String {
        match self {
            Self::Text(_) => format!("expected {expected}"),
            Self::Toml(value) => format!("expected {expected}, found {}", value.type_str()),
        }
    }
}

fn or_list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [start @ .., last] => format!("{} or {last}", start.join(", ")),
    }
}
