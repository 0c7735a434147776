//! What a text of a server's language does to the transaction that it runs in, as far as that is written in it.

use std::collections::BTreeSet;

/// What one text does: a batch, or the body of a procedure or trigger. Names are in lower case and without their schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deeds {
    /// It may end the transaction, or runs what it does not spell out.
    pub(super) ends: bool,
    /// The procedures that it calls, besides those of the server that are known to leave transactions alone.
    pub(super) calls: Vec<String>,
    /// All that it names: tables that may have triggers, views, procedures.
    pub(super) names: BTreeSet<String>,
    /// The procedures that it makes, the views, and by their tables' names the triggers.
    pub(super) makes: Vec<(String, Deeds)>,
}

/// The code that is kept in a database, and what of it may end a transaction.
#[derive(Debug)]
pub(super) struct Code {
    known: BTreeSet<String>,
    ends: BTreeSet<String>,
}

impl Code {
    /// The code of these names. Several of one name are all of it: what a migration makes anew may be called before and
    /// after that.
    pub(super) fn of<'d>(code: impl IntoIterator<Item = &'d (String, Deeds)>) -> Self {
        let code: Vec<_> = code.into_iter().collect();
        let known = code.iter().map(|(name, _)| name.clone()).collect();
        let mut found = Self { known, ends: BTreeSet::new() };
        loop {
            let before = found.ends.len();
            for (name, deeds) in &code {
                if found.may_end(deeds) || deeds.names.iter().any(|each| found.ends.contains(each)) {
                    found.ends.insert(name.clone());
                }
            }
            if found.ends.len() == before {
                return found;
            }
        }
    }

    /// Whether a text may end the transaction, itself or through what it calls. What is called and not known is not known to
    /// leave it alone.
    pub(super) fn may_end(&self, deeds: &Deeds) -> bool {
        deeds.ends || deeds.calls.iter().any(|name| !self.known.contains(name) || self.ends.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(names: &[&str]) -> Deeds {
        Deeds { calls: names.iter().map(|&name| name.to_owned()).collect(), ..Deeds::default() }
    }

    fn names(name: &str) -> Deeds {
        Deeds { names: [name.to_owned()].into(), ..Deeds::default() }
    }

    #[test]
    fn what_ends_a_transaction_is_found_through_others() {
        let code = [
            ("outer", calls(&["inner"])),
            ("inner", names("sales")),
            ("sales", Deeds { ends: true, ..Deeds::default() }),
            ("harmless", calls(&["harmless", "plain"])),
            ("plain", names("stock")),
            ("lost", calls(&["nowhere"])),
            ("twice", Deeds::default()),
            ("twice", calls(&["outer"])),
        ]
        .map(|(name, deeds)| (name.to_owned(), deeds));
        let code = Code::of(&code);
        for name in ["outer", "inner", "lost", "nowhere", "twice"] {
            assert!(code.may_end(&calls(&[name])), "{name}");
        }
        for name in ["harmless", "plain"] {
            assert!(!code.may_end(&calls(&[name])), "{name}");
        }
        assert!(!code.may_end(&names("sales")), "only what is called counts");
    }
}
