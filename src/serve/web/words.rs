//! The page's texts: one flat object a language, out of the language files. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sonofuse_core::words::{Language, TERMINAL};

/// Identifier and name of each language.
pub(super) fn languages() -> Value {
    let each = |language: &Language| json!({ "id": language.id(), "name": language.name() });
    Language::all().iter().map(each).collect()
}

/// The texts of language `id` by their identifiers; those of tables by `table.identifier`.
pub(super) fn texts(id: &str) -> Option<Value> {
    let texts = Language::named(id)?.texts();
    let said: BTreeMap<_, _> = texts.iter().filter(|(id, _)| !id.starts_with(TERMINAL)).collect();
    Some(json!(said))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_a_flat_object_of_texts() {
        for language in languages().as_array().unwrap() {
            let texts = texts(language["id"].as_str().unwrap()).unwrap();
            let texts = texts.as_object().unwrap();
            assert!(texts.len() > 300 && texts.values().all(Value::is_string), "{language}");
        }
        assert!(texts("xx").is_none());
    }
}
