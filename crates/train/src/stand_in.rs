//! The untrained stand-in: the product's architecture at one eighth of its width, seeded random
//! weights, and a last layer scaled so that scores spread instead of saturating.
//!
//! It exists so that everything around the network can be built, run and measured honestly; every
//! output says that it is untrained.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sha2::{Digest, Sha256};
use sonofuse_core::calibrate::Calibration;
use sonofuse_core::manifest::{
    Aggregation, Branch, ChannelOrder, Golden, Input, InputSize, Manifest, Output, OutputKind,
    Provenance, SCHEMA,
};
use sonofuse_core::preprocess::{FusionInput, Planes};
use thiserror::Error;

use crate::export;
use crate::network::{Linear, Pooling, ReFusion, forward, vgg16};

/// Every width of VGG16 is divided by this, which keeps the file under 2 MB.
const DIVISOR: usize = 8;
/// Width of the two hidden fully connected layers: what the file's size leaves.
const HIDDEN: usize = 12;
/// Spread of the stand-in's logits over its test pictures.
const LOGIT_SD: f32 = 1.2;

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A file or folder.
    #[error("cannot write {path}: {source}")]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The manifest would not be readable.
    #[error("the manifest cannot be written: {0}")]
    Manifest(String),
}

/// The three files of a model's folder.
#[derive(Debug, PartialEq)]
pub struct Files {
    /// `model.onnx`.
    pub model: Vec<u8>,
    /// `model.toml`.
    pub manifest: String,
    /// `MODEL_CARD.md`.
    pub card: String,
}

/// Builds the network of a seed.
pub fn network(seed: u64) -> ReFusion {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let bmode = vgg16(&mut rng, DIVISOR);
    let elastogram = vgg16(&mut rng, DIVISOR);
    let pooling = Pooling::paper();
    let features = (bmode.channels() + elastogram.channels()) * pooling.bins();
    let layers = vec![
        Linear::random(&mut rng, features, HIDDEN),
        Linear::random(&mut rng, HIDDEN, HIDDEN),
        Linear::random(&mut rng, HIDDEN, 2),
    ];
    let mut network = ReFusion { bmode, elastogram, pooling, layers };
    spread(&mut network, &mut rng);
    network
}

/// Scales and shifts the last layer so that the log-odds over simulated test pictures have mean 0 and
/// a spread of [`LOGIT_SD`]: random weights else give the same saturated score for everything.
fn spread(network: &mut ReFusion, rng: &mut Pcg64Mcg) {
    let outputs: Vec<Vec<f32>> =
        (0..24).map(|_| forward(network, &test_picture(rng, 96, 64))).collect();
    let n = outputs.len() as f32;
    let odds = || outputs.iter().map(|o| o[1] - o[0]);
    let mean = odds().sum::<f32>() / n;
    let sd = (odds().map(|z| (z - mean).powi(2)).sum::<f32>() / n).sqrt();
    let gain = LOGIT_SD / sd.max(1e-6);
    let Some(last) = network.layers.last_mut() else { return };
    last.weight.iter_mut().for_each(|w| *w *= gain);
    last.bias = vec![0.5 * mean * gain, -0.5 * mean * gain];
}

/// A rough simulated dual view: blurred speckle with a darker spot, and a jet map with a hard spot.
fn test_picture(rng: &mut Pcg64Mcg, width: usize, height: usize) -> FusionInput {
    let cx = rng.random_range(0.2..0.8) * width as f32;
    let cy = rng.random_range(0.2..0.8) * height as f32;
    let radius = rng.random_range(0.1..0.4) * height as f32;
    let (soft, hard) = (rng.random_range(0.05f32..0.4), rng.random_range(0.2f32..0.95));
    let (bright, dark) = (rng.random_range(70.0f32..150.0), rng.random_range(20.0f32..110.0));
    let mut bmode = vec![0.0; 3 * width * height];
    let mut map = bmode.clone();
    let plane = width * height;
    for i in 0..plane {
        let (x, y) = ((i % width) as f32 - cx, (i / width) as f32 - cy);
        let inside = 1.0 / (1.0 + (x * x + y * y) / (radius * radius));
        let grey = bright + (dark - bright) * inside + rng.random_range(-30.0f32..30.0);
        let v = (soft + (hard - soft) * inside + rng.random_range(-0.05f32..0.05)).clamp(0.0, 1.0);
        for c in 0..3 {
            let jet = (1.5 - (4.0 * v - (3 - c) as f32).abs()).clamp(0.0, 1.0) * 255.0;
            bmode[c * plane + i] = (grey / 255.0 - 0.5) * 2.0;
            map[c * plane + i] = ((0.5 * grey + 0.5 * jet) / 255.0 - 0.5) * 2.0;
        }
    }
    let planes = |data| Planes::new(width, height, data).unwrap_or_default();
    FusionInput { bmode: planes(bmode), elastogram: planes(map) }
}

/// Makes the files of a seed; the same seed gives the same bytes.
///
/// # Errors
/// [`WriteError::Manifest`].
pub fn files(seed: u64) -> Result<Files, WriteError> {
    let network = network(seed);
    let model = export::re_fusion(
        &network,
        "Untrained stand-in of sonofuse: random weights, its scores mean nothing. \
         Research use only, not a medical device.",
    );
    let digest = format!("{:x}", Sha256::digest(&model));
    let golden = [(64, 64), (97, 71), (232, 85)].map(|(w, h)| {
        let z = forward(&network, &FusionInput::golden(w, h));
        Golden { width_px: w as u32, height_px: h as u32, logit: z[1] - z[0], tolerance: 2e-3 }
    });
    let branch = |name: &str| Branch {
        name: name.into(),
        order: ChannelOrder::Rgb,
        mean: [127.5; 3],
        std: [127.5; 3],
    };
    let manifest = Manifest {
        schema: SCHEMA,
        name: "demo-stand-in".into(),
        summary: "UNTRAINED stand-in: two VGG16 stacks at 1/8 width, re-fusion with SPP, random \
                  weights; its scores mean nothing"
            .into(),
        trained: false,
        file: "model.onnx".into(),
        sha256: digest,
        input: Input {
            size: InputSize::Native {
                min_side_px: 64,
                max_side_px: 448,
                multiple_px: 1,
                view_width_px: None,
            },
            bmode: branch(export::BMODE),
            elastogram: branch(export::ELASTOGRAM),
        },
        output: Output { name: export::LOGITS.into(), kind: OutputKind::BenignMalignant },
        calibration: Calibration::default(),
        threshold: None,
        out_of_distribution: None,
        aggregation: Aggregation::default(),
        provenance: Provenance {
            writer: concat!("sonofuse-train ", env!("CARGO_PKG_VERSION")).into(),
            data: "none: random weights, scaled on simulated pictures".into(),
            seed: Some(seed),
            commit: None,
            card: Some("MODEL_CARD.md".into()),
        },
        golden: golden.to_vec(),
    };
    manifest.check().map_err(|e| WriteError::Manifest(e.to_string()))?;
    let body = toml::to_string(&manifest).map_err(|e| WriteError::Manifest(e.to_string()))?;
    let text = format!(
        "# UNTRAINED stand-in, scaled on simulated pictures: scores mean nothing. Research use only, \
         not a medical device.\n# Written by `sonofuse-train stand-in --seed {seed}`; the keys are in \
         docs/reference/model-manifest.md.\n{body}"
    );
    Ok(Files { card: card(seed, model.len()), model, manifest: text })
}

fn card(seed: u64, bytes: usize) -> String {
    format!(
        "**UNTRAINED stand-in, on simulated pictures only: its scores mean nothing.** Research use \
only, not a medical device.\n\n\
# demo-stand-in\n\n\
- **What**: the product's architecture, \"feature extraction followed by re-fusion\" with spatial \
pyramid pooling (Qin et al.), at 1/{DIVISOR} of VGG16's width: two convolution stacks of 13 layers \
with their own weights, 4×4 + 2×2 + 1×1 bins over both, fully connected layers {HIDDEN}, {HIDDEN}, 2. \
{bytes} bytes, fp32, height and width free.\n\
- **Weights**: random (He, uniform), seed {seed}. The last layer is scaled so that the log-odds of 24 \
rough simulated pictures have mean 0 and standard deviation {LOGIT_SD}: the scores move, and mean \
nothing.\n\
- **For**: building, testing and measuring everything around a network. Never for a patient, nor to \
judge the method.\n\
- **Data**: none.\n\
- **Written by** `cargo run -p sonofuse-train -- stand-in --seed {seed} --out engines/demo`; a test \
compares these files with what that writes.\n\
- **Licence**: MIT OR Apache-2.0, as the project.\n"
    )
}

/// Writes the files of a seed to a folder; returns the model's digest.
///
/// # Errors
/// [`WriteError`] with the path.
pub fn write(seed: u64, out: &Path) -> Result<String, WriteError> {
    let files = files(seed)?;
    let io = |path: &Path, r: io::Result<()>| {
        r.map_err(|source| WriteError::Io { path: path.to_owned(), source })
    };
    io(out, fs::create_dir_all(out))?;
    let contents: [(&str, &[u8]); 3] = [
        ("model.onnx", &files.model),
        ("model.toml", files.manifest.as_bytes()),
        ("MODEL_CARD.md", files.card.as_bytes()),
    ];
    for (name, bytes) in contents {
        let path = out.join(name);
        io(&path, fs::write(&path, bytes))?;
    }
    Ok(format!("{:x}", Sha256::digest(&files.model)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Renew with `cargo run -p sonofuse-train -- stand-in --seed 1 --out engines/demo`.
    #[test]
    fn the_committed_stand_in_is_what_its_seed_writes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines/demo");
        let files = files(1).unwrap();
        assert!(files.model == fs::read(folder.join("model.onnx")).unwrap(), "model.onnx is stale");
        assert_eq!(files.manifest, fs::read_to_string(folder.join("model.toml")).unwrap());
        assert_eq!(files.card, fs::read_to_string(folder.join("MODEL_CARD.md")).unwrap());
        assert!(files.model.len() <= 2_000_000, "{} bytes", files.model.len());
        assert!(files.card.lines().next().unwrap().contains("UNTRAINED"));
        assert!(files.card.lines().next().unwrap().contains("simulated"));
    }

    #[test]
    fn the_logits_spread_and_do_not_saturate() {
        let network = network(5);
        let mut rng = Pcg64Mcg::seed_from_u64(99);
        let odds: Vec<f32> = (0..12)
            .map(|_| {
                let z = forward(&network, &test_picture(&mut rng, 80, 64));
                z[1] - z[0]
            })
            .collect();
        assert!(odds.iter().all(|z| z.abs() < 12.0), "{odds:?}");
        let spread = odds.iter().fold(f32::MIN, |a, b| a.max(*b))
            - odds.iter().fold(f32::MAX, |a, b| a.min(*b));
        assert!(spread > 0.3, "{odds:?}");
    }

    #[test]
    fn the_written_folder_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let digest = write(3, &folder.path().join("new")).unwrap();
        let text = fs::read_to_string(folder.path().join("new/model.toml")).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.sha256, digest);
        assert!(!manifest.trained);
    }
}
