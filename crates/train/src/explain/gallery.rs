//! Right and wrong answers side by side, with where they come from: the paper's Fig. 7.

use super::ExplainError;
use super::engine::{Engine, Explained, View, planes};
use super::overlay::{Picture, heat, picture};
use crate::plot::{Anchor, Scene, Shape};
use crate::sample::{Prediction, Sample};

/// Size of a picture, in pixels.
pub(super) const PANEL: [f32; 2] = [190.0, 130.0];
/// Room between pictures.
pub(super) const GAP: f32 = 8.0;
/// Room around everything.
pub(super) const EDGE: f32 = 16.0;
/// Height of the line of words above a picture.
const WORDS: f32 = 22.0;

/// The four kinds of answer, in the paper's order.
const KINDS: [(&str, bool, bool); 4] = [
    ("true positive: malignant, called malignant", true, true),
    ("true negative: benign, called benign", false, false),
    ("false negative: malignant, called benign", true, false),
    ("false positive: benign, called malignant", false, true),
];

/// Draws `examples` answers of each kind: of those of the kind, ordered by probability, evenly spread
/// ones, so that none is picked by hand. The maps show what speaks for the answer that was given; both
/// branches of one answer share one scale.
///
/// # Errors
/// [`ExplainError`] of the runs; [`ExplainError::Nothing`] without samples.
pub fn draw(
    engine: &mut Engine,
    samples: &[Sample],
    predictions: &[Prediction],
    examples: usize,
    title: &str,
) -> Result<Scene, ExplainError> {
    if samples.is_empty() || samples.len() != predictions.len() {
        return Err(ExplainError::Nothing("a gallery needs samples and their predictions".into()));
    }
    let answers: Vec<(f32, bool)> = predictions.iter().map(|p| engine.answer(p.logit)).collect();
    let mut rows: Vec<(&str, Vec<usize>, usize)> = Vec::new();
    for (words, truth, called) in KINDS {
        let mut of: Vec<usize> = (0..samples.len())
            .filter(|i| samples[*i].malignant == truth && answers[*i].1 == called)
            .collect();
        of.sort_by(|a, b| answers[*a].0.total_cmp(&answers[*b].0).then(a.cmp(b)));
        rows.push((words, spread(&of, examples), of.len()));
    }
    let columns = 2 + 2 * usize::from(engine.views().contains(&View::Elastogram));
    let shown: usize = rows.iter().map(|(_, of, _)| of.len().max(1)).sum();
    let width = 2.0 * EDGE + columns as f32 * (PANEL[0] + GAP);
    let high = shown as f32 * (PANEL[1] + WORDS + GAP) + KINDS.len() as f32 * 30.0;
    let mut scene = Scene::new(width, 62.0 + high + 26.0);
    scene.heading([EDGE, 28.0], 17.0, title);
    let note = "each pair: what the network saw, and what in it speaks for the answer (Grad-CAM)";
    scene.text([EDGE, 48.0], Anchor::Start, 13.0, note);
    let mut y = 62.0;
    for (words, of, all) in &rows {
        y += 24.0;
        scene.heading([EDGE, y], 14.0, format!("{words} ({all} of {})", samples.len()));
        y += 6.0;
        if of.is_empty() {
            scene.text([EDGE, y + 20.0], Anchor::Start, 13.0, "none");
            y += PANEL[1] + WORDS + GAP;
        }
        for i in of {
            let (sample, (p, called)) = (&samples[*i], answers[*i]);
            let explained = engine.explain(sample, called)?;
            let caption = format!(
                "{}, {} ({}): malignancy {p:.3}",
                sample.patient, sample.image, sample.scanner
            );
            scene.text([EDGE, y + 15.0], Anchor::Start, 12.0, caption);
            let mut x = EDGE;
            for panel in panels(engine, sample, &explained)? {
                place(&mut scene, &panel, [x, y + WORDS]);
                x += PANEL[0] + GAP;
            }
            y += PANEL[1] + WORDS + GAP;
        }
    }
    scene.notice();
    Ok(scene)
}

/// Crop and map of each picture that the network takes.
fn panels(
    engine: &Engine,
    sample: &Sample,
    explained: &Explained,
) -> Result<Vec<Picture>, ExplainError> {
    let input = &engine.manifest().input;
    let mut panels = Vec::new();
    for (view, branch) in [(View::Bmode, &input.bmode), (View::Elastogram, &input.elastogram)] {
        if !engine.views().contains(&view) {
            continue;
        }
        let crop = picture(planes(sample, view)?, branch);
        let map = explained.heat.iter().find(|h| h.views.contains(&view));
        let over = map.map_or(crop.clone(), |h| heat(&crop, &h.values, explained.most));
        panels.extend([crop, over]);
    }
    Ok(panels)
}

/// Puts a picture into a panel.
pub(super) fn place(scene: &mut Scene, picture: &Picture, [x, y]: [f32; 2]) {
    // Twice the pixels: figures are written at two pixels a pixel.
    let (fitted, [right, down]) = picture.fit(2 * PANEL[0] as usize, 2 * PANEL[1] as usize);
    scene.add(Shape::Picture {
        at: [x + right as f32 / 2.0, y + down as f32 / 2.0],
        width: fitted.width as u32,
        height: fitted.height as u32,
        scale: 0.5,
        rgb: fitted.rgb,
    });
}

/// Evenly spread ones of a list.
fn spread(of: &[usize], count: usize) -> Vec<usize> {
    let count = count.min(of.len());
    (0..count).map(|i| of[(2 * i + 1) * of.len() / (2 * count)]).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::explain::engine::tests::{folder, sample};

    #[test]
    fn examples_are_spread_evenly() {
        let all: Vec<usize> = (0..10).collect();
        assert_eq!(spread(&all, 2), [2, 7]);
        assert_eq!(spread(&all, 20), all);
        assert!(spread(&[], 3).is_empty());
    }

    #[test]
    fn a_gallery_names_every_kind_and_shows_both_pictures_of_each() {
        let folder = folder();
        let mut engine = Engine::open(folder.path(), 1).unwrap();
        let samples: Vec<Sample> = (0..6).map(|i| sample(i, i % 2 == 0)).collect();
        let predictions: Vec<Prediction> =
            samples.iter().map(|s| engine.predict(s).unwrap()).collect();
        let scene = draw(&mut engine, &samples, &predictions, 2, "Test").unwrap();
        let svg = scene.to_svg();
        for (words, _, _) in KINDS {
            assert!(svg.contains(words));
        }
        let pictures = scene.shapes.iter().filter(|s| matches!(s, Shape::Picture { .. })).count();
        assert!(pictures >= 8 && pictures % 4 == 0, "{pictures}");
        assert!(svg.contains(sonofuse_core::NOTICE));
        assert!(scene.to_png(1.0).unwrap().starts_with(b"\x89PNG"));
        assert!(draw(&mut engine, &[], &[], 2, "Test").is_err());
    }
}
