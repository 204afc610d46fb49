//! The untrained stand-in: the product's architecture at one eighth of its width (others for
//! measurements), seeded random weights, and a last layer scaled so that scores spread instead of
//! saturating.
//!
//! It exists so that everything around the network can be built, run and measured honestly; every
//! output says that it is untrained.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sha2::{Digest, Sha256};
use sonofuse_core::calibrate::Calibration;
use sonofuse_core::manifest::{
    Aggregation, Branch, ChannelOrder, Input, InputSize, Manifest, Output, OutputKind, Outputs,
    Provenance, SCHEMA,
};
use sonofuse_core::preprocess::{FusionInput, Planes};
use thiserror::Error;

use crate::export;
use crate::network::{Linear, Network, Pooling, Sources, forward, vgg16};

/// Spread of the stand-in's logits over its test pictures.
const LOGIT_SD: f32 = 1.2;

/// How wide a stand-in is, of VGG16's width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// 64 to 512 channels and fully connected layers of 4096, as the product: over 500 MB, for
    /// measurements; never committed.
    Full,
    /// A half of it.
    Half,
    /// A quarter of it.
    Quarter,
    /// An eighth of it, under 2 MB: the demo.
    #[default]
    Eighth,
}

impl FromStr for Width {
    type Err = String;

    fn from_str(divisor: &str) -> Result<Self, String> {
        Ok(match divisor {
            "1" => Self::Full,
            "2" => Self::Half,
            "4" => Self::Quarter,
            "8" => Self::Eighth,
            _ => return Err(format!("VGG16's width is divided by 1, 2, 4 or 8, not by {divisor}")),
        })
    }
}

impl Width {
    /// What every width of VGG16 is divided by.
    fn divisor(self) -> usize {
        match self {
            Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }

    /// Width of the two hidden fully connected layers: of the demo, what the file's size leaves.
    fn hidden(self) -> usize {
        if self == Self::Eighth { 12 } else { 4096 / self.divisor() }
    }

    /// The model's name.
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full-stand-in",
            Self::Half => "half-stand-in",
            Self::Quarter => "quarter-stand-in",
            Self::Eighth => "demo-stand-in",
        }
    }

    /// The width in words.
    fn words(self) -> String {
        match self.divisor() {
            1 => "full width".into(),
            divisor => format!("1/{divisor} width"),
        }
    }

    /// How many test pictures the last layer is scaled on, and their width and height. The wider ones
    /// have few and small ones: the reference arithmetic is slow.
    fn pictures(self) -> (usize, usize, usize) {
        if self == Self::Eighth { (24, 96, 64) } else { (8, 48, 32) }
    }

    /// Sizes of the manifest's known inputs.
    fn golden(self) -> &'static [[u32; 2]] {
        if self == Self::Eighth { &[[64, 64], [97, 71], [232, 85]] } else { &[[64, 64]] }
    }

    /// The command that writes it.
    fn command(self, seed: u64) -> String {
        match self {
            Self::Eighth => format!("stand-in --seed {seed}"),
            _ => format!("stand-in --seed {seed} --width {}", self.divisor()),
        }
    }
}

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

/// Builds the network of a seed and a width.
pub fn network(seed: u64, width: Width) -> Network {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let bmode = vgg16(&mut rng, width.divisor());
    let elastogram = vgg16(&mut rng, width.divisor());
    let pooling = Pooling::paper();
    let features = (bmode.channels() + elastogram.channels()) * pooling.bins();
    let hidden = width.hidden();
    let layers = vec![
        Linear::random(&mut rng, features, hidden),
        Linear::random(&mut rng, hidden, hidden),
        Linear::random(&mut rng, hidden, 2),
    ];
    let mut network = Network {
        sources: Sources::Both,
        mix: None,
        stacks: vec![bmode, elastogram],
        pooling,
        layers,
        heads: 0,
    };
    spread(&mut network, &mut rng, width.pictures());
    network
}

/// Scales and shifts the last layer so that the log-odds over simulated test pictures have mean 0 and
/// a spread of [`LOGIT_SD`]: random weights else give the same saturated score for everything.
fn spread(
    network: &mut Network,
    rng: &mut Pcg64Mcg,
    (count, width, height): (usize, usize, usize),
) {
    let outputs: Vec<Vec<f32>> =
        (0..count).map(|_| forward(network, &test_picture(rng, width, height))).collect();
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

/// Makes the files of a seed and a width; the same ones give the same bytes.
///
/// # Errors
/// [`WriteError::Manifest`].
pub fn files(seed: u64, width: Width) -> Result<Files, WriteError> {
    let network = network(seed, width);
    let model = export::onnx(
        &network,
        None,
        "Untrained stand-in of sonofuse: random weights, its scores mean nothing. \
         Research use only, not a medical device.",
    );
    let digest = format!("{:x}", Sha256::digest(&model));
    let golden = export::known_answers(&network, width.golden(), 0.0);
    let branch = |name: &str| Branch {
        name: name.into(),
        order: ChannelOrder::Rgb,
        mean: [127.5; 3],
        std: [127.5; 3],
    };
    let manifest = Manifest {
        schema: SCHEMA,
        name: width.name().into(),
        summary: format!(
            "UNTRAINED stand-in: two VGG16 stacks at {}, re-fusion with SPP, random weights; its \
             scores mean nothing",
            width.words()
        ),
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
        outputs: Outputs::default(),
        calibration: Calibration::default(),
        threshold: None,
        familiarity: None,
        out_of_distribution: None,
        aggregation: Aggregation::default(),
        assessment: None,
        held_out: None,
        provenance: Provenance {
            writer: concat!("sonofuse-train ", env!("CARGO_PKG_VERSION")).into(),
            data: "none: random weights, scaled on simulated pictures".into(),
            seed: Some(seed),
            commit: None,
            card: Some("MODEL_CARD.md".into()),
        },
        golden,
    };
    manifest.check().map_err(|e| WriteError::Manifest(e.to_string()))?;
    let body = toml::to_string(&manifest).map_err(|e| WriteError::Manifest(e.to_string()))?;
    let text = format!(
        "# UNTRAINED stand-in, scaled on simulated pictures: scores mean nothing. Research use only, \
         not a medical device.\n# Written by `sonofuse-train {}`; the keys are in \
         docs/reference/model-manifest.md.\n{body}",
        width.command(seed)
    );
    Ok(Files { card: card(seed, width, model.len()), model, manifest: text })
}

fn card(seed: u64, width: Width, bytes: usize) -> String {
    let (name, hidden, pictures) = (width.name(), width.hidden(), width.pictures().0);
    let at = match width.divisor() {
        1 => "VGG16's full width".to_owned(),
        divisor => format!("1/{divisor} of VGG16's width"),
    };
    let command = width.command(seed);
    let written = match width {
        Width::Eighth => format!(
            "`cargo run -p sonofuse-train -- {command} --out tests/stand-in`; a test compares these \
             files with what that writes"
        ),
        _ => format!("`cargo run --release -p sonofuse-train -- {command} --out FOLDER`"),
    };
    format!(
        "**UNTRAINED stand-in, on simulated pictures only: its scores mean nothing.** Research use \
only, not a medical device.\n\n\
# {name}\n\n\
- **What**: the product's architecture, \"feature extraction followed by re-fusion\" with spatial \
pyramid pooling (Qin et al.), at {at}: two convolution stacks of 13 layers \
with their own weights, 4×4 + 2×2 + 1×1 bins over both, fully connected layers {hidden}, {hidden}, 2. \
{bytes} bytes, fp32, height and width free.\n\
- **Weights**: random (He, uniform), seed {seed}. The last layer is scaled so that the log-odds of {pictures} \
rough simulated pictures have mean 0 and standard deviation {LOGIT_SD}: the scores move, and mean \
nothing.\n\
- **For**: building, testing and measuring everything around a network. Never for a patient, nor to \
judge the method.\n\
- **Data**: none.\n\
- **Written by** {written}.\n\
- **Licence**: MIT OR Apache-2.0, as the project.\n"
    )
}

/// Writes the files of a seed and a width to a folder; returns the model's digest.
///
/// # Errors
/// [`WriteError`] with the path.
pub fn write(seed: u64, width: Width, out: &Path) -> Result<String, WriteError> {
    let files = files(seed, width)?;
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

    /// Renew with `cargo run -p sonofuse-train -- stand-in --seed 1 --out tests/stand-in`.
    #[test]
    fn the_committed_stand_in_is_what_its_seed_writes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stand-in");
        let files = files(1, Width::default()).unwrap();
        assert!(files.model == fs::read(folder.join("model.onnx")).unwrap(), "model.onnx is stale");
        assert_eq!(files.manifest, fs::read_to_string(folder.join("model.toml")).unwrap());
        assert_eq!(files.card, fs::read_to_string(folder.join("MODEL_CARD.md")).unwrap());
        assert!(files.model.len() <= 2_000_000, "{} bytes", files.model.len());
        assert!(files.card.lines().next().unwrap().contains("UNTRAINED"));
        assert!(files.card.lines().next().unwrap().contains("simulated"));
    }

    #[test]
    fn the_logits_spread_and_do_not_saturate() {
        let network = network(5, Width::default());
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
        let digest = write(3, Width::Eighth, &folder.path().join("new")).unwrap();
        let text = fs::read_to_string(folder.path().join("new/model.toml")).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.sha256, digest);
        assert!(!manifest.trained);
        for golden in &manifest.golden {
            // What 16 bits change is far above other orders of summation, and far below a wrong answer.
            let room = golden.allowed(true);
            assert!(golden.tolerance < room && room < 0.2, "{golden:?}");
        }
    }

    #[test]
    fn a_wider_one_is_as_wide_as_it_says() {
        let files = files(1, "4".parse().unwrap()).unwrap();
        let manifest = Manifest::parse(&files.manifest).unwrap();
        assert_eq!(manifest.name, "quarter-stand-in");
        assert!(manifest.summary.contains("1/4 width"), "{}", manifest.summary);
        assert!(files.manifest.contains("--seed 1 --width 4`"), "{}", files.manifest);
        // 13 convolutions twice, and 256 × 21 features to 1024, 1024 and 2.
        let convolutions: usize = [
            (3, 16),
            (16, 16),
            (16, 32),
            (32, 32),
            (32, 64),
            (64, 64),
            (64, 64),
            (64, 128),
            (128, 128),
            (128, 128),
            (128, 128),
            (128, 128),
            (128, 128),
        ]
        .iter()
        .map(|(inputs, outputs)| outputs * (inputs * 9 + 1))
        .sum();
        let dense = 1024 * (256 * 21 + 1) + 1024 * 1025 + 2 * 1025;
        let bytes = 4 * (2 * convolutions + dense);
        assert!((bytes..bytes + 40_000).contains(&files.model.len()), "{}", files.model.len());
        assert!(files.card.contains("UNTRAINED") && files.card.contains("1/4 of VGG16's width"));
        assert!("3".parse::<Width>().is_err());
    }
}
