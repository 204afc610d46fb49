//! A trained network as the folder that the daemon reads: `model.onnx`, `model.toml` with its known
//! answers, `MODEL_CARD.md`.

use std::path::Path;
use std::{fs, io};

use sha2::{Digest, Sha256};
use sonofuse_core::NOTICE;
use sonofuse_core::calibrate::Calibration;
use sonofuse_core::familiar::Familiarity;
use sonofuse_core::manifest::{
    Aggregation, Golden, Heads, Input, InputSize, Manifest, Output, OutputKind, Outputs,
    Provenance, SCHEMA, Threshold,
};
use sonofuse_core::preprocess::{FusionInput, Planes};

use super::{HEADS, LOGITS, onnx};
use crate::model::Architecture;
use crate::network::{Network, folded, forward_heads};
use crate::stand_in::WriteError;

/// Of networks that others train, whose outputs may be large: some units of the last place of the
/// largest term, as a part of it.
const RELATIVE: f32 = 2e-4;

/// What a manifest says that the network itself does not.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Short name, as readings show it.
    pub name: String,
    /// One sentence for people.
    pub summary: String,
    /// What it was fed while it was trained.
    pub input: Input,
    /// From logit to probability.
    pub calibration: Calibration,
    /// Where to cut.
    pub threshold: Option<Threshold>,
    /// What the training set looks like.
    pub familiarity: Option<Familiarity>,
    /// Spread of the logit between elastograms of a nodule.
    pub aggregation: Aggregation,
    /// What it was trained on, in a sentence.
    pub data: String,
    /// Seed of the training.
    pub seed: u64,
    /// Commit of the trainer.
    pub commit: Option<String>,
    /// The command that writes it, without the program.
    pub command: String,
    /// Lines of the card behind the first paragraph, in markdown: results and limits.
    pub card: String,
}

/// Writes the folder; returns the model's digest.
///
/// # Errors
/// [`WriteError`], with the path or what the manifest may not say.
pub fn write(
    architecture: &Architecture,
    network: &Network,
    parts: &Parts,
    out: &Path,
) -> Result<String, WriteError> {
    let doc = format!("{} {NOTICE}", parts.summary);
    let model = onnx(network, architecture.fixed_size(), &doc);
    let sha256 = format!("{:x}", Sha256::digest(&model));
    let plain = folded(network);
    let manifest = Manifest {
        schema: SCHEMA,
        name: parts.name.clone(),
        summary: parts.summary.clone(),
        trained: true,
        file: "model.onnx".into(),
        sha256: sha256.clone(),
        input: parts.input.clone(),
        output: Output { name: LOGITS.into(), kind: OutputKind::BenignMalignant },
        outputs: outputs(network),
        calibration: parts.calibration.clone(),
        threshold: parts.threshold,
        familiarity: parts.familiarity.clone(),
        out_of_distribution: None,
        aggregation: parts.aggregation,
        assessment: None,
        held_out: None,
        provenance: Provenance {
            writer: concat!("sonofuse-train ", env!("CARGO_PKG_VERSION")).into(),
            data: parts.data.clone(),
            seed: Some(parts.seed),
            commit: parts.commit.clone(),
            card: Some("MODEL_CARD.md".into()),
        },
        golden: known_answers(&plain, &sizes(&parts.input.size), RELATIVE),
    };
    manifest.check().map_err(|e| WriteError::Manifest(e.to_string()))?;
    let body = toml::to_string(&manifest).map_err(|e| WriteError::Manifest(e.to_string()))?;
    let text = format!(
        "# {NOTICE}\n# Written by `sonofuse-train {}`; the keys are in \
         docs/reference/model-manifest.md.\n{body}",
        parts.command
    );
    let card = format!(
        "**{}** {NOTICE}\n\n# {}\n\n- **What**: `{architecture}`, {} numbers, {} bytes, fp32.\n- \
         **Data**: {}.\n- **Written by** `sonofuse-train {}`.\n\n{}",
        parts.summary,
        parts.name,
        plain.parameters(),
        model.len(),
        parts.data,
        parts.command,
        parts.card
    );
    let io = |path: &Path, r: io::Result<()>| {
        r.map_err(|source| WriteError::Io { path: path.to_owned(), source })
    };
    io(out, fs::create_dir_all(out))?;
    let files: [(&str, &[u8]); 3] = [
        ("model.onnx", &model),
        ("model.toml", text.as_bytes()),
        ("MODEL_CARD.md", card.as_bytes()),
    ];
    for (name, bytes) in files {
        let path = out.join(name);
        io(&path, fs::write(&path, bytes))?;
    }
    Ok(sha256)
}

/// The known answers of a network without normalisation layers at sizes, `[width, height]` in pixels.
///
/// The tolerance has room for other orders of summation: 0.002, or `relative` of the larger output where
/// that is more. That for engines in 16-bit floats is eight
/// times what the answer (or a head's) changes by when weights and input alone are rounded so (such an engine also
/// rounds what goes from layer to layer), and at least ten times the other.
pub(crate) fn known_answers(plain: &Network, sizes: &[[u32; 2]], relative: f32) -> Vec<Golden> {
    let coarse = rounded(plain);
    let answer = |&[width_px, height_px]: &[u32; 2]| {
        let input = FusionInput::golden(width_px as usize, height_px as usize);
        let (said, heads) = odds(plain, &input);
        let largest = said.iter().fold(0.0, |most: f32, z| most.max(z.abs()));
        let logit = heads.iter().sum::<f32>() / heads.len() as f32;
        let tolerance = (relative * largest).max(2e-3);
        let half = |planes: &Planes| {
            let [_, _, height, width] = planes.shape();
            let data = planes.data().iter().copied().map(to_half).collect();
            Planes::new(width, height, data).unwrap_or_default()
        };
        let coarse_input =
            FusionInput { bmode: half(&input.bmode), elastogram: half(&input.elastogram) };
        let changed = odds(&coarse, &coarse_input).1;
        let change = changed.iter().zip(&heads).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let tolerance_half = Some((8.0 * change).max(10.0 * tolerance));
        let heads = if plain.heads > 0 { heads } else { Vec::new() };
        Golden { width_px, height_px, logit, heads, tolerance, tolerance_half }
    };
    sizes.iter().map(answer).collect()
}

/// What a network says of an input: all its numbers, and each head's log-odds.
fn odds(network: &Network, input: &FusionInput) -> (Vec<f32>, Vec<f32>) {
    let said = forward_heads(network, input);
    let odds = said.chunks_exact(2).map(|z| z[1] - z[0]).collect();
    (said, odds)
}

/// The outputs beside the score's.
pub(crate) fn outputs(network: &Network) -> Outputs {
    let heads = Heads { name: HEADS.into(), count: network.heads };
    Outputs { heads: (network.heads > 0).then_some(heads) }
}

/// The nearest 16-bit float.
fn to_half(v: f32) -> f32 {
    half::f16::from_f32(v).to_f32()
}

/// A network whose weights are the nearest 16-bit floats.
fn rounded(network: &Network) -> Network {
    let mut network = network.clone();
    let round = |lists: [&mut Vec<f32>; 2]| {
        for v in lists.into_iter().flatten() {
            *v = to_half(*v);
        }
    };
    for conv in network.convs_mut() {
        round([&mut conv.weight, &mut conv.bias]);
    }
    for layer in &mut network.layers {
        round([&mut layer.weight, &mut layer.bias]);
    }
    network
}

/// Sizes of the known answers: the one that there is, or a square and two that no side of divides.
fn sizes(size: &InputSize) -> Vec<[u32; 2]> {
    match *size {
        InputSize::Fixed { width_px, height_px } => vec![[width_px, height_px]],
        InputSize::Native { min_side_px, max_side_px, .. } => {
            let side = |add: u32| (min_side_px + add).min(max_side_px);
            vec![[side(0), side(0)], [side(33), side(7)], [side(96), side(40)]]
        }
    }
}
