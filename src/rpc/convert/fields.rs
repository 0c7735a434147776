use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::str::FromStr;

use crate::domain::{BranchRef, Checksum, MigrationId, Provider, RequestId, Violations};
use crate::engine::{Page, UndoWish};

use super::enums;

/// The most items in one page.
const MAX_PAGE: u32 = 1000;
/// The items in one page when the request does not say.
const DEFAULT_PAGE: u32 = 100;
/// The most migrations that one rollback undoes.
const MAX_STEPS: u32 = 10_000;
/// The longest page token that is looked at, in bytes.
const MAX_TOKEN: usize = 1024;
/// The most values in a filter over an enumeration; more than any enumeration has.
const MAX_CHOICES: usize = 32;

/// Reads a request's fields and keeps what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Violations);

impl Fields {
    /// The value, if nothing at all was wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Violations> {
        self.0.into_result()?;
        value.ok_or_else(|| {
            let mut found = Violations::default();
            found.add("", "the request is incomplete");
            found
        })
    }

    /// Adds a violation.
    pub(super) fn bad(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.add(field, description);
    }

    /// A text that has to be there and to parse.
    pub(super) fn parse<T>(&mut self, field: &str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse().map_err(|error: T::Err| self.bad(field, error.to_string())).ok()
    }

    /// A text that has to parse unless it is empty.
    pub(super) fn parse_if_given<T>(&mut self, field: &str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        if text.is_empty() { None } else { self.parse(field, text) }
    }

    /// A branch, by code or id.
    pub(super) fn branch(&mut self, field: &str, text: &str) -> Option<BranchRef> {
        if text.is_empty() {
            self.bad(field, "must not be empty; give the branch's code or id");
            return None;
        }
        self.parse(field, text)
    }

    /// A migration to stop after; whether there is such a one is the engine's question.
    pub(super) fn target(&mut self, field: &str, text: String) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        self.0.text(field, &text, MigrationId::MAX);
        Some(text)
    }

    /// The client's own name for the request.
    pub(super) fn request_id(&mut self, text: &str) -> Option<RequestId> {
        self.parse_if_given("request_id", text)
    }

    /// A number of an enumeration that has to name a value. `values` tells what is allowed.
    pub(super) fn choice<T>(
        &mut self,
        field: &str,
        number: i32,
        read: impl Fn(i32) -> Option<T>,
        values: &str,
    ) -> Option<T> {
        let value = read(number);
        match (&value, number) {
            (None, 0) => self.bad(field, format!("must be given; use {values}")),
            (None, _) => self.bad(field, format!("{number} is not a known value; use {values}")),
            (Some(_), _) => {}
        }
        value
    }

    /// A number of an enumeration, where 0 means "not given".
    pub(super) fn choice_if_given<T>(
        &mut self,
        field: &str,
        number: i32,
        read: impl Fn(i32) -> Option<T>,
        values: &str,
    ) -> Option<T> {
        if number == 0 { None } else { self.choice(field, number, read, values) }
    }

    /// A filter over an enumeration; doubles are dropped.
    pub(super) fn choices<T: PartialEq>(
        &mut self,
        field: &str,
        numbers: &[i32],
        read: impl Fn(i32) -> Option<T>,
        values: &str,
    ) -> Vec<T> {
        if numbers.len() > MAX_CHOICES {
            self.bad(field, format!("has {} values; at most {MAX_CHOICES} are allowed", numbers.len()));
            return Vec::new();
        }
        let mut found = Vec::new();
        for (index, number) in numbers.iter().enumerate() {
            if let Some(value) = self.choice(&format!("{field}[{index}]"), *number, &read, values)
                && !found.contains(&value)
            {
                found.push(value);
            }
        }
        found
    }

    /// A filter over providers.
    pub(super) fn providers(&mut self, numbers: &[i32]) -> Vec<Provider> {
        self.choices("providers", numbers, enums::provider, PROVIDERS)
    }

    /// Labels, of a branch or to select by.
    pub(super) fn labels(&mut self, field: &str, labels: HashMap<String, String>) -> BTreeMap<String, String> {
        let labels = labels.into_iter().collect();
        self.0.pairs(field, &labels);
        labels
    }

    /// The digest of a plan; empty means none.
    pub(super) fn plan_digest(&mut self, text: &str) -> Option<Checksum> {
        if text.is_empty() {
            return None;
        }
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.bad("plan_digest", "is not a plan's digest; copy it from the answer of Plan, or leave it empty");
        }
        Some(Checksum::from_stored(text.to_ascii_lowercase()))
    }

    /// How many migrations to undo.
    pub(super) fn steps(&mut self, steps: u32) -> UndoWish {
        if !(1..=MAX_STEPS).contains(&steps) {
            self.bad("steps", format!("is {steps}; it must be 1 to {MAX_STEPS}"));
        }
        UndoWish::Steps(steps)
    }

    /// The migration that is to stay applied.
    pub(super) fn undo_target(&mut self, target: String) -> UndoWish {
        if target.is_empty() {
            self.bad("target_migration", "is empty; name the migration that is to stay applied");
        }
        UndoWish::After(self.target("target_migration", target).unwrap_or_default())
    }

    /// Which page of a list.
    pub(super) fn page(&mut self, size: u32, token: String) -> Page {
        if size > MAX_PAGE {
            self.bad("page_size", format!("is {size}; at most {MAX_PAGE} are allowed, and 0 means {DEFAULT_PAGE}"));
        }
        if token.len() > MAX_TOKEN {
            self.bad("page_token", "is not a page token; use next_page_token of the previous answer");
        }
        Page { size: if size == 0 { DEFAULT_PAGE } else { size }, token }
    }
}

/// What a provider field may hold.
pub(super) const PROVIDERS: &str = "PROVIDER_SQLITE, PROVIDER_SQLSERVER, PROVIDER_POSTGRES or PROVIDER_MYSQL";

/// The branch that a request names.
pub(in crate::rpc) fn branch_ref(text: &str) -> Result<BranchRef, Violations> {
    let mut fields = Fields::default();
    let branch = fields.branch("branch", text);
    fields.finish(branch)
}
