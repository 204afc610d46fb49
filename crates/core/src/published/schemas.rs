//! The JSON Schema of every published line. Only tests are built with this.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::{
    Audited, Bench, Checked, Diagnosis, Health, Hello, Kept, KeptExam, Listed, LiveBench, Located,
    Lost, NetworkBench, Refusal,
};
use crate::control::{Answer, Request};
use crate::exam::Summary;
use crate::reading::Reading;

/// Each line's schema by the name of its file in `docs/reference/schema/`, as it is written: a key
/// that is always there is required, one that may be null says so.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("reading", of::<Reading>()),
        ("hello", of::<Hello>()),
        ("lost", of::<Lost>()),
        ("refusal", of::<Refusal>()),
        ("exam-summary", of::<Summary>()),
        ("control-request", of::<Request>()),
        ("control-answer", of::<Answer>()),
        ("locate", of::<Located<'static>>()),
        ("check", of::<Checked>()),
        ("doctor", of::<Diagnosis<'static>>()),
        ("health", of::<Health>()),
        ("audit-verify", of::<Audited>()),
        ("bench", of::<Bench<'static>>()),
        ("bench-network", of::<NetworkBench<'static>>()),
        ("bench-live", of::<LiveBench<'static>>()),
        ("evidence", of::<Kept<'static>>()),
        ("evidence-exam", of::<KeptExam<'static>>()),
        ("evidence-list", of::<Listed<'static>>()),
    ]
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}
