//! Loading the driver library, its functions by name, and what can be asked without a context. Any
//! thread.
#![allow(unsafe_code, reason = "looks functions of the driver up and calls them")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::error::{CallError, GpuError, Kind, kind};

/// Environment variable that names the driver library; where it is set, nothing else is tried.
pub const DRIVER_VARIABLE: &str = "SONOFUSE_CUDA_LIB";

/// Names for the loader, then places of older JetPacks.
const NAMES: [&str; 4] = [
    "libcuda.so.1",
    "libcuda.so",
    "/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1",
    "/usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1",
];

/// An address of device memory.
pub(crate) type DevicePtr = u64;
/// An object of the driver.
pub(crate) type Handle = *mut c_void;

macro_rules! functions {
    ($($name:ident = $symbol:literal ($($argument:ty),*);)*) => {
        /// The functions in use. Their types are those of `cuda.h` (each answers a `CUresult`, an
        /// `int` in C's eyes), under the names that `cuda.h` gives them by macro.
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }

        impl Functions {
            fn load(library: &libloading::Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the type is the function's in `cuda.h`; the library is never
                        // unloaded.
                        let found = unsafe {
                            library.get::<unsafe extern "C" fn($($argument),*) -> c_int>($symbol.as_bytes())
                        };
                        *found.map_err(|_| $symbol)?
                    },)*
                })
            }
        }
    };
}

functions! {
    init = "cuInit"(c_uint);
    driver_version = "cuDriverGetVersion"(*mut c_int);
    error_name = "cuGetErrorName"(c_int, *mut *const c_char);
    error_string = "cuGetErrorString"(c_int, *mut *const c_char);
    device_count = "cuDeviceGetCount"(*mut c_int);
    device_get = "cuDeviceGet"(*mut c_int, c_int);
    device_name = "cuDeviceGetName"(*mut c_char, c_int, c_int);
    device_attribute = "cuDeviceGetAttribute"(*mut c_int, c_int, c_int);
    device_memory = "cuDeviceTotalMem_v2"(*mut usize, c_int);
    context_retain = "cuDevicePrimaryCtxRetain"(*mut Handle, c_int);
    context_release = "cuDevicePrimaryCtxRelease_v2"(c_int);
    context_reset = "cuDevicePrimaryCtxReset_v2"(c_int);
    context_set_current = "cuCtxSetCurrent"(Handle);
    memory_info = "cuMemGetInfo_v2"(*mut usize, *mut usize);
    memory_alloc = "cuMemAlloc_v2"(*mut DevicePtr, usize);
    memory_free = "cuMemFree_v2"(DevicePtr);
    host_alloc = "cuMemHostAlloc"(*mut Handle, usize, c_uint);
    host_free = "cuMemFreeHost"(Handle);
    host_device_pointer = "cuMemHostGetDevicePointer_v2"(*mut DevicePtr, Handle, c_uint);
    copy_to_device = "cuMemcpyHtoDAsync_v2"(DevicePtr, *const c_void, usize, Handle);
    copy_to_host = "cuMemcpyDtoHAsync_v2"(Handle, DevicePtr, usize, Handle);
    copy_2d = "cuMemcpy2DAsync_v2"(*const Copy2d, Handle);
    fill = "cuMemsetD8Async"(DevicePtr, u8, usize, Handle);
    stream_create = "cuStreamCreate"(*mut Handle, c_uint);
    stream_destroy = "cuStreamDestroy_v2"(Handle);
    stream_synchronize = "cuStreamSynchronize"(Handle);
    stream_begin_capture = "cuStreamBeginCapture_v2"(Handle, c_uint);
    stream_end_capture = "cuStreamEndCapture"(Handle, *mut Handle);
    graph_instantiate = "cuGraphInstantiateWithFlags"(*mut Handle, Handle, u64);
    graph_launch = "cuGraphLaunch"(Handle, Handle);
    graph_exec_destroy = "cuGraphExecDestroy"(Handle);
    graph_destroy = "cuGraphDestroy"(Handle);
    event_create = "cuEventCreate"(*mut Handle, c_uint);
    event_destroy = "cuEventDestroy_v2"(Handle);
    event_record = "cuEventRecord"(Handle, Handle);
    event_synchronize = "cuEventSynchronize"(Handle);
    event_elapsed = "cuEventElapsedTime"(*mut f32, Handle, Handle);
    module_load = "cuModuleLoadData"(*mut Handle, *const c_void);
    module_unload = "cuModuleUnload"(Handle);
    module_function = "cuModuleGetFunction"(*mut Handle, Handle, *const c_char);
    launch = "cuLaunchKernel"(Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut Handle, *mut Handle);
}

/// `CUDA_MEMCPY2D` of `cuda.h`.
#[repr(C)]
pub(crate) struct Copy2d {
    pub(crate) src_x: usize,
    pub(crate) src_y: usize,
    pub(crate) src_type: c_uint,
    pub(crate) src_host: *const c_void,
    pub(crate) src_device: DevicePtr,
    pub(crate) src_array: Handle,
    pub(crate) src_pitch: usize,
    pub(crate) dst_x: usize,
    pub(crate) dst_y: usize,
    pub(crate) dst_type: c_uint,
    pub(crate) dst_host: Handle,
    pub(crate) dst_device: DevicePtr,
    pub(crate) dst_array: Handle,
    pub(crate) dst_pitch: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// A loaded driver library, for the life of the process.
struct Loaded {
    path: PathBuf,
    functions: Functions,
}

/// The driver of this machine. A copy costs nothing.
#[derive(Clone, Copy)]
pub struct Cuda {
    loaded: &'static Loaded,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({})", self.loaded.path.display())
    }
}

/// What the driver says of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceInfo {
    /// Number of the device.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Compute capability: `[8, 7]` is sm_87, Orin.
    pub compute: [u32; 2],
    /// Its memory, bytes (shared with the CPU where `integrated`).
    pub memory: usize,
    /// How many multiprocessors it has.
    pub multiprocessors: u32,
    /// Whether it shares the CPU's memory, as on a Jetson.
    pub integrated: bool,
    /// Whether it can read the CPU's memory in place.
    pub maps_host_memory: bool,
}

impl DeviceInfo {
    /// The architecture as NVIDIA's tools write it: `sm_87`.
    pub fn architecture(&self) -> String {
        let [major, minor] = self.compute;
        format!("sm_{major}{minor}")
    }
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.memory >> 20;
        write!(f, "GPU {}: {} ({}, {mib} MiB)", self.index, self.name, self.architecture())
    }
}

impl Cuda {
    /// Loads and starts the driver of this machine: the library that [`DRIVER_VARIABLE`] names, else
    /// the loader's.
    ///
    /// # Errors
    /// [`GpuError::NoDriver`] with everything that was tried; [`GpuError::OldDriver`];
    /// [`GpuError::Call`] where it does not start (no device, driver and kernel module differ).
    pub fn open() -> Result<Self, GpuError> {
        let cuda = Self::load()?;
        cuda.start()?;
        Ok(cuda)
    }

    /// Loads the library at `path` and starts it.
    ///
    /// # Errors
    /// As [`Cuda::open`].
    pub fn open_at(path: &Path) -> Result<Self, GpuError> {
        let cuda = Self::load_first(std::iter::once(path.to_owned()))?;
        cuda.start()?;
        Ok(cuda)
    }

    pub(crate) fn load() -> Result<Self, GpuError> {
        match std::env::var_os(DRIVER_VARIABLE).filter(|named| !named.is_empty()) {
            Some(named) => Self::load_first(std::iter::once(named.into())),
            None => Self::load_first(NAMES.iter().map(PathBuf::from)),
        }
    }

    pub(crate) fn load_first(paths: impl Iterator<Item = PathBuf>) -> Result<Self, GpuError> {
        static LOADED: Mutex<Vec<&'static Loaded>> = Mutex::new(Vec::new());
        let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tried = Vec::new();
        for path in paths {
            if let Some(loaded) = all.iter().find(|loaded| loaded.path == path) {
                return Ok(Self { loaded });
            }
            // SAFETY: the initialisers of the driver only set up itself. A file that somebody puts in
            // its place runs as this program either way: the search is the loader's own.
            let library = match unsafe { libloading::Library::new(&path) } {
                Ok(library) => library,
                Err(error) => {
                    let words = std::error::Error::source(&error).map(ToString::to_string);
                    let words = words.unwrap_or_else(|| error.to_string());
                    // What is simply not there needs no words.
                    tried.push(if words.contains("No such file") {
                        path.display().to_string()
                    } else {
                        format!("{} ({words})", path.display())
                    });
                    continue;
                }
            };
            let functions = Functions::load(&library)
                .map_err(|symbol| GpuError::OldDriver { path: path.clone(), symbol })?;
            // The driver is never unloaded: threads of its own run in it.
            std::mem::forget(library);
            let loaded: &'static Loaded = Box::leak(Box::new(Loaded { path, functions }));
            all.push(loaded);
            return Ok(Self { loaded });
        }
        Err(GpuError::NoDriver { tried })
    }

    pub(crate) fn start(self) -> Result<(), GpuError> {
        // SAFETY: 0 is the only flag there is; may be called again and from any thread.
        self.check("cuInit", unsafe { (self.api().init)(0) })
    }

    pub(crate) fn api(self) -> &'static Functions {
        &self.loaded.functions
    }

    /// The file that was loaded.
    pub fn path(self) -> &'static Path {
        &self.loaded.path
    }

    /// The newest CUDA that the driver serves, `[12, 2]`.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    pub fn version(self) -> Result<[u32; 2], GpuError> {
        let mut code = 0;
        // SAFETY: writes one `int`.
        let status = unsafe { (self.api().driver_version)(&raw mut code) };
        self.check("cuDriverGetVersion", status)?;
        let code = code.max(0).unsigned_abs();
        Ok([code / 1000, code % 1000 / 10])
    }

    /// How many devices there are.
    ///
    /// # Errors
    /// [`GpuError::Call`].
    pub fn device_count(self) -> Result<usize, GpuError> {
        let mut count = 0;
        // SAFETY: writes one `int`.
        let status = unsafe { (self.api().device_count)(&raw mut count) };
        // 100, "no device", is an answer.
        if status == 100 {
            return Ok(0);
        }
        self.check("cuDeviceGetCount", status)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// What the driver says of a device.
    ///
    /// # Errors
    /// [`GpuError::NoDevice`]; [`GpuError::Call`].
    pub fn device(self, index: usize) -> Result<DeviceInfo, GpuError> {
        let device = self.device_number(index)?;
        let mut name = [0 as c_char; 256];
        // SAFETY: writes at most 255 characters and a zero into the array.
        let status = unsafe { (self.api().device_name)(name.as_mut_ptr(), 256, device) };
        self.check("cuDeviceGetName", status)?;
        // SAFETY: the array ends in a zero: the last element was never written.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        let mut memory = 0;
        // SAFETY: writes one `size_t`.
        let status = unsafe { (self.api().device_memory)(&raw mut memory, device) };
        self.check("cuDeviceTotalMem", status)?;
        let attribute = |number: c_int| {
            let mut value = 0;
            // SAFETY: writes one `int`.
            let status = unsafe { (self.api().device_attribute)(&raw mut value, number, device) };
            self.check("cuDeviceGetAttribute", status).map(|()| value.max(0).unsigned_abs())
        };
        Ok(DeviceInfo {
            index,
            name,
            compute: [attribute(75)?, attribute(76)?],
            memory,
            multiprocessors: attribute(16)?,
            integrated: attribute(18)? != 0,
            maps_host_memory: attribute(19)? != 0,
        })
    }

    pub(crate) fn device_number(self, index: usize) -> Result<c_int, GpuError> {
        let count = self.device_count()?;
        if index >= count {
            return Err(GpuError::NoDevice { index, count });
        }
        let mut device = 0;
        // SAFETY: writes one `int`.
        let status = unsafe { (self.api().device_get)(&raw mut device, index as c_int) };
        self.check("cuDeviceGet", status)?;
        Ok(device)
    }

    /// Makes an error of a number other than 0.
    pub(crate) fn check(self, call: &'static str, code: c_int) -> Result<(), GpuError> {
        self.check_memory(call, code, "a driver call", 0)
    }

    pub(crate) fn check_memory(
        self,
        call: &'static str,
        code: c_int,
        what: &'static str,
        bytes: usize,
    ) -> Result<(), GpuError> {
        if code == 0 {
            return Ok(());
        }
        let text = |function: unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int| {
            let mut text: *const c_char = std::ptr::null();
            // SAFETY: writes one pointer: null, or a text that is part of the library.
            let known = unsafe { function(code, &raw mut text) } == 0 && !text.is_null();
            if !known {
                return "unknown to this driver".to_owned();
            }
            // SAFETY: checked above; such texts end in a zero and live as long as the library.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        let error = || CallError {
            call,
            code,
            name: text(self.api().error_name),
            words: text(self.api().error_string),
        };
        Err(match kind(code) {
            Kind::OutOfMemory => GpuError::OutOfMemory { what, bytes },
            Kind::Lost => GpuError::Lost(error()),
            Kind::Other => GpuError::Call(error()),
        })
    }
}
