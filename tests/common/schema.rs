//! Holds lines of JSON against the committed schemas: what is printed is what is promised, and nothing
//! is printed that the schema does not name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

/// A line's schema by a key that only this kind of line has.
const KINDS: &[(&str, &str)] = &[
    ("outcome", "reading"),
    ("hello", "hello"),
    ("lost", "lost"),
    ("limit", "refusal"),
    ("summary", "exam-summary"),
    ("id", "control-answer"),
    ("confidence", "locate"),
    ("verdict", "check"),
    ("live_path_can_run", "doctor"),
    ("healthy", "health"),
    ("witnessed", "audit-verify"),
    ("cpu_ms_per_frame", "bench"),
    ("ratio_to_rten", "bench-network"),
    ("plays", "bench-live"),
    ("exam_number", "evidence-exam"),
    ("kept", "evidence"),
    ("listed", "evidence-list"),
];

/// The kind of `line`; `None` for lines that have no schema.
pub(crate) fn kind(line: &Value) -> Option<&'static str> {
    // `lost` alone: figures of other commands have a key of that name too.
    let alone = |key: &str| key != "lost" || line.as_object().is_some_and(|l| l.len() == 1);
    let found = KINDS.iter().find(|(key, _)| line.get(key).is_some() && alone(key));
    found.map(|(_, name)| *name)
}

/// Fails when `line` is not as its schema says; lines that have no schema pass.
pub(crate) fn check(line: &Value) {
    static SCHEMAS: OnceLock<BTreeMap<&str, Validator>> = OnceLock::new();
    let Some(name) = kind(line) else { return };
    let schemas = SCHEMAS.get_or_init(|| KINDS.iter().map(|(_, n)| (*n, strict(n))).collect());
    let wrong: Vec<String> =
        schemas[name].iter_errors(line).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{line}\nis no {name}:\n{}", wrong.join("\n"));
}

/// The committed schema, with keys that it does not name forbidden: a reader must take new keys, but
/// the program must not print what its schema does not say.
fn strict(name: &str) -> Validator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/schema");
    let path = folder.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(close);
            if map.contains_key("properties") {
                map.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
