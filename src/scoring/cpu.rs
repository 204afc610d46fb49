//! The VGG fusion family on the CPU, by our own engine (`crates/cpu`).

use sonofuse_core::answer::{Answer, Form};
use sonofuse_core::manifest::{InputSize, Manifest};
use sonofuse_core::preprocess::{FusionInput, Planes};
use sonofuse_core::reading::ModelInfo;
use sonofuse_cpu::{Activation, LoadError, Network, Options, TensorView};

use super::scorer::{Scorer, ScorerError, answer};

/// A network run by our own engine.
pub(super) struct CpuScorer {
    network: Network,
    /// Whether the file's first input is the elastogram.
    swapped: bool,
    form: Form,
    /// Places of the score's output and of the heads' in the file.
    outputs: [Option<usize>; 2],
    info: ModelInfo,
}

/// Why our own engine does not take a model.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is no network of the family; another backend may run it.
    NotOurs(String),
    /// It fits, but cannot be used as it is.
    Unusable(String),
}

impl Refusal {
    pub(super) fn into_words(self) -> String {
        let (Self::NotOurs(words) | Self::Unusable(words)) = self;
        words
    }
}

impl CpuScorer {
    /// Loads the bytes of an ONNX file whose digest was verified.
    pub(super) fn load(
        manifest: &Manifest,
        digest: String,
        bytes: &[u8],
        threads: usize,
        why: String,
    ) -> Result<Self, Refusal> {
        let max_side = match manifest.input.size {
            InputSize::Fixed { width_px, height_px } => width_px.max(height_px),
            InputSize::Native { max_side_px, .. } => max_side_px,
        };
        // A known answer may be of a larger picture than any that is scored.
        let golden = manifest.golden.iter().map(|g| g.width_px.max(g.height_px));
        let max_side = golden.fold(max_side, u32::max) as usize;
        let options = Options { threads, max_side, ..Options::default() };
        let network = Network::load(bytes, &options).map_err(|e| match e {
            LoadError::Onnx(_) => Refusal::NotOurs(e.to_string()),
            _ => Refusal::Unusable(e.to_string()),
        })?;
        let names: Vec<&str> = network.inputs().iter().map(|i| i.name.as_str()).collect();
        let (bmode, elastogram) = (&manifest.input.bmode.name, &manifest.input.elastogram.name);
        let swapped = match names.as_slice() {
            [a, b] if a == bmode && b == elastogram => false,
            [a, b] if a == elastogram && b == bmode => true,
            _ => {
                return Err(Refusal::Unusable(format!(
                    "the manifest names the inputs `{bmode}` and `{elastogram}`, the file has {}",
                    names.join(", ")
                )));
            }
        };
        // The manifest's output is what the graph gives at its end; ours are the logits before it.
        if network.activation() != Activation::None {
            return Err(Refusal::NotOurs(format!(
                "the graph ends in {:?}, and the manifest calibrates its logits",
                network.activation()
            )));
        }
        let place = |name: &str| {
            network.outputs().iter().position(|output| output == name).ok_or_else(|| {
                Refusal::Unusable(format!(
                    "the manifest names the output `{name}`, the file has {}",
                    network.outputs().join(", ")
                ))
            })
        };
        let heads = manifest.outputs.heads.as_ref();
        let outputs = [
            Some(place(&manifest.output.name)?),
            heads.map(|heads| place(&heads.name)).transpose()?,
        ];
        let info = ModelInfo {
            name: manifest.name.clone(),
            digest,
            backend: format!("cpu-{}", network.isa()),
            why,
            trained: manifest.trained,
        };
        Ok(Self { network, swapped, form: manifest.into(), outputs, info })
    }
}

impl CpuScorer {
    /// Whether it computes in half precision: less exactly than the model says.
    pub(super) fn is_half(&self) -> bool {
        self.network.isa().is_half()
    }
}

fn view(planes: &Planes) -> TensorView<'_> {
    let [_, channels, height, width] = planes.shape();
    TensorView { data: planes.data(), channels, height, width }
}

impl Scorer for CpuScorer {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError> {
        let (bmode, elastogram) = (view(&input.bmode), view(&input.elastogram));
        let inputs = if self.swapped { [elastogram, bmode] } else { [bmode, elastogram] };
        let output = self.network.run(&inputs).map_err(|e| ScorerError::Run(e.to_string()))?;
        let [logits, heads] = self.outputs.map(|at| at.map_or(&[][..], |at| output.of(at)));
        answer(self.form, logits, heads)
    }

    fn fail_next(&mut self, thread: usize) -> bool {
        self.network.fail_next(thread)
    }
}
