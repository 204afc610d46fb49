//! Grad-CAM of one map by our own engine, on the thread that calls. Loads the model's file anew: what scores
//! may be a GPU, or be replaced while this is at work.

use std::path::Path;

use sonofuse_core::answer::Form;
use sonofuse_core::explain::{
    Attention, CAVEAT, Explained, HeatPicture, Leaning, Looked, View, half_on, luma,
};
use sonofuse_core::manifest::{Branch, ChannelOrder, InputSize, Manifest, OutputKind};
use sonofuse_core::preprocess::{DualView, FusionInput, Planes, Preprocessor};
use sonofuse_core::reading::ModelInfo;
use sonofuse_cpu::{Activation, ClassMap, Network, Options, TensorView};

use super::Scored;
use crate::scoring::clock::{Clock, MonotonicClock};
use crate::scoring::files::ModelFiles;

/// How much more two engines may differ on a real picture than on the manifest's known inputs, and the least
/// difference that is allowed.
const SLACK: f32 = 4.0;
const LEAST_ALLOWED: f32 = 0.02;
/// Longest side of a picture that is given, pixels.
const MOST_PX: usize = 256;

/// A loaded network with what is needed to explain it.
pub(super) struct Engine {
    manifest: Manifest,
    preprocessor: Preprocessor,
    network: Network,
    /// What each input of the network is.
    views: Vec<View>,
    info: ModelInfo,
    allowed: f32,
}

impl Engine {
    /// Loads the model of a folder.
    ///
    /// # Errors
    /// In words: it is not there, another one, or not of the family that our engine runs.
    pub(super) fn load(folder: &Path, digest: &str) -> Result<Self, String> {
        let files = ModelFiles::read(folder).map_err(|e| e.to_string())?;
        if files.digest != digest {
            let path = files.path.display();
            return Err(format!("{path} is another model by now: restart the service"));
        }
        let manifest = files.manifest;
        let max_side = match manifest.input.size {
            InputSize::Fixed { width_px, height_px } => width_px.max(height_px),
            InputSize::Native { max_side_px, .. } => max_side_px,
        } as usize;
        // One thread: this one, which is nice.
        let options = Options { threads: 1, max_side, ..Options::default() };
        let network = Network::load(&files.bytes, &options)
            .map_err(|e| format!("this network cannot be explained: {e}"))?;
        if network.activation() != Activation::None {
            return Err("this network cannot be explained: it gives no logits".to_owned());
        }
        let view = |name: &str| {
            if name == manifest.input.bmode.name { View::BMode } else { View::Elastogram }
        };
        let views = network.inputs().iter().map(|input| view(&input.name)).collect();
        let allowed = manifest.golden.iter().map(|g| SLACK * g.allowed(true));
        let allowed = allowed.fold(LEAST_ALLOWED, f32::max);
        let info = ModelInfo {
            name: manifest.name.clone(),
            digest: files.digest,
            backend: format!("cpu-{}", network.isa()),
            why: String::new(),
            trained: manifest.trained,
        };
        let preprocessor = Preprocessor::new(manifest.input.clone());
        Ok(Self { manifest, preprocessor, network, views, info, allowed })
    }

    /// Explains a map.
    ///
    /// # Errors
    /// In words: the network does not run, or comes to another logit than the map was scored with.
    pub(super) fn explain(&mut self, scored: &Scored) -> Result<Looked, String> {
        let (frame, layout) = scored.picture().map_err(|e| e.to_string())?;
        let view = DualView::new(&frame, &layout).map_err(|e| e.to_string())?;
        self.preprocessor.run(&view).map_err(|e| e.to_string())?;
        let input = self.preprocessor.input();
        let Manifest { calibration, threshold, .. } = &self.manifest;
        let malignancy = calibration.apply(scored.logit).get();
        let cut = threshold.as_ref().map_or(0.5, |threshold| threshold.malignancy);
        let (leaning, sign) =
            if malignancy >= cut { (Leaning::Malignant, 1.0) } else { (Leaning::Benign, -1.0) };
        let of: &[f32] = match self.manifest.output.kind {
            OutputKind::Logit => &[sign],
            OutputKind::BenignMalignant => &[-sign, sign],
        };
        let inputs: Vec<TensorView<'_>> =
            self.views.iter().map(|view| tensor(planes(input, *view))).collect();
        let run = self.network.explain(&inputs, of).map_err(|e| e.to_string())?;
        let kind = Form::from(&self.manifest).kind;
        let again = kind.log_odds(&run.logits).unwrap_or(f32::NAN);
        let logit = scored.logit.get();
        // Never where it is none.
        let near = (again - logit).abs() <= self.allowed;
        if !near {
            return Err(format!(
                "the processor's engine comes to a logit of {again:.3} for the map that was scored with {logit:.3}: it cannot tell why"
            ));
        }
        let sums: Vec<f32> = run.maps.iter().map(|map| map.values.iter().sum()).collect();
        let all: f32 = sums.iter().sum();
        let views_of = |map: &ClassMap| -> Vec<View> {
            map.sources.iter().filter_map(|source| self.views.get(*source).copied()).collect()
        };
        let attention = run.maps.iter().zip(&sums).map(|(map, sum)| Attention {
            views: views_of(map),
            share: (all > 0.0).then(|| sum / all),
            half_on: half_on(&map.values),
        });
        let most = run.most();
        let pictures = run.maps.iter().flat_map(|map| {
            let of = views_of(map);
            of.into_iter().map(|view| self.picture(view, planes(input, view), map, most))
        });
        let explained = Explained {
            exam: scored.exam,
            place: scored.place,
            map: scored.map,
            age_ms: MonotonicClock.now_ns().saturating_sub(scored.captured_ns) / 1_000_000,
            malignancy,
            logit,
            logit_again: again,
            speaks_for: leaning,
            attention: attention.collect(),
            on_panel: false,
            engine: self.info.backend.clone(),
            model: self.info.clone(),
            caveat: CAVEAT,
        };
        Ok(Looked { explained, pictures: pictures.collect() })
    }

    /// What the network saw of `view`, with the heat of `map` over it.
    fn picture(&self, view: View, planes: &Planes, map: &ClassMap, most: f32) -> HeatPicture {
        let branch = match view {
            View::BMode => &self.manifest.input.bmode,
            View::Elastogram => &self.manifest.input.elastogram,
        };
        let [_, _, height, width] = planes.shape();
        let warm = map.upsample(height, width);
        let step = height.max(width).div_ceil(MOST_PX).max(1);
        let places =
            (0..height).step_by(step).flat_map(|y| (0..width).step_by(step).map(move |x| (y, x)));
        let at: Vec<usize> = places.map(|(y, x)| y * width + x).collect();
        let part = |at: &usize| if most > 0.0 { warm[*at] / most } else { 0.0 };
        HeatPicture {
            view,
            width: width.div_ceil(step),
            height: height.div_ceil(step),
            grey: at.iter().map(|at| luma(pixel(planes, branch, *at))).collect(),
            warm: at.iter().map(|at| (255.0 * part(at)).round() as u8).collect(),
        }
    }
}

fn planes(input: &FusionInput, view: View) -> &Planes {
    match view {
        View::BMode => &input.bmode,
        View::Elastogram => &input.elastogram,
    }
}

fn tensor(planes: &Planes) -> TensorView<'_> {
    let [_, channels, height, width] = planes.shape();
    TensorView { data: planes.data(), channels, height, width }
}

/// A pixel as the screen had it: the manifest's normalisation undone.
fn pixel(planes: &Planes, branch: &Branch, at: usize) -> [u8; 3] {
    let [_, _, height, width] = planes.shape();
    let code = |channel: usize| {
        let x = planes.data().get(channel * width * height + at).copied().unwrap_or(0.0);
        (x * branch.std[channel] + branch.mean[channel]).round().clamp(0.0, 255.0) as u8
    };
    match branch.order {
        ChannelOrder::Rgb => [code(0), code(1), code(2)],
        ChannelOrder::Bgr => [code(2), code(1), code(0)],
    }
}
