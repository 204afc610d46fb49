//! What only the checks do to a session: read its inputs back, break it, fill the memory, measure.
//! Not for the hot path. One thread at a time.
#![allow(unsafe_code, reason = "launches a kernel that is wrong on purpose")]

use super::{Session, Taken};
use crate::driver::{DeviceBuffer, PinnedBuffer};
use crate::error::GpuError;

impl Session {
    /// Copies back `numbers` of each input.
    pub(crate) fn read_inputs(&self, numbers: usize) -> Result<[Vec<f32>; 2], GpuError> {
        let bytes = numbers * 4;
        let to = PinnedBuffer::new(&self.context, 2 * bytes, "a copy of the inputs")?;
        let _underway = self.stream.underway();
        let result = (0..2).try_for_each(|i| {
            let at = i * self.inputs.len() / 2;
            // SAFETY: `to` is read and freed after the wait below, the inputs with the session.
            unsafe { self.inputs.download(at, bytes, &to, i * bytes, &self.stream) }
        });
        self.settle(result.and_then(|()| self.stream.synchronize()))?;
        let read = |from: &[u8]| {
            from.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        };
        let (bmode, elastogram) = to.bytes().split_at(bytes);
        Ok([read(bmode), read(elastogram)])
    }

    pub(crate) fn fault(&mut self) -> Result<(), GpuError> {
        // SAFETY: the kernel takes one address; that nobody owns it is the point: the driver answers
        // with a lost context, which the caller gives up.
        unsafe { self.fault.launch([1; 3], [1; 3], &[16], &self.stream)? };
        self.stream.synchronize()
    }

    pub(crate) fn fill(&mut self, leave: usize) -> Result<Taken, GpuError> {
        let mut taken = Vec::new();
        let [free, _] = self.context.memory()?;
        let mut part = free.saturating_sub(leave);
        while part > 1 << 16 && self.context.memory()?[0] > leave {
            match DeviceBuffer::new(&self.context, part, "a check") {
                Ok(buffer) => taken.push(buffer),
                Err(GpuError::OutOfMemory { .. }) => part /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    pub(crate) fn upload_bytes(&self) -> usize {
        self.upload.bytes()
    }

    pub(crate) fn bandwidth(&mut self, bytes: usize) -> Result<[f64; 2], GpuError> {
        let host = PinnedBuffer::new(&self.context, bytes, "a measurement")?;
        let device = DeviceBuffer::new(&self.context, bytes, "a measurement")?;
        let [start, middle, end] =
            [self.context.event()?, self.context.event()?, self.context.event()?];
        let mut best = [0.0f64; 2];
        let _underway = self.stream.underway();
        // SAFETY: both end after the wait below, and the host's bytes are not touched.
        let upload = || unsafe { device.upload(0, &host, 0, bytes, &self.stream) };
        // SAFETY: as above.
        let fill = || unsafe { device.fill(0, &self.stream) };
        for _ in 0..5 {
            let result = start
                .record(&self.stream)
                .and_then(|()| upload())
                .and_then(|()| middle.record(&self.stream))
                .and_then(|()| fill())
                .and_then(|()| end.record(&self.stream))
                .and_then(|()| self.stream.synchronize());
            self.settle(result)?;
            let times = [middle.since_ms(&start)?, end.since_ms(&middle)?];
            for (best, ms) in best.iter_mut().zip(times) {
                *best = best.max(bytes as f64 / (f64::from(ms).max(1e-6) / 1e3));
            }
        }
        Ok(best)
    }
}
