//! What channels of a layer answer to: the strongest activation over a set, projected to pixels, beside
//! what was there (the paper's Fig. 3).

use sonofuse_cpu::Peak;

use super::ExplainError;
use super::engine::{Engine, View, inputs, planes};
use super::gallery::{EDGE, GAP, PANEL, place};
use super::overlay::{Picture, picture, signed};
use crate::plot::{Anchor, Scene};
use crate::sample::Sample;

/// Height of a layer's heading, in pixels.
const HEAD: f32 = 26.0;

/// Draws, for each of `layers` (counted from 1) of the branch that takes `view`, the `channels`
/// strongest channels: above the part of the picture that the strongest activation of the whole set can
/// have seen, below its projection.
///
/// # Errors
/// [`ExplainError`]; [`ExplainError::Nothing`] where no branch takes the picture.
pub fn draw(
    engine: &Engine,
    samples: &[Sample],
    view: View,
    layers: &[usize],
    channels: usize,
    title: &str,
) -> Result<Scene, ExplainError> {
    let projector = engine.projector()?;
    let nothing = |words: &str| ExplainError::Nothing(words.to_owned());
    let source = engine.views().iter().position(|v| *v == view);
    let source = source.ok_or_else(|| nothing("the network does not take this picture"))?;
    let branch = (0..projector.layers().len())
        .find(|b| projector.sources(*b).contains(&source))
        .ok_or_else(|| nothing("no branch of the network takes this picture"))?;
    let place_of = projector.sources(branch).iter().position(|s| *s == source).unwrap_or(0);
    let spec = match view {
        View::Bmode => &engine.manifest().input.bmode,
        View::Elastogram => &engine.manifest().input.elastogram,
    };
    let row = 2.0 * (PANEL[1] + GAP) + HEAD;
    let width = 2.0 * EDGE + channels.max(1) as f32 * (PANEL[0] + GAP);
    let mut scene = Scene::new(width, 62.0 + layers.len() as f32 * row + 26.0);
    scene.heading([EDGE, 28.0], 17.0, title);
    let note = "above: what the strongest activation saw; below: its projection (grey is nothing)";
    scene.text([EDGE, 48.0], Anchor::Start, 13.0, note);
    for (index, layer) in layers.iter().enumerate() {
        let y = 62.0 + index as f32 * row;
        scene.heading([EDGE, y + 16.0], 14.0, format!("convolution {layer}"));
        let best = strongest(engine, &projector, samples, branch, *layer)?;
        for (column, (channel, at)) in best.iter().take(channels).enumerate() {
            let sample = &samples[*at];
            let views = inputs(engine.views(), sample)?;
            let fail = |e: sonofuse_cpu::RunError| ExplainError::Nothing(e.to_string());
            let seen = projector.run(&views, branch, *layer).map_err(fail)?;
            let Some(projection) = seen.project(*channel) else { continue };
            let crop = picture(planes(sample, view)?, spec);
            let mut answer = signed(&projection.pictures[place_of], crop.width, crop.height);
            if spec.order == sonofuse_core::manifest::ChannelOrder::Bgr {
                answer.rgb.chunks_exact_mut(3).for_each(<[u8]>::reverse);
            }
            let x = EDGE + column as f32 * (PANEL[0] + GAP);
            let patches: [Picture; 2] = [crop, answer].map(|p| p.crop(projection.field));
            for (down, patch) in patches.iter().enumerate() {
                place(&mut scene, patch, [x, y + HEAD + down as f32 * (PANEL[1] + GAP)]);
            }
        }
    }
    scene.notice();
    Ok(scene)
}

/// The channels of a layer by their strongest activation over the set, strongest first, each with the
/// sample that has it; channels that never fire are left out.
fn strongest(
    engine: &Engine,
    projector: &sonofuse_cpu::Projector,
    samples: &[Sample],
    branch: usize,
    layer: usize,
) -> Result<Vec<(usize, usize)>, ExplainError> {
    let mut best: Vec<(f32, usize)> = Vec::new();
    for (at, sample) in samples.iter().enumerate() {
        let views = inputs(engine.views(), sample)?;
        let seen = projector
            .run(&views, branch, layer)
            .map_err(|e| ExplainError::Nothing(e.to_string()))?;
        let peaks = seen.peaks();
        best.resize(peaks.len().max(best.len()), (0.0, 0));
        for (best, Peak { value, .. }) in best.iter_mut().zip(peaks) {
            if value > best.0 {
                *best = (value, at);
            }
        }
    }
    let mut order: Vec<(usize, (f32, usize))> =
        best.into_iter().enumerate().filter(|(_, (value, _))| *value > 0.0).collect();
    order.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    Ok(order.into_iter().map(|(channel, (_, at))| (channel, at)).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::explain::engine::tests::{folder, sample};
    use crate::plot::Shape;

    #[test]
    fn layers_are_shown_with_patch_and_projection() {
        let folder = folder();
        let engine = Engine::open(folder.path(), 1).unwrap();
        let samples: Vec<Sample> = (0..2).map(|i| sample(i, i == 0)).collect();
        for view in [View::Bmode, View::Elastogram] {
            let scene = draw(&engine, &samples, view, &[2, 7], 3, "Test").unwrap();
            let pictures = scene.shapes.iter().filter(|s| matches!(s, Shape::Picture { .. }));
            assert_eq!(pictures.count(), 2 * 2 * 3);
        }
        let told = draw(&engine, &samples, View::Bmode, &[14], 3, "Test").err().unwrap();
        assert!(told.to_string().contains("no convolution 14"), "{told}");
    }
}
