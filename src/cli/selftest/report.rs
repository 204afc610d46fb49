//! The report: a line on standard output as soon as a check is done, a Markdown file for people and a
//! JSON file for programs at the end.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sonofuse_gpu::probe;

use super::Configured;
use crate::cli::doctor::Machine;
use crate::cli::engine::utc;
use crate::cli::error::{CliError, Exit};
use crate::scoring::ModelFiles;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it must be.
    Ok,
    /// Not as it must be.
    Failed,
    /// Could not be tried: something is not there.
    Missing,
    /// Was left out.
    Skipped,
    /// A figure, without a demand.
    Measured,
}

impl Verdict {
    const fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Missing => "missing",
            Self::Skipped => "skipped",
            Self::Measured => "-",
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    part: &'static str,
    check: String,
    verdict: Verdict,
    said: String,
}

/// Facts and checks so far.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    sonofuse: &'static str,
    notice: &'static str,
    date: String,
    facts: Vec<[String; 2]>,
    rows: Vec<Row>,
    #[serde(skip)]
    place: PathBuf,
}

impl Report {
    /// Begins a report, whose files are made at once.
    pub(super) fn start(place: &Path) -> Result<Self, CliError> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let report = Self {
            sonofuse: env!("CARGO_PKG_VERSION"),
            notice: sonofuse_core::NOTICE,
            date: utc(now.map_or(0, |d| d.as_secs())),
            facts: Vec::new(),
            rows: Vec::new(),
            place: place.to_owned(),
        };
        report.write()?;
        Ok(report)
    }

    /// Machine, libraries, configuration, model.
    pub(super) fn machine(&mut self, configured: &Configured, files: &ModelFiles) {
        for finding in Machine::this().findings() {
            self.fact(&finding.name, &finding.found);
        }
        for line in probe().to_string().lines() {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            self.fact(name, value);
        }
        let (config, gpu) = (&configured.loaded.config, &configured.settings);
        self.fact(
            "configured",
            &format!(
                "scorer {}, {} threads, GPU {}, {}, on fault {:?}",
                config.model.scorer,
                config.scoring.threads,
                gpu.device,
                gpu.precision,
                gpu.on_fault
            ),
        );
        let trained =
            if files.manifest.trained { "" } else { ", UNTRAINED: its scores mean nothing" };
        let digest = files.digest.get(..12).unwrap_or_default();
        self.fact("model", &format!("{} ({digest}…){trained}", files.manifest.name));
    }

    fn fact(&mut self, name: &str, value: &str) {
        tell(&format!("{name}: {value}"));
        self.facts.push([name.to_owned(), value.to_owned()]);
    }

    /// Adds a check.
    pub(super) fn row(
        &mut self,
        part: &'static str,
        check: impl Into<String>,
        verdict: Verdict,
        said: impl Into<String>,
    ) {
        let row = Row { part, check: check.into(), verdict, said: said.into() };
        tell(&format!("{:<8}{:<10}{}: {}", verdict.mark(), part, row.check, row.said));
        self.rows.push(row);
    }

    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Writes both files and gives their paths.
    pub(super) fn write(&self) -> Result<[PathBuf; 2], CliError> {
        let with = |ending: &str| {
            let mut path = self.place.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        let paths = [with(".md"), with(".json")];
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| CliError::caused(Exit::Software, "cannot write the report as JSON", &e))?;
        for (path, text) in paths.iter().zip([self.markdown(), json + "\n"]) {
            fs::write(path, text).map_err(|e| {
                let words = format!(
                    "{}: the report cannot be written: give a path with --report",
                    path.display()
                );
                CliError::caused(Exit::CantCreate, words, &e)
            })?;
        }
        Ok(paths)
    }

    fn markdown(&self) -> String {
        // A bar would end the cell.
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let mut text = format!(
            "# sonofuse {} selftest, {}\n\n{}. Pictures are simulated.\n\n| | |\n|---|---|\n",
            self.sonofuse, self.date, self.notice
        );
        for [name, value] in &self.facts {
            let _ = writeln!(text, "| {} | {} |", cell(name), cell(value));
        }
        text += "\n| part | check | result | figures |\n|---|---|---|---|\n";
        for Row { part, check, verdict, said } in &self.rows {
            let mark = verdict.mark();
            let _ = writeln!(text, "| {part} | {} | {mark} | {} |", cell(check), cell(said));
        }
        let _ = writeln!(
            text,
            "\n{} ok, {} failed, {} missing, {} skipped",
            self.count(Verdict::Ok),
            self.count(Verdict::Failed),
            self.count(Verdict::Missing),
            self.count(Verdict::Skipped)
        );
        text
    }
}

/// A line on standard output; a closed pipe does not end the test, whose result is the report.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
