//! What set-up says on a terminal, in the language that is spoken: the texts of the table `terminal`, and of the
//! page where it asks the same. Pure.

use std::fmt::Display;

use sonofuse_core::words::{Label, Value, Values};

use crate::panel::words::spoken;

/// The text of `terminal.ID`, filled.
pub(super) fn say(id: &str, values: &[(&'static str, &dyn Display)]) -> String {
    said(&format!("terminal.{id}"), values)
}

/// The text of `page.ID`, filled.
pub(super) fn page(id: &str, values: &[(&'static str, &dyn Display)]) -> String {
    said(&format!("page.{id}"), values)
}

/// A word of the panel.
pub(super) fn label(label: Label) -> &'static str {
    spoken().label(label)
}

fn said(id: &str, values: &[(&'static str, &dyn Display)]) -> String {
    let values: Values = values
        .iter()
        .map(|(name, value)| ((*name).into(), Value::Text(value.to_string())))
        .collect();
    spoken().say(id, &values)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use sonofuse_core::words::{Language, TERMINAL};

    /// What stands in quotes after `call`.
    fn asked(source: &str, call: &str) -> BTreeSet<String> {
        let after = source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
        after.map(str::to_owned).collect()
    }

    #[test]
    fn what_the_terminal_asks_is_in_the_language_files_and_nothing_else_is() {
        let sources = [
            include_str!("../setup.rs"),
            include_str!("walk.rs"),
            include_str!("walk/source.rs"),
            include_str!("walk/trial.rs"),
        ];
        let sources = sources.concat();
        let sources: String = sources.split_whitespace().collect::<Vec<_>>().join(" ");
        let texts = Language::english().texts();
        let known: BTreeSet<String> =
            texts.keys().filter_map(|id| id.strip_prefix(TERMINAL)).map(str::to_owned).collect();
        let said: BTreeSet<String> =
            [asked(&sources, "say(\""), asked(&sources, "say( \"")].into_iter().flatten().collect();
        assert_eq!(said, known);
        for id in asked(&sources, "page(\"") {
            assert!(texts.contains_key(&format!("page.{id}")), "page.{id}");
        }
    }
}
