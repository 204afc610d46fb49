//! Loading the driver library, its functions by name, and what can be asked without a context. Any
//! thread.
#![allow(unsafe_code, reason = "looks functions of the driver up and calls them")]

use std::ffi::{CStr, c_char, c_int, c_uchar, c_uint, c_ulonglong, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cudarc::driver::sys;
use serde::Serialize;
use sonofuse_tensorrt::Version;

use crate::error::{CallError, GpuError, Kind, kind};
use crate::probe::too_old;

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
pub(crate) type DevicePtr = sys::CUdeviceptr;
/// What the driver answers. An integer: `CUresult` is closed in Rust, and a newer driver's number in it
/// would be undefined behaviour.
pub(crate) type Code = c_int;

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty $(as $theirs:ty)?),*);)*) => {
        /// The functions in use, by their names in the library.
        #[allow(non_snake_case, reason = "the driver's names")]
        pub(crate) struct Functions {
            $($name: unsafe extern "C" fn($($type),*) -> Code,)*
        }

        // cudarc's bindings are made from NVIDIA's header: a type that differs from theirs does not
        // compile. Where theirs is the closed enum (`as`), the integer has its size.
        const _: () = {
            $(
                let _: unsafe fn($(theirs!($type $(as $theirs)?)),*) -> sys::CUresult = sys::$name;
                $($(assert!(size_of::<$type>() == size_of::<$theirs>());)?)*
            )*
            assert!(size_of::<Code>() == size_of::<sys::CUresult>());
        };

        impl Functions {
            /// The name of the first function that the library lacks is the error.
            fn load(library: &libloading::Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the type is NVIDIA's, compared above; the library is never unloaded.
                        let found = unsafe {
                            library.get::<unsafe extern "C" fn($($type),*) -> Code>(stringify!($name))
                        };
                        *found.map_err(|_| stringify!($name))?
                    },)*
                })
            }

            $(
                /// # Safety
                /// As NVIDIA's documentation of the function demands.
                #[allow(non_snake_case, reason = "the driver's name")]
                #[allow(clippy::too_many_arguments, reason = "the driver's")]
                #[inline]
                pub(crate) unsafe fn $name(&self, $($argument: $type),*) -> Code {
                    // SAFETY: the caller's promise, passed on.
                    unsafe { (self.$name)($($argument),*) }
                }
            )*
        }
    };
}

macro_rules! theirs {
    ($ours:ty) => {
        $ours
    };
    ($ours:ty as $theirs:ty) => {
        $theirs
    };
}

functions! {
    cuInit(flags: c_uint);
    cuDriverGetVersion(version: *mut c_int);
    cuGetErrorName(code: Code as sys::CUresult, text: *mut *const c_char);
    cuGetErrorString(code: Code as sys::CUresult, text: *mut *const c_char);
    cuDeviceGetCount(count: *mut c_int);
    cuDeviceGet(device: *mut sys::CUdevice, index: c_int);
    cuDeviceGetName(name: *mut c_char, length: c_int, device: sys::CUdevice);
    cuDeviceGetAttribute(value: *mut c_int, attribute: sys::CUdevice_attribute, device: sys::CUdevice);
    cuDeviceTotalMem_v2(bytes: *mut usize, device: sys::CUdevice);
    cuDevicePrimaryCtxSetFlags_v2(device: sys::CUdevice, flags: c_uint);
    cuDevicePrimaryCtxRetain(context: *mut sys::CUcontext, device: sys::CUdevice);
    cuDevicePrimaryCtxRelease_v2(device: sys::CUdevice);
    cuDevicePrimaryCtxReset_v2(device: sys::CUdevice);
    cuCtxSetCurrent(context: sys::CUcontext);
    cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    cuMemAlloc_v2(address: *mut sys::CUdeviceptr, bytes: usize);
    cuMemFree_v2(address: sys::CUdeviceptr);
    cuMemHostAlloc(memory: *mut *mut c_void, bytes: usize, flags: c_uint);
    cuMemFreeHost(memory: *mut c_void);
    cuMemHostGetDevicePointer_v2(address: *mut sys::CUdeviceptr, memory: *mut c_void, flags: c_uint);
    cuMemcpyHtoDAsync_v2(to: sys::CUdeviceptr, from: *const c_void, bytes: usize, stream: sys::CUstream);
    cuMemcpyDtoHAsync_v2(to: *mut c_void, from: sys::CUdeviceptr, bytes: usize, stream: sys::CUstream);
    cuMemcpy2DAsync_v2(copy: *const sys::CUDA_MEMCPY2D, stream: sys::CUstream);
    cuMemsetD8Async(to: sys::CUdeviceptr, byte: c_uchar, bytes: usize, stream: sys::CUstream);
    cuStreamCreate(stream: *mut sys::CUstream, flags: c_uint);
    cuStreamDestroy_v2(stream: sys::CUstream);
    cuStreamSynchronize(stream: sys::CUstream);
    cuStreamBeginCapture_v2(stream: sys::CUstream, mode: sys::CUstreamCaptureMode);
    cuStreamEndCapture(stream: sys::CUstream, graph: *mut sys::CUgraph);
    cuGraphInstantiateWithFlags(executable: *mut sys::CUgraphExec, graph: sys::CUgraph, flags: c_ulonglong);
    cuGraphLaunch(executable: sys::CUgraphExec, stream: sys::CUstream);
    cuGraphExecDestroy(executable: sys::CUgraphExec);
    cuGraphDestroy(graph: sys::CUgraph);
    cuEventCreate(event: *mut sys::CUevent, flags: c_uint);
    cuEventDestroy_v2(event: sys::CUevent);
    cuEventRecord(event: sys::CUevent, stream: sys::CUstream);
    cuEventSynchronize(event: sys::CUevent);
    cuEventElapsedTime(ms: *mut f32, from: sys::CUevent, to: sys::CUevent);
    cuModuleLoadData(module: *mut sys::CUmodule, image: *const c_void);
    cuModuleUnload(module: sys::CUmodule);
    cuModuleGetFunction(function: *mut sys::CUfunction, module: sys::CUmodule, name: *const c_char);
    cuLaunchKernel(
        function: sys::CUfunction, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint,
        block_y: c_uint, block_z: c_uint, shared: c_uint, stream: sys::CUstream,
        arguments: *mut *mut c_void, extra: *mut *mut c_void
    );
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
    /// Refuses a device that is too old for our kernels, or for the TensorRT of this version.
    ///
    /// # Errors
    /// [`GpuError::OldDevice`].
    pub fn check_age(&self, tensorrt: Option<&Version>) -> Result<(), GpuError> {
        let numbers = tensorrt.filter(|v| !v.is_rtx()).map(|v| [v.major(), v.minor()]);
        match too_old(self.compute, numbers) {
            Some(why) => Err(GpuError::OldDevice { device: self.to_string(), why }),
            None => Ok(()),
        }
    }

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
        self.check("cuInit", unsafe { self.api().cuInit(0) })
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
        let status = unsafe { self.api().cuDriverGetVersion(&raw mut code) };
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
        let status = unsafe { self.api().cuDeviceGetCount(&raw mut count) };
        // "No device" is an answer.
        if status == sys::CUresult::CUDA_ERROR_NO_DEVICE as Code {
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
        use sys::CUdevice_attribute as A;
        let device = self.device_number(index)?;
        let mut name = [0 as c_char; 256];
        // SAFETY: writes at most the 255 characters that it is told, its zero among them.
        let status = unsafe { self.api().cuDeviceGetName(name.as_mut_ptr(), 255, device) };
        self.check("cuDeviceGetName", status)?;
        // SAFETY: the array ends in a zero: the last element is never written.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        let mut memory = 0;
        // SAFETY: writes one `size_t`.
        let status = unsafe { self.api().cuDeviceTotalMem_v2(&raw mut memory, device) };
        self.check("cuDeviceTotalMem", status)?;
        let attribute = |which| {
            let mut value = 0;
            // SAFETY: writes one `int`.
            let status = unsafe { self.api().cuDeviceGetAttribute(&raw mut value, which, device) };
            self.check("cuDeviceGetAttribute", status).map(|()| value.max(0).unsigned_abs())
        };
        Ok(DeviceInfo {
            index,
            name,
            compute: [
                attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ],
            memory,
            multiprocessors: attribute(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            integrated: attribute(A::CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
            maps_host_memory: attribute(A::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY)? != 0,
        })
    }

    pub(crate) fn device_number(self, index: usize) -> Result<sys::CUdevice, GpuError> {
        let count = self.device_count()?;
        if index >= count {
            return Err(GpuError::NoDevice { index, count });
        }
        let mut device = 0;
        // SAFETY: writes one `int`.
        let status = unsafe { self.api().cuDeviceGet(&raw mut device, index as c_int) };
        self.check("cuDeviceGet", status)?;
        Ok(device)
    }

    /// Makes an error of a number other than 0.
    pub(crate) fn check(self, call: &'static str, code: Code) -> Result<(), GpuError> {
        self.check_memory(call, code, "a driver call", 0)
    }

    pub(crate) fn check_memory(
        self,
        call: &'static str,
        code: Code,
        what: &'static str,
        bytes: usize,
    ) -> Result<(), GpuError> {
        if code == 0 {
            return Ok(());
        }
        let text = |ask: &dyn Fn(*mut *const c_char) -> Code| {
            let mut text: *const c_char = std::ptr::null();
            if ask(&raw mut text) != 0 || text.is_null() {
                return "unknown to this driver".to_owned();
            }
            // SAFETY: the driver answered a text: it ends in a zero and is part of the library, which is
            // never unloaded.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        let error = || CallError {
            call,
            code,
            // SAFETY: writes one pointer, null or a text; any number may be asked for.
            name: text(&|to| unsafe { self.api().cuGetErrorName(code, to) }),
            // SAFETY: as above.
            words: text(&|to| unsafe { self.api().cuGetErrorString(code, to) }),
        };
        Err(match kind(code) {
            Kind::OutOfMemory => GpuError::OutOfMemory { what, bytes },
            Kind::Lost => GpuError::Lost(error()),
            Kind::Replaced => GpuError::Replaced(error()),
            Kind::Other => GpuError::Call(error()),
        })
    }
}
