//! A model folder run by the CPU engine: logits, maps and projections of samples.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use sonofuse_core::calibrate::Logit;
use sonofuse_core::manifest::{Manifest, OutputKind};
use sonofuse_core::preprocess::Planes;
use sonofuse_cpu::{Activation, Network, Options, Projector, RunError, TensorView};

use super::ExplainError;
use crate::sample::{Prediction, Sample};

/// Which picture of a sample an input of the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The B-mode crop.
    Bmode,
    /// The elastogram's crop.
    Elastogram,
}

/// A model that is ready to run.
pub struct Engine {
    manifest: Manifest,
    network: Network,
    bytes: Vec<u8>,
    /// What each input of the network is.
    views: Vec<View>,
}

/// A branch's map, at the size of the crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// The pictures that the branch takes.
    pub views: Vec<View>,
    /// Row by row, 0 and above.
    pub values: Vec<f32>,
}

/// What a sample's score comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Malignant minus benign output, before calibration.
    pub logit: f32,
    /// A map for each branch, of what speaks for the side that was asked.
    pub heat: Vec<Heat>,
    /// The largest value of all maps.
    pub most: f32,
}

impl Engine {
    /// Loads `model.toml` and its model from a folder.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub fn open(folder: &Path, threads: usize) -> Result<Self, ExplainError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| ExplainError::Io { path: path.to_owned(), source })
        };
        let path = folder.join("model.toml");
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let manifest = Manifest::parse(&text)
            .map_err(|source| ExplainError::Manifest { path: path.clone(), source })?;
        let path = folder.join(&manifest.file);
        let bytes = read(&path)?;
        let found = format!("{:x}", Sha256::digest(&bytes));
        if !found.eq_ignore_ascii_case(&manifest.sha256) {
            let expected = manifest.sha256;
            return Err(ExplainError::Digest { path, found, expected });
        }
        let options = Options { threads, ..Options::default() };
        let network = Network::load(&bytes, &options)
            .map_err(|source| ExplainError::Load { path: path.clone(), source })?;
        let mismatch = |problem: String| ExplainError::Mismatch { path: path.clone(), problem };
        let view = |name: &str| {
            if name == manifest.input.bmode.name {
                Ok(View::Bmode)
            } else if name == manifest.input.elastogram.name {
                Ok(View::Elastogram)
            } else {
                Err(mismatch(format!("its manifest does not name the input `{name}`")))
            }
        };
        let views = network.inputs().iter().map(|i| view(&i.name)).collect::<Result<_, _>>()?;
        if network.activation() != Activation::None {
            return Err(mismatch(
                "it ends in an activation; the manifest calibrates logits".into(),
            ));
        }
        Ok(Self { manifest, network, bytes, views })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What each input of the network is.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// What each logit counts for malignancy.
    fn malignancy(&self) -> &'static [f32] {
        match self.manifest.output.kind {
            OutputKind::Logit => &[1.0],
            OutputKind::BenignMalignant => &[-1.0, 1.0],
        }
    }

    /// Scores a sample.
    ///
    /// # Errors
    /// [`ExplainError::NoElastogram`], [`ExplainError::Run`].
    pub fn predict(&mut self, sample: &Sample) -> Result<Prediction, ExplainError> {
        let inputs = inputs(&self.views, sample)?;
        let of = self.malignancy();
        let fail = failed(sample);
        let logits = self.network.run(&inputs).map_err(&fail)?.logits;
        if logits.len() != of.len() {
            return Err(fail(RunError::Logits { given: of.len(), expected: logits.len() }));
        }
        Ok(prediction(sample, sum(logits, of)))
    }

    /// Scores a sample and says what speaks for malignancy, or against it.
    ///
    /// # Errors
    /// As [`Engine::predict`].
    pub fn explain(&mut self, sample: &Sample, malignant: bool) -> Result<Explained, ExplainError> {
        let inputs = inputs(&self.views, sample)?;
        let of = self.malignancy();
        let side: Vec<f32> = of.iter().map(|w| if malignant { *w } else { -w }).collect();
        let explanation = self.network.explain(&inputs, &side).map_err(failed(sample))?;
        let [_, _, height, width] = sample.bmode.shape();
        let heat = explanation.maps.iter().map(|map| Heat {
            views: map.sources.iter().filter_map(|s| self.views.get(*s).copied()).collect(),
            values: map.upsample(height, width),
        });
        Ok(Explained {
            logit: sum(&explanation.logits, of),
            most: explanation.most(),
            heat: heat.collect(),
        })
    }

    /// The calibrated probability of a logit, and whether it is called malignant.
    pub fn answer(&self, logit: f32) -> (f32, bool) {
        let cut = self.manifest.threshold.map_or(0.5, |t| t.malignancy);
        let p = Logit::new(logit).map_or(f32::NAN, |z| self.manifest.calibration.apply(z).get());
        (p, p >= cut)
    }

    /// The network's stacks, for projections.
    ///
    /// # Errors
    /// [`ExplainError::Nothing`], which cannot be after [`Engine::open`].
    pub fn projector(&self) -> Result<Projector, ExplainError> {
        Projector::load(&self.bytes).map_err(|e| ExplainError::Nothing(e.to_string()))
    }
}

fn failed(sample: &Sample) -> impl Fn(RunError) -> ExplainError {
    let (patient, image) = (sample.patient.clone(), sample.image.clone());
    move |source| ExplainError::Run { patient: patient.clone(), image: image.clone(), source }
}

fn sum(logits: &[f32], of: &[f32]) -> f32 {
    logits.iter().zip(of).map(|(z, w)| z * w).sum()
}

fn prediction(sample: &Sample, logit: f32) -> Prediction {
    Prediction {
        patient: sample.patient.clone(),
        image: sample.image.clone(),
        scanner: sample.scanner.clone(),
        malignant: sample.malignant,
        logit,
    }
}

/// The picture of a sample that an input is.
pub(super) fn planes(sample: &Sample, view: View) -> Result<&Planes, ExplainError> {
    match view {
        View::Bmode => Ok(&sample.bmode),
        View::Elastogram => sample.elastogram.as_ref().ok_or_else(|| ExplainError::NoElastogram {
            patient: sample.patient.clone(),
            image: sample.image.clone(),
        }),
    }
}

/// A sample as the network's inputs.
pub(super) fn inputs<'s>(
    views: &[View],
    sample: &'s Sample,
) -> Result<Vec<TensorView<'s>>, ExplainError> {
    let input = |view: &View| {
        let planes = planes(sample, *view)?;
        let [_, channels, height, width] = planes.shape();
        Ok(TensorView { data: planes.data(), channels, height, width })
    };
    views.iter().map(input).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use sonofuse_core::preprocess::FusionInput;

    use super::*;
    use crate::stand_in::{self, Width};

    /// A stand-in's folder.
    pub(in crate::explain) fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        stand_in::write(3, Width::Eighth, folder.path()).unwrap();
        folder
    }

    /// A sample that means nothing.
    pub(in crate::explain) fn sample(i: usize, malignant: bool) -> Sample {
        let FusionInput { bmode, elastogram } = FusionInput::golden(80 + 8 * i, 64 + 4 * i);
        let (patient, image) = (format!("p{i}"), "a".into());
        let elastogram = Some(elastogram);
        Sample { patient, image, scanner: "test".into(), malignant, bmode, elastogram }
    }

    #[test]
    fn an_engine_gives_the_manifests_known_answers() {
        let folder = folder();
        let mut engine = Engine::open(folder.path(), 1).unwrap();
        assert_eq!(engine.views(), [View::Bmode, View::Elastogram]);
        for golden in engine.manifest().golden.clone() {
            let input = FusionInput::golden(golden.width_px as usize, golden.height_px as usize);
            let sample = Sample {
                bmode: input.bmode,
                elastogram: Some(input.elastogram),
                ..sample(0, true)
            };
            let found = engine.predict(&sample).unwrap().logit;
            assert!((found - golden.logit).abs() < golden.tolerance, "{found}, {golden:?}");
            let explained = engine.explain(&sample, true).unwrap();
            assert!((explained.logit - found).abs() < 1e-6);
            assert_eq!(explained.heat.len(), 2);
            let pixels = (golden.width_px * golden.height_px) as usize;
            assert!(explained.heat.iter().all(|h| h.values.len() == pixels));
        }
    }

    #[test]
    fn another_model_file_is_refused() {
        let folder = folder();
        let path = folder.path().join("model.onnx");
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(0);
        fs::write(&path, bytes).unwrap();
        let told = Engine::open(folder.path(), 1).err().unwrap().to_string();
        assert!(told.contains("digest"), "{told}");
        let told = Engine::open(&folder.path().join("none"), 1).err().unwrap().to_string();
        assert!(told.contains("cannot read") && told.contains("model.toml"), "{told}");
    }

    #[test]
    fn a_sample_without_elastogram_is_told() {
        let folder = folder();
        let mut engine = Engine::open(folder.path(), 1).unwrap();
        let sample = Sample { elastogram: None, ..sample(1, true) };
        assert!(engine.predict(&sample).unwrap_err().to_string().contains("no elastogram"));
    }
}
