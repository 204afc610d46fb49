//! A language: one TOML file that says every sentence, every label of the panel, every text of the page and of set-up on a terminal.
//! Pure; the files are built in.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};
use std::sync::OnceLock;

use thiserror::Error;

use super::{Label, Sentence, Value, Values};

/// The languages that are built in, English first: identifier (BCP 47) and file. Another one is another line.
const FILES: &[(&str, &str)] = &[
    ("en", include_str!("en.toml")),
    ("de", include_str!("de.toml")),
    ("es", include_str!("es.toml")),
    ("zh", include_str!("zh.toml")),
];

/// Why a language file cannot be used.
#[derive(Debug, Error)]
pub enum LanguageError {
    /// Not a TOML table of texts.
    #[error("the language file cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// Something that is no text.
    #[error(
        "the language file's `{0}` is no text: one line a text, and the tables language, panel, page, terminal and refused"
    )]
    NotText(String),
    /// No text for what is said.
    #[error("the language file has no text for `{0}`")]
    Missing(String),
    /// A text for something that nobody says.
    #[error("the language file says `{0}`, which is nothing that this version says")]
    Unknown(String),
    /// A text that leaves a value out, or asks for one that is not there.
    #[error("the language file's text for `{id}` must hold {{{}}}, and nothing else in braces", values.join("}, {"))]
    Gaps {
        /// The text.
        id: String,
        /// What it is said with.
        values: Vec<String>,
    },
}

/// All texts in one language. Identifiers are those of sentences, `panel.…` of labels, `page.…` and `terminal.…`.
#[derive(Clone)]
pub struct Language {
    id: &'static str,
    texts: BTreeMap<String, String>,
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Language").field(&self.id).finish()
    }
}

/// Two are the same when they are of the same file.
impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Language {}

impl Language {
    /// Reads a language file: `identifier = "text with {value}"`, one for every [`Sentence`]; in the table
    /// `panel` one for every [`Label`]; in `language` its `name` in itself; in `page` the page's in `terminal`
    /// those of set-up on a terminal and in `refused` why something was not done, which are those of `english`.
    ///
    /// # Errors
    /// [`LanguageError`] with the first text that is missing, unknown or has other gaps.
    pub fn parse(
        id: &'static str,
        text: &str,
        english: Option<&Self>,
    ) -> Result<Self, LanguageError> {
        let table: toml::Table = toml::from_str(text).map_err(Box::new)?;
        let mut texts = BTreeMap::new();
        for (key, value) in table {
            match value {
                toml::Value::String(text) => drop(texts.insert(key, text)),
                toml::Value::Table(inner) => {
                    for (name, value) in inner {
                        let id = format!("{key}.{name}");
                        let toml::Value::String(text) = value else {
                            return Err(LanguageError::NotText(id));
                        };
                        texts.insert(id, text);
                    }
                }
                _ => return Err(LanguageError::NotText(key)),
            }
        }
        let read = Self { id, texts };
        read.check(english)?;
        Ok(read)
    }

    fn check(&self, english: Option<&Self>) -> Result<(), LanguageError> {
        let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        wanted.insert("language.name".to_owned(), Vec::new());
        for sentence in Sentence::ALL {
            wanted.insert(sentence.id().to_owned(), owned(sentence.values()));
        }
        for label in Label::ALL {
            wanted.insert(format!("panel.{}", label.id()), owned(label.values()));
        }
        // English says by itself which texts these tables have; tests hold them against who says them.
        let own = |id: &str| [PAGE, TERMINAL, REFUSED].iter().any(|table| id.starts_with(table));
        for (id, text) in english.unwrap_or(self).texts.iter().filter(|(id, _)| own(id)) {
            wanted.insert(id.clone(), gaps(text).map(str::to_owned).collect());
        }
        for (id, mut values) in wanted.clone() {
            let text = self.texts.get(&id).ok_or_else(|| LanguageError::Missing(id.clone()))?;
            let mut found: Vec<&str> = gaps(text).collect();
            found.sort_unstable();
            found.dedup();
            values.sort_unstable();
            values.dedup();
            if found != values {
                return Err(LanguageError::Gaps { id, values });
            }
        }
        match self.texts.keys().find(|id| !wanted.contains_key(*id)) {
            Some(id) => Err(LanguageError::Unknown(id.clone())),
            None => Ok(()),
        }
    }

    /// The languages that are built in, English first.
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Language>> = OnceLock::new();
        ALL.get_or_init(|| {
            let mut all: Vec<Self> = Vec::with_capacity(FILES.len());
            for (id, text) in FILES {
                match Self::parse(id, text, all.first()) {
                    Ok(language) => all.push(language),
                    // A test holds that each file is complete; without English the identifiers are said.
                    Err(_) if all.is_empty() => all.push(Self { id, texts: BTreeMap::new() }),
                    Err(_) => {}
                }
            }
            all
        })
    }

    /// English.
    pub fn english() -> &'static Self {
        &Self::all()[0]
    }

    /// The language of that identifier.
    pub fn named(id: &str) -> Option<&'static Self> {
        Self::all().iter().find(|language| language.id == id)
    }

    /// Its identifier: `en`.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// What it calls itself.
    pub fn name(&self) -> &str {
        self.texts.get("language.name").map_or(self.id, String::as_str)
    }

    /// All texts by identifier: sentences as they are, `panel.…`, `page.…`, `terminal.…`, `language.name`.
    pub const fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// Whether it is written in characters that a Latin font lacks.
    pub fn is_cjk(&self) -> bool {
        self.texts.values().any(|text| text.chars().any(is_cjk))
    }

    /// Fills the text of `id`; what this version does not know is said as it came.
    pub fn say(&self, id: &str, values: &Values) -> String {
        let Some(text) = self.texts.get(id) else { return id.to_owned() };
        fill(text, |name, said| match values.get(name) {
            // Writing to a String cannot fail.
            Some(Value::Number(number)) => drop(write!(said, "{number}")),
            Some(Value::Text(words)) => said.push_str(words),
            None => said.push('?'),
        })
    }

    /// A sentence of a reading, by its identifier; what this version does not know as it came.
    pub fn detail(&self, id: Option<&str>, values: &Values, came: Option<&str>) -> Option<String> {
        match id.filter(|id| self.texts.contains_key(*id)) {
            // What came is the English sentence already.
            Some(id) if self.id != "en" => Some(self.say(id, values)),
            _ => came.map(str::to_owned),
        }
    }

    /// The identifier, `refused.…`, of why something was not done, by its English `words`.
    pub fn refusal(words: &str) -> Option<&'static str> {
        let texts = Self::english().texts().range(REFUSED.to_owned()..);
        let mut refusals = texts.take_while(|(id, _)| id.starts_with(REFUSED));
        refusals.find(|(_, text)| *text == words).map(|(id, _)| id.as_str())
    }

    /// Why something was not done; what this version does not know as it came.
    pub fn refused(&self, words: &str) -> String {
        Self::refusal(words).map_or_else(|| words.to_owned(), |id| self.say(id, &Values::new()))
    }

    /// The text of a label without gaps.
    pub fn label(&self, label: Label) -> &str {
        debug_assert!(label.values().is_empty(), "{label:?} has gaps");
        self.texts.get(&format!("panel.{}", label.id())).map_or(label.id(), String::as_str)
    }

    /// The text of a label with its gaps filled, in any order.
    pub fn fill(&self, label: Label, values: &[(&str, &dyn Display)]) -> String {
        let Some(text) = self.texts.get(&format!("panel.{}", label.id())) else {
            return label.id().to_owned();
        };
        fill(text, |name, said| match values.iter().find(|(known, _)| *known == name) {
            // Writing to a String cannot fail.
            Some((_, value)) => drop(write!(said, "{value}")),
            None => said.push('?'),
        })
    }
}

const PAGE: &str = "page.";
/// What `sonofuse setup` says on a terminal.
pub const TERMINAL: &str = "terminal.";
/// Why something was not done.
const REFUSED: &str = "refused.";

/// Whether a character is Chinese, Japanese or Korean, their punctuation and full-width forms included.
pub fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}')
}

fn fill(mut text: &str, mut value: impl FnMut(&str, &mut String)) -> String {
    let mut said = String::with_capacity(text.len() + 16);
    while let Some((before, name, after)) = gap(text) {
        said.push_str(before);
        value(name, &mut said);
        text = after;
    }
    said.push_str(text);
    said
}

/// The first gap of a text: what stands before, its name, what follows.
fn gap(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn gaps(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (_, name, after) = gap(text)?;
        text = after;
        Some(name)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_all_that_english_says_with_the_same_values() {
        let english = Language::parse("en", FILES[0].1, None).unwrap();
        for (id, text) in &FILES[1..] {
            let language = Language::parse(id, text, Some(&english));
            assert!(language.is_ok(), "{id}: {}", language.unwrap_err());
        }
        assert_eq!(Language::all().len(), FILES.len());
        assert_eq!(Language::named("zh").unwrap().name(), "中文");
        assert!(Language::named("zh").unwrap().is_cjk());
        assert!(["en", "de", "es"].iter().all(|id| !Language::named(id).unwrap().is_cjk()));
    }

    #[test]
    fn a_file_that_is_not_complete_is_refused_by_the_text() {
        let english = Language::english();
        let text = FILES[0].1;
        let without = |start: &str| {
            let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with(start)).collect();
            lines.join("\n")
        };
        let first = |line: &str| format!("{line}\n{text}");
        for (text, names) in [
            (without("no-twin = "), "no-twin"),
            (without("word-stale = "), "panel.word-stale"),
            (without("do-snapshot = "), "page.do-snapshot"),
            (text.replace("{have} of {need}", "{have} of {hvae}"), "too-few-maps"),
            (text.replace("model {name}", "model"), "panel.model"),
            (first("hello = \"world\""), "hello"),
            (format!("{text}\nhello = \"world\"\n"), "refused.hello"),
            (format!("{text}\n[pgae]\nskip = \"x\"\n"), "pgae.skip"),
            (first("number = 3"), "number"),
        ] {
            let error = Language::parse("en", &text, Some(english)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{names}`")), "{error}");
        }
    }

    #[test]
    fn labels_are_filled_by_name() {
        let english = Language::english();
        let count = english.fill(Label::Elastograms, &[("count", &3)]);
        let said = english.fill(Label::EvidenceLong, &[("age", &"2 s"), ("count", &count)]);
        assert_eq!(said, "from 3 elastograms, newest 2 s ago");
        assert_eq!(Language::named("de").unwrap().label(Label::WordStale), "VERALTET");
    }

    #[test]
    fn a_detail_is_said_in_the_language_and_what_is_unknown_as_it_came() {
        let german = Language::named("de").unwrap();
        let values = Values::new();
        let said = german.detail(Some("no-twin"), &values, Some("the colour box has no twin"));
        assert_eq!(said.unwrap(), "zur Farbbox fehlt die gleiche Stelle im B-Bild");
        assert_eq!(german.detail(Some("new"), &values, Some("came")).unwrap(), "came");
        assert_eq!(german.detail(None, &values, None), None);
    }
}
