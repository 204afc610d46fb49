//! The page's texts: one flat object a language, made out of the language files. Pure.

use serde_json::{Map, Value};

/// A language of the page.
struct Language {
    id: &'static str,
    /// In itself.
    name: &'static str,
    text: &'static str,
}

/// Those that there are, the one that the page begins with first.
const LANGUAGES: &[Language] = &[Language {
    id: "en",
    name: "English",
    text: include_str!("../../../crates/core/src/words/en.toml"),
}];

/// The language that the page begins with.
pub(super) const FIRST: &str = "en";

/// Identifier and name of each language.
pub(super) fn languages() -> Value {
    let each = |l: &Language| serde_json::json!({ "id": l.id, "name": l.name });
    LANGUAGES.iter().map(each).collect()
}

/// The texts of language `id` by their identifiers; tables are joined by dots.
pub(super) fn texts(id: &str) -> Option<Value> {
    let language = LANGUAGES.iter().find(|language| language.id == id)?;
    let table: toml::Table = toml::from_str(language.text).ok()?;
    let mut texts = Map::new();
    flatten("", table, &mut texts);
    Some(Value::Object(texts))
}

fn flatten(at: &str, table: toml::Table, texts: &mut Map<String, Value>) {
    for (key, value) in table {
        let key = if at.is_empty() { key } else { format!("{at}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::String(text) => drop(texts.insert(key, text.into())),
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_a_flat_object_of_texts() {
        assert_eq!(LANGUAGES[0].id, FIRST);
        for language in LANGUAGES {
            let texts = texts(language.id).unwrap();
            let texts = texts.as_object().unwrap();
            assert!(texts.len() > 40 && texts.values().all(Value::is_string), "{}", language.id);
        }
        assert!(texts("xx").is_none());
    }
}
