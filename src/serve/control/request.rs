//! From a line, or from words on a command line, to a command. Pure.

use serde_json::{Map, Value};
use sonofuse_core::control::{Id, MAX_ID, Refused, RefusedKind, Request, VERBS, Verb};

/// Reads one line.
///
/// # Errors
/// The id, as far as it could be read, and what is wrong.
pub fn parse(line: &[u8]) -> Result<Request, (Option<Id>, Refused)> {
    let malformed = |words: String| Refused::new(RefusedKind::Malformed, words);
    let mut object = match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            let words = r#"a command is a JSON object: {"id":1,"verb":"status"}"#;
            return Err((None, malformed(words.to_owned())));
        }
        Err(error) => return Err((None, malformed(format!("no JSON object: {error}")))),
    };
    let id = match object.remove("id") {
        None | Some(Value::Null) => None,
        Some(id) => match serde_json::from_value(id) {
            Ok(Id::Text(text)) if text.len() > MAX_ID => {
                let words = format!("an id is a number or a text of at most {MAX_ID} bytes");
                return Err((None, malformed(words)));
            }
            Ok(id) => Some(id),
            Err(error) => return Err((None, malformed(error.to_string()))),
        },
    };
    match verb(object) {
        Ok(verb) => Ok(Request { id, verb }),
        Err(refused) => Err((id, refused)),
    }
}

/// Reads the command of an object without its id.
///
/// # Errors
/// What is wrong with the verb or its values.
pub fn verb(object: Map<String, Value>) -> Result<Verb, Refused> {
    let word = match object.get("verb") {
        Some(Value::String(word)) => word.as_str(),
        Some(_) | None => {
            return Err(unknown(r#"no verb: {"id":1,"verb":"status"}"#.to_owned()));
        }
    };
    let Some(&known) = VERBS.iter().find(|verb| **verb == word) else {
        let word: String = word.chars().take(40).collect();
        return Err(unknown(format!("no verb {word:?}: there are {}", VERBS.join(", "))));
    };
    serde_json::from_value(Value::Object(object))
        .map_err(|error| Refused::new(RefusedKind::WrongValue, format!("{known}: {error}")))
}

fn unknown(words: String) -> Refused {
    Refused { verbs: Some(VERBS), ..Refused::new(RefusedKind::UnknownVerb, words) }
}

/// Keys whose values are texts, whatever they look like.
const TEXTS: [&str; 2] = ["label", "name"];

/// Puts a verb and its `KEY=VALUE` words into an object, as they stand on a command line: a value that
/// is a number, a truth value or a list in JSON is one, any other is a text.
///
/// # Errors
/// The word that is not `KEY=VALUE`.
pub fn object<'a>(
    verb: &str,
    pairs: impl IntoIterator<Item = &'a str>,
) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for pair in pairs {
        let Some((key, text)) = pair.split_once('=') else {
            return Err(format!("{pair:?} is no KEY=VALUE"));
        };
        let value = match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_)))
                if !TEXTS.contains(&key) =>
            {
                value
            }
            _ => Value::String(text.to_owned()),
        };
        if key == "verb" || key == "id" || object.insert(key.to_owned(), value).is_some() {
            return Err(format!("{key} is given twice, or is no key"));
        }
    }
    object.insert("verb".to_owned(), verb.into());
    Ok(object)
}

/// Reads a command as it stands behind a key: `mark nodule=same`.
///
/// # Errors
/// What is wrong, in words.
pub fn words(text: &str) -> Result<Verb, String> {
    let mut words = text.split_whitespace();
    let word = words.next().ok_or("it is empty: give a verb")?;
    verb(object(word, words)?).map_err(|refused| refused.words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::exam::{Mark, Which, WhichWord};

    use super::*;

    #[test]
    fn a_line_is_a_command_with_its_id() {
        let request = parse(br#"{"id":"a7","verb":"mark","nodule":"same","label":"12"}"#).unwrap();
        assert_eq!(request.id, Some(Id::Text("a7".into())));
        let Verb::Mark(mark) = request.verb else { panic!("{request:?}") };
        assert_eq!(mark.nodule, Some(Which::Word(WhichWord::Same)));
        assert_eq!(parse(br#"{"verb":"status"}"#).unwrap().id, None);
    }

    #[test]
    fn what_is_wrong_is_said_by_its_kind_and_keeps_the_id() {
        use RefusedKind::{Malformed, UnknownVerb, WrongValue};
        let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
        let long = format!(r#"{{"id":"{}","verb":"status"}}"#, "x".repeat(65));
        for (line, kind, id) in [
            ("\u{0}\u{1}", Malformed, None),
            ("[1]", Malformed, None),
            ("{\"verb\":\"status\"", Malformed, None),
            (&deep, Malformed, None),
            (&long, Malformed, None),
            (r#"{"id":-1,"verb":"status"}"#, Malformed, None),
            (r#"{"id":3}"#, UnknownVerb, Some(3)),
            (r#"{"id":3,"verb":7}"#, UnknownVerb, Some(3)),
            (r#"{"id":3,"verb":"shutdown"}"#, UnknownVerb, Some(3)),
            (r#"{"id":3,"verb":"snapshoot"}"#, UnknownVerb, Some(3)),
            (r#"{"id":3,"verb":"status","now":1}"#, WrongValue, Some(3)),
            (r#"{"id":3,"verb":"mark","label":"<b>"}"#, WrongValue, Some(3)),
            (r#"{"id":3,"verb":"verdict"}"#, WrongValue, Some(3)),
        ] {
            let (read, refused) = parse(line.as_bytes()).unwrap_err();
            assert_eq!((refused.kind, read), (kind, id.map(Id::Number)), "{line}");
            assert_eq!(refused.verbs.is_some(), kind == UnknownVerb, "{line}");
        }
    }

    #[test]
    fn words_are_typed_by_what_they_look_like_but_for_texts() {
        let mark = words("mark nodule=2 label=12 side=left").unwrap();
        let expected = Mark {
            nodule: Some(Which::Number(2)),
            side: Some(sonofuse_core::exam::Side::Left),
            label: Some("12".to_owned().try_into().unwrap()),
            plane: None,
        };
        assert_eq!(mark, Verb::Mark(expected));
        let Verb::Pin(pins) =
            words("pin size=[640,480] bmode-view=[0,0,100,90] elastogram-view=[200,0,300,90]")
                .unwrap()
        else {
            panic!("no pin")
        };
        assert_eq!(pins.regions.unwrap().size, [640, 480]);
        for (wrong, says) in [
            ("", "give a verb"),
            ("shut", "there are status"),
            ("mark nodule", "KEY=VALUE"),
            ("mark side=left side=right", "twice"),
            ("mark verb=status", "no key"),
            ("pause now=true", "unknown field"),
        ] {
            let error = words(wrong).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
