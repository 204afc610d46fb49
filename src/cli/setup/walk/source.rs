//! The first question: which source, and with which values.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde_json::{Value, json};

use super::super::said::say;
use super::super::text;
use super::{End, Walk};
use crate::cli::ctl::words::clean;
use crate::panel::words::spoken;
use crate::serve::web::Ask;

impl<I: BufRead, O: Write> Walk<'_, I, O> {
    /// The source, with its values: its preset.
    pub(super) fn source(&mut self) -> Result<String, End> {
        self.head(1, "step-source")?;
        loop {
            let look = match self.rig.ask(Ask::Look) {
                Ok(look) => look,
                Err(refused) => {
                    self.not_done(&refused)?;
                    json!({})
                }
            };
            let sources = look["sources"].as_array().cloned().unwrap_or_default();
            let (usable, others): (Vec<_>, Vec<_>) =
                sources.into_iter().partition(|source| source["problem"].is_null());
            for (n, source) in usable.iter().enumerate() {
                self.entry(&format!("{:>3}", n + 1), source)?;
            }
            for source in &others {
                self.entry("  -", source)?;
            }
            let answer = self.ask(&say("which-source", &[]))?;
            if answer.is_empty() {
                return Err(End::Left);
            }
            let chosen = answer.parse::<usize>().ok().and_then(|n| usable.get(n.checked_sub(1)?));
            let Some(source) = chosen else {
                self.line(&say("no-source", &[]))?;
                continue;
            };
            let params = self.values(source)?;
            let preset = text(source, "preset").to_owned();
            match self.rig.ask(Ask::Source { preset: preset.clone(), params }) {
                Ok(_) => return Ok(preset),
                Err(refused) => self.not_done(&refused)?,
            }
        }
    }

    fn entry(&mut self, mark: &str, source: &Value) -> Result<(), End> {
        let (preset, what) = (clean(text(source, "preset")), clean(text(source, "what")));
        self.line(&format!("{mark}  {preset:<14} {what}"))?;
        let sends = source["sends"].as_array().cloned().unwrap_or_default();
        let device = source["device"].as_str().into_iter();
        let lines = device.chain(sends.iter().filter_map(Value::as_str));
        let problem = source["problem"].as_str().map(|problem| spoken().refused(problem));
        for line in lines.chain(problem.as_deref()) {
            self.line(&format!("     {}", clean(line)))?;
        }
        Ok(())
    }

    /// The values of a source that a person may type.
    fn values(&mut self, source: &Value) -> Result<BTreeMap<String, String>, End> {
        let mut given = BTreeMap::new();
        if let Some(device) = source["device"].as_str() {
            given.insert("device".to_owned(), device.to_owned());
        }
        let params = source["params"].as_array().cloned().unwrap_or_default();
        if params.is_empty() {
            return Ok(given);
        }
        self.line(&say("values", &[("name", &text(source, "preset"))]))?;
        for param in &params {
            let value = clean(text(param, "value"));
            let (name, what) = (text(param, "name"), clean(text(param, "what")));
            self.line(&format!("     {name} = {value}   ({what})"))?;
        }
        loop {
            let answer = self.ask(&say("value-which", &[]))?;
            if answer.is_empty() {
                let unset =
                    |p: &&Value| p["needed"] == true && !given.contains_key(text(p, "name"));
                let Some(param) = params.iter().find(unset) else { return Ok(given) };
                let what = clean(text(param, "what"));
                self.line(&say(
                    "value-needed",
                    &[("name", &text(param, "name")), ("what", &what)],
                ))?;
                continue;
            }
            let (name, value) = answer.split_once('=').unwrap_or((&answer, ""));
            let (name, value) = (name.trim(), value.trim());
            if params.iter().any(|param| text(param, "name") == name) && answer.contains('=') {
                given.insert(name.to_owned(), value.to_owned());
            } else {
                self.line(&say("value-unknown", &[("name", &clean(name))]))?;
            }
        }
    }
}
