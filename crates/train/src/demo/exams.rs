//! Whole exams of simulated patients, scored as they are drawn: by the exported file, on the daemon's own
//! engine. What is kept of an exam is what was said of each elastogram, a line of JSON, so that a run that
//! was killed goes on behind the last whole block of lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sonofuse_core::aggregate::{Summary, Window};
use sonofuse_core::answer::{Answer, Form};
use sonofuse_core::calibrate::Logit;
use sonofuse_core::manifest::{Input, OutputKind};
use sonofuse_core::preprocess::Planes;
use sonofuse_cpu::{Network, Options, TensorView};
use sonofuse_sim::Skin;

use super::run::DemoError;
use crate::data::cut::Cutter;
use crate::data::simulated::Cohort;
use crate::sample::Sample;

/// Exams that are kept together.
const BLOCK: usize = 100;

/// What was said of one exam, elastogram by elastogram, in the order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exam {
    /// The seed: the patient.
    pub seed: u64,
    /// The scanner, as samples name it.
    pub scanner: String,
    /// The truth.
    pub malignant: bool,
    /// Logit and the heads' spread of each elastogram that was scored.
    pub said: Vec<[f32; 2]>,
    /// Pictures that were drawn.
    pub drawn: usize,
    /// Pictures that got no score, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, usize>,
}

impl Exam {
    /// The score of the first `evidence` elastograms, as the daemon sums them up before it widens the
    /// interval, and their mean spread; `None` with fewer.
    pub fn summary(&self, evidence: usize, logit_sd: f32) -> Option<(Summary, f32)> {
        let first = self.said.get(..evidence)?;
        let mut window = Window::new(evidence, u64::MAX, logit_sd);
        for (i, [logit, _]) in first.iter().enumerate() {
            window.push(i as u64, Logit::new(*logit)?);
        }
        let spread = first.iter().map(|[_, spread]| spread).sum::<f32>() / evidence as f32;
        Some((window.summary()?, spread))
    }

    /// The median logit of the first `evidence` elastograms; `None` with fewer.
    pub fn median(&self, evidence: usize) -> Option<f32> {
        self.summary(evidence, 1.0).map(|(summary, _)| summary.median.get())
    }
}

/// A model file on the daemon's own engine, on one thread.
pub(super) struct Scored {
    network: Network,
    form: Form,
    places: [usize; 2],
}

impl Scored {
    /// Loads the bytes of a file that this crate wrote, with `heads` heads.
    ///
    /// # Errors
    /// In words, where the engine does not take it.
    pub(super) fn load(model: &[u8], heads: usize) -> Result<Self, String> {
        let options = Options { threads: 1, ..Options::default() };
        let network = Network::load(model, &options).map_err(|e| e.to_string())?;
        let place = |name: &str| {
            let at = network.outputs().iter().position(|output| output == name);
            at.ok_or_else(|| format!("the exported file lacks the output `{name}`"))
        };
        let places = [place(crate::export::LOGITS)?, place(crate::export::HEADS)?];
        Ok(Self { network, form: Form { kind: OutputKind::BenignMalignant, heads }, places })
    }

    /// Another one on the same weights.
    fn share(&self) -> Result<Self, String> {
        let options = Options { threads: 1, ..Options::default() };
        let network = self.network.share(&options).map_err(|e| e.to_string())?;
        Ok(Self { network, form: self.form, places: self.places })
    }

    /// Scores a sample.
    ///
    /// # Errors
    /// In words, where it has no elastogram or the engine fails.
    pub(super) fn answer(&mut self, sample: &Sample) -> Result<Answer, String> {
        let map = sample.elastogram.as_ref().ok_or("a sample without an elastogram")?;
        let output =
            self.network.run(&[view(&sample.bmode), view(map)]).map_err(|e| e.to_string())?;
        let [logits, heads] = self.places.map(|place| output.of(place));
        Answer::read(self.form, logits, heads).map_err(|problem| format!("{problem:?}"))
    }
}

fn view(planes: &Planes) -> TensorView<'_> {
    let [_, channels, height, width] = planes.shape();
    TensorView { data: planes.data(), channels, height, width }
}

/// What the first line of a file says: which exams, scored by what. Not how many: a longer run goes on
/// behind a shorter one.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    name: String,
    first_seed: u64,
    images: u32,
    first_skins: Vec<Skin>,
    model: String,
}

impl Header {
    fn new(cohort: &Cohort, model: &str) -> Self {
        Self {
            name: cohort.name.clone(),
            first_seed: cohort.first_seed,
            images: cohort.images,
            first_skins: cohort.skins.iter().take(4).copied().collect(),
            model: model.to_owned(),
        }
    }
}

/// Draws and scores a cohort's exams on `threads` threads, or goes on with it in `file`. `digest` names the
/// model.
///
/// # Errors
/// [`DemoError`].
pub(super) fn exams(
    cohort: &Cohort,
    input: &Input,
    model: (&Scored, &str),
    threads: usize,
    file: &Path,
    say: &dyn Fn(&str),
) -> Result<Vec<Exam>, DemoError> {
    let (scored, digest) = model;
    let header = Header::new(cohort, digest);
    let count = cohort.patients as usize;
    let mut done = read(file, &header).unwrap_or_default();
    if done.len() >= count {
        done.truncate(count);
        return Ok(done);
    }
    let fail = |source| DemoError::Write { path: file.to_owned(), source };
    if done.is_empty() {
        let line = serde_json::to_string(&header).map_err(|e| fail(e.into()))?;
        fs::write(file, line + "\n").map_err(fail)?;
    }
    let mut out = fs::OpenOptions::new().append(true).open(file).map_err(fail)?;
    while done.len() < count {
        let range = done.len()..count.min(done.len() + BLOCK);
        let block = block(cohort, input, scored, threads, range)?;
        let mut lines = String::new();
        for exam in &block {
            lines += &serde_json::to_string(exam).map_err(|e| fail(e.into()))?;
            lines.push('\n');
        }
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).map_err(fail)?;
        done.extend(block);
        if done.len().is_multiple_of(10 * BLOCK) || done.len() == count {
            say(&format!("{}: {} of {count} exams", cohort.name, done.len()));
        }
    }
    Ok(done)
}

/// The exams of a file that is of this cohort and model; a torn last line is cut off with its block.
fn read(file: &Path, header: &Header) -> Option<Vec<Exam>> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines();
    let found: Header = serde_json::from_str(lines.next()?).ok()?;
    if found != *header {
        return None;
    }
    let exams: Vec<Exam> = lines.map_while(|line| serde_json::from_str(line).ok()).collect();
    let whole = exams.len() / BLOCK * BLOCK;
    let kept: usize = text.lines().take(whole + 1).map(|line| line.len() + 1).sum();
    fs::OpenOptions::new().write(true).open(file).ok()?.set_len(kept as u64).ok()?;
    Some(exams.into_iter().take(whole).collect())
}

fn block(
    cohort: &Cohort,
    input: &Input,
    scored: &Scored,
    threads: usize,
    range: std::ops::Range<usize>,
) -> Result<Vec<Exam>, DemoError> {
    let next = AtomicUsize::new(range.start);
    let made = Mutex::new(Vec::with_capacity(range.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, range.len()) {
            scope.spawn(|| {
                let mut cutter = Cutter::new(input.clone());
                let mut network = scored.share();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= range.end {
                        return;
                    }
                    let exam = network
                        .as_mut()
                        .map_err(|why| DemoError::Exams(why.clone()))
                        .and_then(|network| exam(cohort, i as u32, &mut cutter, network));
                    made.lock().unwrap_or_else(PoisonError::into_inner).push((i, exam));
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_by_key(|(i, _)| *i);
    made.into_iter().map(|(_, exam)| exam).collect()
}

fn exam(
    cohort: &Cohort,
    i: u32,
    cutter: &mut Cutter,
    network: &mut Scored,
) -> Result<Exam, DemoError> {
    let patient = cohort.patient(i, cutter)?;
    let mut said = Vec::with_capacity(patient.samples.len());
    for sample in &patient.samples {
        let answer = network.answer(sample).map_err(DemoError::Exams)?;
        said.push([answer.logit.get(), answer.spread().unwrap_or(0.0)]);
    }
    let reasons = patient.census.reasons;
    let first = patient.samples.first();
    // Without a sample, the refused pictures tell the truth by their class.
    let malignant = first.map_or_else(
        || reasons.values().any(|[_, malignant]| *malignant > 0),
        |sample| sample.malignant,
    );
    Ok(Exam {
        seed: cohort.first_seed + u64::from(i),
        scanner: cohort.scanner(i),
        malignant,
        said,
        drawn: patient.census.drawn,
        refused: reasons.into_iter().map(|(reason, [b, m])| (reason, b + m)).collect(),
    })
}
