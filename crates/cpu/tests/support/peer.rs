//! The same network run by rten, the runtime that this engine replaces and falls back to.
#![allow(dead_code)]

use std::sync::Arc;

use rten::{ModelOptions, RunOptions, ThreadPool};
use rten_tensor::{NdTensorView, Tensor, prelude::*};
use sonofuse_cpu::TensorView;

/// A network loaded by rten with a thread pool of its own.
pub(crate) struct Peer {
    model: rten::Model,
    pool: Arc<ThreadPool>,
}

impl Peer {
    pub(crate) fn load(bytes: Vec<u8>, threads: usize) -> Peer {
        let model = ModelOptions::with_all_ops().prepack_weights(true).load(bytes).unwrap();
        Peer { model, pool: Arc::new(ThreadPool::with_num_threads(threads)) }
    }

    /// Returns the output's numbers.
    pub(crate) fn run(&self, pictures: &[TensorView<'_>]) -> Vec<f32> {
        let inputs = self.model.input_ids().iter().zip(pictures).map(|(id, view)| {
            let shape = [1, view.channels, view.height, view.width];
            (*id, NdTensorView::from_data(shape, view.data).into())
        });
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let output = self.model.output_ids()[0];
        let [output] = self.model.run_n(inputs.collect(), [output], Some(options)).unwrap();
        let output: Tensor<f32> = output.try_into().unwrap();
        output.to_vec()
    }
}
