//! The processor's part: both engines give the known answers, and each stage's time.

use sonofuse_core::preprocess::{DualView, Preprocessor};

use super::latency::Times;
use super::report::{Report, Verdict};
use super::view::Scene;
use super::{Configured, Extent};
use crate::scoring::{self, Backend, Hardware, Model, ModelFiles};

const PART: &str = "processor";

/// Checks both engines; gives the one that `auto` takes without a GPU.
pub(super) fn check(
    report: &mut Report,
    configured: &Configured,
    files: &ModelFiles,
    scene: Result<&Scene, &String>,
    extent: Extent,
) -> Option<Model> {
    let Some(folder) = files.path.parent() else {
        report.row(PART, "model", Verdict::Failed, "its folder is unknown");
        return None;
    };
    let threads = configured.loaded.config.scoring.threads;
    let load = |scorer| scoring::load_on(folder, &Hardware { scorer, threads, gpu: None });
    let mut best = None;
    for scorer in [Backend::Auto, Backend::Rten] {
        match load(scorer) {
            Ok(mut model) => {
                let backend = model.info().backend.clone();
                let said = match files.manifest.golden.len() {
                    0 => "runs; the manifest has no known answers".to_owned(),
                    n => format!("{n} of {n} within the manifest's tolerance"),
                };
                report.row(PART, format!("known answers, {backend}"), Verdict::Ok, said);
                if let Ok(scene) = scene {
                    measure(report, &mut model, scene, extent);
                }
                best = best.or(Some(model));
            }
            Err(e) => {
                report.row(
                    PART,
                    format!("known answers, {scorer}"),
                    Verdict::Failed,
                    e.to_string(),
                );
            }
        }
        // The same engine twice says nothing new.
        if best.as_ref().is_some_and(|model| model.info().backend == "rten") {
            break;
        }
    }
    if let Err(why) = scene {
        report.row(PART, "the simulated screen is found", Verdict::Failed, why.clone());
    }
    best
}

fn measure(report: &mut Report, model: &mut Model, scene: &Scene, extent: Extent) {
    let backend = model.info().backend.clone();
    let mut preprocessor = Preprocessor::new(model.manifest().input.clone());
    let (mut preprocess, mut network) = (Times::default(), Times::default());
    // The processor is slow, and no news.
    for _ in 0..extent.frames.clamp(1, 20) {
        let input = DualView::new(&scene.frame, &scene.layout)
            .and_then(|view| preprocess.of(|| preprocessor.run(&view)));
        let scored = input
            .map_err(|e| e.to_string())
            .and_then(|input| network.of(|| model.score(input)).map_err(|e| e.to_string()));
        if let Err(why) = scored {
            report.row(PART, format!("latency, {backend}"), Verdict::Failed, why);
            return;
        }
    }
    let said = format!("preprocess {}; network {}", preprocess.text(), network.text());
    report.row(PART, format!("latency, {backend}"), Verdict::Measured, said);
}
