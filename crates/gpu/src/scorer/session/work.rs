//! What runs on the device between upload and answer: kernels, network and copy back, put onto the
//! stream one by one or, for a size that stays, as a captured graph. One thread at a time.
#![allow(unsafe_code, reason = "launches kernels and graphs on buffers of the session")]

use super::answer::floats;
use super::{Session, sums_bytes};
use crate::driver::Graph;
use crate::error::GpuError;
use crate::scorer::Plan;

/// Scores of one size before its work is captured: boxes that still move would capture each time.
const GRAPH_AFTER: u32 = 3;
/// Largest difference between a graph's first answer and the answer before it, relative to 1 + its
/// size: networks may choose other roundings, not other numbers.
const GRAPH_TOLERANCE: f32 = 1e-3;

#[derive(Debug)]
pub(super) enum GraphState {
    /// How many scores of this size there were.
    Waiting(u32),
    Ready(Graph),
    Refused(String),
}

impl Session {
    pub(super) fn forget_graph(&mut self) {
        if !matches!(self.graph, GraphState::Refused(_)) {
            self.graph = GraphState::Waiting(0);
        }
    }

    /// Runs the graph, or what it would hold; answers which.
    pub(super) fn run(&mut self, size: [u32; 2], plan: &Plan) -> Result<bool, GpuError> {
        if let GraphState::Ready(graph) = &self.graph {
            // SAFETY: everything that the graph works on belongs to the session; `reserve` and `bind`
            // forget the graph where an address or a size changes.
            unsafe { graph.launch(&self.stream)? };
            return Ok(true);
        }
        self.kernels(size, true, plan)?;
        Ok(false)
    }

    /// Puts preprocessing (where wanted), the network and the copy back onto the stream.
    pub(super) fn kernels(
        &mut self,
        size: [u32; 2],
        preprocess: bool,
        plan: &Plan,
    ) -> Result<(), GpuError> {
        let params = self.staging.address();
        let [width, height] = size;
        // SAFETY: the kernels take the address of the parameters, which the upload before them on the
        // stream wrote for this size; its addresses lie in buffers of the session that hold them.
        unsafe {
            if preprocess {
                let grid = [width.div_ceil(32), height.div_ceil(8), 2];
                self.preprocess.launch(grid, [32, 8, 1], &[params], &self.stream)?;
            }
            if plan.options.statistics {
                let grid = [height.div_ceil(64), 3, 2];
                self.statistics.launch(grid, [64, 1, 1], &[params], &self.stream)?;
            }
        }
        let capturing = matches!(self.graph, GraphState::Waiting(GRAPH_AFTER..)) && preprocess;
        if !capturing {
            self.tick(|clocks| &clocks.preprocessed)?;
        }
        let output = self.answer_device.address();
        // SAFETY: bound to this size and these buffers by `bind`.
        unsafe { self.network.enqueue(params, output, &self.stream)? };
        if !capturing {
            self.tick(|clocks| &clocks.inferred)?;
        }
        let bytes = self.network.answer_bytes();
        if bytes > 0 {
            // SAFETY: both are the session's, which waits before it reads or frees either.
            unsafe { self.answer_device.download(0, bytes, &self.answer_host, 0, &self.stream)? };
        }
        if plan.options.statistics {
            let (at, bytes) = (self.sums_at, sums_bytes(height as usize));
            // SAFETY: as above.
            unsafe { self.answer_device.download(at, bytes, &self.answer_host, at, &self.stream)? };
        }
        Ok(())
    }

    /// Captures the work of a size that was seen often enough, and keeps the graph only if it gives
    /// the answer that was just computed without.
    pub(super) fn consider_graph(&mut self, size: [u32; 2], plan: &Plan) -> Result<(), GpuError> {
        let GraphState::Waiting(seen) = &mut self.graph else { return Ok(()) };
        if !plan.options.graph {
            return Ok(());
        }
        *seen += 1;
        if *seen < GRAPH_AFTER {
            return Ok(());
        }
        let refused = match self.capture(size, plan) {
            Ok(graph) => {
                self.graph = GraphState::Ready(graph);
                return Ok(());
            }
            Err(error) => match self.settle(Err(error)) {
                Err(lost) if lost.is_lost() => return Err(lost),
                Err(error) => error.to_string(),
                Ok(()) => String::new(),
            },
        };
        tracing::warn!(why = refused, "no CUDA graph: the work is put onto the stream each time");
        self.graph = GraphState::Refused(refused);
        Ok(())
    }

    fn capture(&mut self, size: [u32; 2], plan: &Plan) -> Result<Graph, GpuError> {
        let stream = self.stream.clone();
        let graph = Graph::capture(&stream, || self.kernels(size, true, plan))?;
        // What the graph does not write stays "not a number".
        // SAFETY: the session's; as in `run`, and the last upload is still in place.
        unsafe {
            self.answer_device.fill(0xFF, &self.stream)?;
            graph.launch(&self.stream)?;
        }
        self.stream.synchronize()?;
        let answers = std::iter::once(&self.answer.numbers)
            .chain(self.answer.further.iter().map(|further| &further.numbers));
        for (place, wanted) in self.network.outputs().iter().zip(answers) {
            for (got, want) in floats(self.answer_host.bytes(), place).zip(wanted) {
                let same = (got - want).abs() <= GRAPH_TOLERANCE * (1.0 + want.abs());
                if !same && want.is_finite() {
                    return Err(GpuError::Graph { graph: got, stream: *want });
                }
            }
        }
        Ok(graph)
    }
}
