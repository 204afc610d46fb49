//! From the frame, or a ready input, to device memory: the ring of pinned slots and the staging
//! buffer. One thread at a time; nothing is under way when a slot is written.
#![allow(unsafe_code, reason = "hands frames that are borrowed for the call to the driver")]

use sonofuse_core::preprocess::{DualView, FusionInput};

use super::{Session, aligned};
use crate::cut::Places;
use crate::driver::{Context, DeviceBuffer, Event, PinnedBuffer, Rectangle};
use crate::error::GpuError;
use crate::params::{PARAMS_BYTES, Params};
use crate::scorer::{Plan, UploadWay};

/// Slots of the upload ring: one may still be read while the next is filled.
pub(super) const SLOTS: usize = 2;

/// One place of the upload ring.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) memory: PinnedBuffer,
    /// After the last work that reads it.
    pub(super) read: Event,
}

impl Session {
    /// Makes the buffers of the upload hold `bytes`; grows them to `roomy` at least, once for all
    /// frames of a source.
    pub(super) fn reserve(&mut self, bytes: usize, roomy: usize) -> Result<(), GpuError> {
        if bytes <= self.staging.len() && bytes <= self.slots[0].memory.len() {
            return Ok(());
        }
        let bytes = aligned(bytes.max(roomy));
        // Nothing is under way; what is there stays until the new is complete.
        let (slots, staging) =
            (slots(&self.context, bytes)?, DeviceBuffer::new(&self.context, bytes, "the upload")?);
        // The graph holds the old address.
        self.forget_graph();
        (self.slots, self.staging) = (slots, staging);
        Ok(())
    }

    /// The next slot of the ring, free to be written.
    fn slot(&mut self) -> Result<usize, GpuError> {
        self.next = (self.next + 1) % SLOTS;
        self.slots[self.next].read.synchronize()?;
        Ok(self.next)
    }

    pub(super) fn put_view(&mut self, view: &DualView<'_>, plan: &Plan) -> Result<(), GpuError> {
        let index = self.slot()?;
        let staging = self.staging.address();
        let mut places = Places {
            head: staging,
            crops: staging,
            inputs: self.input_addresses(),
            sums: self.sums_address(plan),
        };
        let slot = &mut self.slots[index];
        if plan.options.upload == UploadWay::Mapped {
            let mapped = slot.memory.mapped().ok_or_else(|| {
                GpuError::Unfit("the pinned memory is not mapped into the device".into())
            })?;
            (places.head, places.crops) = (mapped, mapped);
        }
        let frame = view.frame();
        let memory = slot.memory.bytes_mut();
        self.upload.write_head(&places, memory);
        if plan.options.upload != UploadWay::Direct {
            self.upload.write_crops(frame, memory);
        }
        self.tick(|clocks| &clocks.start)?;
        // The kernel finds its parameters at the start of the staging memory in every way.
        let bytes = match plan.options.upload {
            UploadWay::Staged => self.upload.bytes(),
            UploadWay::Mapped => PARAMS_BYTES,
            UploadWay::Direct => self.upload.head(),
        };
        let slot = &self.slots[index];
        // SAFETY: both are the session's, which waits before it writes or frees either.
        unsafe { self.staging.upload(0, &slot.memory, 0, bytes, &self.stream)? };
        if plan.options.upload == UploadWay::Direct {
            for cut in self.upload.cuts() {
                let data = &frame.data()[cut.from..];
                let rectangle =
                    Rectangle { data, stride: cut.stride, row: cut.row, rows: cut.rows };
                // SAFETY: the frame is borrowed until `score` ends, which waits before, panic or not.
                unsafe { self.staging.upload_rectangle(&rectangle, cut.to, &self.stream)? };
            }
        }
        self.tick(|clocks| &clocks.uploaded)?;
        if plan.options.upload != UploadWay::Mapped {
            slot.read.record(&self.stream)?;
        }
        Ok(())
    }

    pub(super) fn put_input(
        &mut self,
        input: &FusionInput,
        bytes: usize,
        plan: &Plan,
    ) -> Result<(), GpuError> {
        let index = self.slot()?;
        let memory = self.slots[index].memory.bytes_mut();
        let planes = [&input.bmode, &input.elastogram];
        for (to, planes) in memory.chunks_exact_mut(bytes).zip(planes) {
            for (to, number) in to.chunks_exact_mut(4).zip(planes.data()) {
                to.copy_from_slice(&number.to_le_bytes());
            }
        }
        self.tick(|clocks| &clocks.start)?;
        let half_at = self.inputs.len() / 2;
        let slot = &self.slots[index];
        for i in 0..2 {
            // SAFETY: as in `put_view`.
            unsafe {
                self.inputs.upload(i * half_at, &slot.memory, i * bytes, bytes, &self.stream)?;
            };
        }
        // The block of parameters, for statistics and the check's network.
        self.upload_block(input, plan)?;
        self.tick(|clocks| &clocks.uploaded)?;
        self.slots[index].read.record(&self.stream)
    }

    /// Uploads parameters without crops.
    fn upload_block(&mut self, input: &FusionInput, plan: &Plan) -> Result<(), GpuError> {
        let [_, _, height, width] = input.bmode.shape();
        let mut params = Params { sums: self.sums_address(plan), ..Params::default() };
        for (view, out) in params.view.iter_mut().zip(self.input_addresses()) {
            view.out = out;
            view.out_size = [width as u32, height as u32];
        }
        let mut bytes = Vec::with_capacity(PARAMS_BYTES);
        params.write(&mut bytes);
        // The other slot: this one holds the input.
        let index = self.slot()?;
        self.slots[index].memory.bytes_mut()[..PARAMS_BYTES].copy_from_slice(&bytes);
        // SAFETY: as in `put_view`.
        unsafe {
            self.staging.upload(0, &self.slots[index].memory, 0, PARAMS_BYTES, &self.stream)?;
        };
        self.slots[index].read.record(&self.stream)
    }
}

pub(super) fn slots(context: &Context, bytes: usize) -> Result<[Slot; SLOTS], GpuError> {
    let slot = || -> Result<Slot, GpuError> {
        let memory = PinnedBuffer::new(context, bytes, "the upload")?;
        Ok(Slot { memory, read: context.event()? })
    };
    Ok([slot()?, slot()?])
}
