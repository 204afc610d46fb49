//! Any ONNX file on the CPU by rten, on a thread pool of its own. Height and width may differ from
//! call to call.

use std::sync::Arc;

use rten::{ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;
use sonofuse_core::answer::{Answer, Form};
use sonofuse_core::manifest::Manifest;
use sonofuse_core::preprocess::{FusionInput, Planes};
use sonofuse_core::reading::ModelInfo;

use super::scorer::{Scorer, ScorerError, answer, unwound};

/// A network run by rten.
pub(super) struct RtenScorer {
    model: rten::Model,
    bmode: NodeId,
    elastogram: NodeId,
    /// The score's, then the heads' where the manifest names them.
    outputs: Vec<NodeId>,
    form: Form,
    pool: Arc<ThreadPool>,
    info: ModelInfo,
}

impl RtenScorer {
    /// Loads the bytes of an ONNX file whose digest was verified. Says what is wrong in words.
    pub(super) fn load(
        manifest: &Manifest,
        digest: String,
        bytes: Vec<u8>,
        threads: usize,
        why: String,
    ) -> Result<Self, String> {
        // On garbage, rten's own reader may not return.
        sonofuse_onnx::check(&bytes).map_err(|e| e.to_string())?;
        let model = unwound(|| ModelOptions::with_all_ops().prepack_weights(true).load(bytes))
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        let find = |name: &str, ids: &[NodeId], what: &str| {
            model.find_node(name).filter(|id| ids.contains(id)).ok_or_else(|| {
                let names: Vec<&str> = ids
                    .iter()
                    .filter_map(|id| model.node_info(*id).and_then(|n| n.name()))
                    .collect();
                format!("the manifest names the {what} `{name}`, the file has {}", names.join(", "))
            })
        };
        let bmode = find(&manifest.input.bmode.name, model.input_ids(), "input")?;
        let elastogram = find(&manifest.input.elastogram.name, model.input_ids(), "input")?;
        let heads = manifest.outputs.heads.iter().map(|heads| &heads.name);
        let outputs = std::iter::once(&manifest.output.name)
            .chain(heads)
            .map(|name| find(name, model.output_ids(), "output"))
            .collect::<Result<_, _>>()?;
        if model.input_ids().len() != 2 {
            return Err(format!("it has {} inputs, not 2", model.input_ids().len()));
        }
        Ok(Self {
            bmode,
            elastogram,
            outputs,
            form: manifest.into(),
            pool: Arc::new(ThreadPool::with_num_threads(threads.max(1))),
            info: ModelInfo {
                name: manifest.name.clone(),
                digest,
                backend: "rten".into(),
                why,
                trained: manifest.trained,
            },
            model,
        })
    }
}

fn view(planes: &Planes) -> Result<NdTensorView<'_, f32, 4>, ScorerError> {
    NdTensorView::try_from_data(planes.shape(), planes.data())
        .map_err(|e| ScorerError::Run(e.to_string()))
}

impl Scorer for RtenScorer {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn score(&mut self, input: &FusionInput) -> Result<Answer, ScorerError> {
        let inputs = vec![
            (self.bmode, view(&input.bmode)?.into()),
            (self.elastogram, view(&input.elastogram)?.into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let said = self
            .model
            .run(inputs, &self.outputs, Some(options))
            .map_err(|e| ScorerError::Run(e.to_string()))?;
        let mut numbers = said.into_iter().map(|output| {
            rten_tensor::Tensor::<f32>::try_from(output)
                .map(|tensor| tensor.to_vec())
                .map_err(|e: rten::TryFromValueError| ScorerError::Run(e.to_string()))
        });
        let logits = numbers.next().transpose()?.unwrap_or_default();
        answer(self.form, &logits, &numbers.next().transpose()?.unwrap_or_default())
    }
}
