//! Loaded kernels and their launch. One thread at a time.
#![allow(unsafe_code, reason = "calls of the driver")]

use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;

use cudarc::driver::sys;

use super::api::DevicePtr;
use super::context::{Context, Stream};
use crate::error::GpuError;
use crate::images;

/// The kernels of this crate, loaded.
#[derive(Debug)]
pub(crate) struct Module {
    inner: Arc<Inner>,
    /// Which image was taken.
    pub(crate) image: &'static str,
}

#[derive(Debug)]
struct Inner {
    context: Context,
    handle: sys::CUmodule,
}

// SAFETY: a module may be used by any thread whose current context is its own.
unsafe impl Send for Inner {}
// SAFETY: nothing changes after loading.
unsafe impl Sync for Inner {}

impl Module {
    /// Loads the machine code where it fits the device, else (or where that is refused) the PTX.
    pub(crate) fn load(context: &Context, compute: [u32; 2]) -> Result<Self, GpuError> {
        if compute == [8, 7] {
            match Self::load_image(context, images::CUBIN_SM87, "sm_87") {
                Err(error) if !error.is_temporary() => {
                    tracing::warn!(%error, "the machine code of sm_87 was refused, taking PTX");
                }
                result => return result,
            }
        }
        let ptx = CString::new(images::PTX)
            .map_err(|_| GpuError::Unfit("the embedded PTX holds a zero byte".into()))?;
        Self::load_image(context, ptx.as_bytes_with_nul(), "compute_70")
    }

    fn load_image(context: &Context, image: &[u8], name: &'static str) -> Result<Self, GpuError> {
        context.enter()?;
        let cuda = context.cuda();
        let mut handle = std::ptr::null_mut();
        // SAFETY: a whole ELF image, or PTX that ends in a zero; copied by the call.
        let status = unsafe { cuda.api().cuModuleLoadData(&raw mut handle, image.as_ptr().cast()) };
        cuda.check_memory("cuModuleLoadData", status, "the kernels", image.len())?;
        Ok(Self { inner: Arc::new(Inner { context: context.clone(), handle }), image: name })
    }

    pub(crate) fn kernel(&self, name: &CStr) -> Result<Kernel, GpuError> {
        let cuda = self.inner.context.cuda();
        let mut handle = std::ptr::null_mut();
        // SAFETY: writes one handle; the module is loaded.
        let status = unsafe {
            cuda.api().cuModuleGetFunction(&raw mut handle, self.inner.handle, name.as_ptr())
        };
        cuda.check("cuModuleGetFunction", status)?;
        Ok(Kernel { module: Arc::clone(&self.inner), handle })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.context.enter();
        // SAFETY: loaded once, unloaded once; kernels keep it alive.
        unsafe { self.context.cuda().api().cuModuleUnload(self.handle) };
    }
}

/// A kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    module: Arc<Inner>,
    handle: sys::CUfunction,
}

// SAFETY: as for its module.
unsafe impl Send for Kernel {}

impl Kernel {
    /// Puts a launch onto the stream.
    ///
    /// # Safety
    /// The kernel takes exactly these addresses, and the memory that it reads and writes through
    /// them is there until the stream was synchronised.
    pub(crate) unsafe fn launch(
        &self,
        grid: [u32; 3],
        block: [u32; 3],
        arguments: &[DevicePtr],
        stream: &Stream,
    ) -> Result<(), GpuError> {
        let mut pointers = [std::ptr::null_mut::<c_void>(); 4];
        assert!(arguments.len() <= pointers.len(), "no kernel takes more");
        for (pointer, argument) in pointers.iter_mut().zip(arguments) {
            *pointer = std::ptr::from_ref(argument).cast_mut().cast();
        }
        let cuda = self.module.context.cuda();
        // SAFETY: the handles are alive; the arguments are read before the call returns; the rest is
        // the caller's promise.
        let status = unsafe {
            cuda.api().cuLaunchKernel(
                self.handle,
                grid[0],
                grid[1],
                grid[2],
                block[0],
                block[1],
                block[2],
                0,
                stream.handle(),
                pointers.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        cuda.check("cuLaunchKernel", status)
    }
}
