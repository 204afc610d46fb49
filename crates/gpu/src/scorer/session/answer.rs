//! From device memory to the answer: numbers, statistics of the inputs, times. One thread at a time.

use super::Session;
use crate::driver::{Context, Event};
use crate::error::GpuError;
use crate::network::Place;
use crate::scorer::{Further, Plan, Stages, UploadWay};

/// The stages' times.
#[derive(Debug)]
pub(super) struct Clocks {
    pub(super) start: Event,
    pub(super) uploaded: Event,
    pub(super) preprocessed: Event,
    pub(super) inferred: Event,
    pub(super) done: Event,
}

impl Session {
    pub(super) fn tick(&self, which: impl Fn(&Clocks) -> &Event) -> Result<(), GpuError> {
        self.clocks.as_ref().map_or(Ok(()), |clocks| which(clocks).record(&self.stream))
    }

    /// Waits, and reads the answer.
    pub(super) fn finish(
        &mut self,
        size: [u32; 2],
        graph: bool,
        plan: &Plan,
    ) -> Result<(), GpuError> {
        self.tick(|clocks| &clocks.done)?;
        if plan.options.upload == UploadWay::Mapped {
            self.slots[self.next].read.record(&self.stream)?;
        }
        self.stream.synchronize()?;
        let bytes = self.answer_host.bytes();
        let answer = &mut self.answer;
        (answer.size, answer.graph) = (size, graph);
        let outputs = self.network.outputs();
        answer.numbers.clear();
        answer.numbers.extend(outputs.first().into_iter().flat_map(|place| floats(bytes, place)));
        let further = outputs.get(1..).unwrap_or_default();
        if answer.further.len() != further.len() {
            let named = |place: &Place| place.name.to_string_lossy().into_owned();
            let empty = further.iter().map(|p| Further { name: named(p), numbers: Vec::new() });
            answer.further = empty.collect();
        }
        for (to, place) in answer.further.iter_mut().zip(further) {
            to.numbers.clear();
            to.numbers.extend(floats(bytes, place));
        }
        answer.statistics =
            plan.options.statistics.then(|| statistics(&bytes[self.sums_at..], size));
        answer.stages = self.clocks.as_ref().map(|clocks| clocks.read(graph)).transpose()?;
        Ok(())
    }
}

/// The numbers of an output in the answer's bytes.
pub(super) fn floats<'b>(bytes: &'b [u8], place: &Place) -> impl Iterator<Item = f32> + 'b {
    let bytes = bytes[place.at..].as_chunks::<4>().0.iter();
    bytes.take(place.numbers).map(|bytes| f32::from_le_bytes(*bytes))
}

/// Mean and standard deviation from the row sums of both inputs.
fn statistics(bytes: &[u8], [width, height]: [u32; 2]) -> [[[f32; 2]; 3]; 2] {
    let n = f64::from(width) * f64::from(height);
    let mut channels = bytes.chunks_exact(16 * height as usize).map(|rows| {
        let mut sums = [0.0f64; 2];
        for row in rows.chunks_exact(16) {
            for (sum, b) in sums.iter_mut().zip(row.chunks_exact(8)) {
                *sum += f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            }
        }
        let mean = sums[0] / n;
        [mean as f32, (sums[1] / n - mean * mean).max(0.0).sqrt() as f32]
    });
    std::array::from_fn(|_| std::array::from_fn(|_| channels.next().unwrap_or_default()))
}

impl Clocks {
    pub(super) fn new(context: &Context) -> Result<Self, GpuError> {
        Ok(Self {
            start: context.event()?,
            uploaded: context.event()?,
            preprocessed: context.event()?,
            inferred: context.event()?,
            done: context.event()?,
        })
    }

    fn read(&self, graph: bool) -> Result<Stages, GpuError> {
        let between = |from: &Event, to: &Event| to.since_ms(from);
        let parts = if graph {
            [None, None]
        } else {
            [
                Some(between(&self.uploaded, &self.preprocessed)?),
                Some(between(&self.preprocessed, &self.inferred)?),
            ]
        };
        Ok(Stages {
            upload_ms: between(&self.start, &self.uploaded)?,
            preprocess_ms: parts[0],
            network_ms: parts[1],
            total_ms: between(&self.start, &self.done)?,
        })
    }
}
