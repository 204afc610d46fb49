//! How an engine is to be built. Thread of the builder.

use crate::abi::Era;
use crate::builder::Builder;
use crate::error::Error;
use crate::library::{Library, failed};
use crate::memory::HostMemory;
use crate::network::NetworkDefinition;
use crate::profile::OptimizationProfile;
use crate::progress::{Monitor, ProgressMonitor};
use crate::raw::builder::RawConfig;

/// What happens to layers that the DLA cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuFallback {
    /// They run on the GPU. TensorRT does so without a word:
    /// [`BuilderConfig::layers_off_dla`] tells which.
    Allowed,
    /// The build fails.
    Refused,
}

/// Wishes for a build.
#[derive(Debug)]
pub struct BuilderConfig<'b> {
    pub(crate) raw: RawConfig,
    pub(crate) builder: &'b Builder,
}

impl<'b> BuilderConfig<'b> {
    pub(crate) fn new(raw: RawConfig, builder: &'b Builder) -> Self {
        Self { raw, builder }
    }

    /// The builder that made this config.
    pub fn builder(&self) -> &'b Builder {
        self.builder
    }

    fn library(&self) -> Library {
        self.builder.library()
    }

    fn is<T: PartialEq + ToString>(setting: &'static str, asked: &T, has: &T) -> Result<(), Error> {
        if asked == has {
            return Ok(());
        }
        Err(Error::NotTaken { setting, asked: asked.to_string(), has: has.to_string() })
    }

    fn set_flag(&mut self, setting: &'static str, flag: usize, on: bool) -> Result<(), Error> {
        self.raw.set_flag(flag, on);
        Self::is(setting, &on, &self.raw.flag(flag))
    }

    /// Sets the most device memory that a layer may use for scratch, bytes.
    ///
    /// # Errors
    /// [`Error::NotTaken`] where TensorRT finds the number out of range.
    pub fn set_workspace_limit(&mut self, bytes: usize) -> Result<(), Error> {
        self.raw.set_workspace_limit(bytes);
        Self::is("workspace limit", &bytes, &self.raw.workspace_limit())
    }

    /// The workspace limit, bytes. By default all of the device's memory.
    pub fn workspace_limit(&self) -> usize {
        self.raw.workspace_limit()
    }

    /// Sets how long TensorRT may search for fast kernels: 0 (shortest) to 5; 3 by default.
    ///
    /// # Errors
    /// [`Error::NotTaken`] where TensorRT finds the number out of range.
    pub fn set_optimization_level(&mut self, level: u8) -> Result<(), Error> {
        self.raw.set_optimization_level(level.into());
        Self::is("optimization level", &i32::from(level), &self.raw.optimization_level())
    }

    /// Lets TensorRT choose fp16 kernels where they are faster; inputs and outputs keep their type.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 11, where precision is the model's matter.
    pub fn allow_fp16(&mut self) -> Result<(), Error> {
        let flag = self.builder.raw.abi.flag.fp16.ok_or(Error::NotInThisVersion {
            feature: "choosing fp16 for an fp32 model",
            version: self.library().version(),
            advice: "convert the ONNX model to fp16 (fp32 inputs and outputs may stay) and build \
                     that: its types decide",
        })?;
        self.set_flag("fp16", flag, true)
    }

    /// Whether fp16 kernels may be chosen.
    pub fn fp16_allowed(&self) -> bool {
        self.builder.raw.abi.flag.fp16.is_some_and(|flag| self.raw.flag(flag))
    }

    /// Lets fp32 convolutions run on TF32 units (on by default; about 10 bits of mantissa).
    ///
    /// # Errors
    /// [`Error::NotTaken`].
    pub fn set_tf32(&mut self, on: bool) -> Result<(), Error> {
        self.set_flag("TF32", self.builder.raw.abi.flag.tf32, on)
    }

    /// Makes a plan that later versions of the same major can load. Such a plan brings a runtime
    /// along and is a program: see
    /// [`Runtime::allow_engine_host_code`](crate::Runtime::allow_engine_host_code).
    ///
    /// # Errors
    /// [`Error::NotTaken`].
    pub fn set_version_compatible(&mut self, on: bool) -> Result<(), Error> {
        self.set_flag("version compatible", self.builder.raw.abi.flag.version_compatible, on)
    }

    /// Whether the plan will be version-compatible.
    pub fn version_compatible(&self) -> bool {
        self.raw.flag(self.builder.raw.abi.flag.version_compatible)
    }

    /// Leaves the runtime out of a version-compatible plan; the machine must then have one.
    ///
    /// # Errors
    /// [`Error::NotTaken`].
    pub fn set_exclude_lean_runtime(&mut self, on: bool) -> Result<(), Error> {
        self.set_flag("exclude lean runtime", self.builder.raw.abi.flag.exclude_lean_runtime, on)
    }

    /// Makes a plan that runs on every GPU from Ampere on, somewhat slower. Not for Jetson.
    pub fn set_hardware_ampere_plus(&mut self) {
        self.raw.set_hardware_ampere_plus();
    }

    /// Sets how many streams of its own an engine may use besides the caller's; 0 keeps an
    /// inference on one stream.
    pub fn set_max_aux_streams(&mut self, streams: u8) {
        self.raw.set_max_aux_streams(streams.into());
    }

    /// Keeps what the [inspector](crate::Engine::inspect) can tell of each layer.
    pub fn set_detailed_profiling(&mut self) {
        self.raw.set_detailed_profiling();
    }

    /// Puts the network onto a DLA core. The DLA computes in fp16 or int8: call
    /// [`BuilderConfig::allow_fp16`] too, or bring such a model.
    ///
    /// # Errors
    /// [`Error::NoSuchIndex`] beyond [`Builder::dla_cores`]; [`Error::NotTaken`].
    pub fn use_dla(&mut self, core: usize, fallback: GpuFallback) -> Result<(), Error> {
        let count = self.builder.dla_cores();
        if core >= count {
            return Err(Error::NoSuchIndex { what: "DLA core", index: core, count });
        }
        self.raw.set_dla(core as i32);
        if self.raw.dla_core() != Some(core as i32) {
            self.raw.set_gpu();
            let has = "the GPU".to_owned();
            return Err(Error::NotTaken { setting: "DLA core", asked: core.to_string(), has });
        }
        let on = fallback == GpuFallback::Allowed;
        self.set_flag("GPU fallback", self.builder.raw.abi.flag.gpu_fallback, on)
    }

    /// The DLA core that the network is put onto.
    pub fn dla_core(&self) -> Option<usize> {
        self.raw.dla_core().and_then(|core| usize::try_from(core).ok())
    }

    /// Names of the layers that the DLA cannot run and that fall back to the GPU. Layers are fused
    /// later, so this is what to report, not what to count.
    ///
    /// # Errors
    /// [`Error::OtherBuilder`].
    pub fn layers_off_dla(&self, network: &NetworkDefinition<'_>) -> Result<Vec<String>, Error> {
        if !std::ptr::eq(network.builder, self.builder) {
            return Err(Error::OtherBuilder { what: "network" });
        }
        Ok(self.raw.layers_off_dla(&network.raw))
    }

    /// Adds an optimization profile and answers its index. A network with open extents needs one.
    ///
    /// # Errors
    /// [`Error::OtherBuilder`]; [`Error::Failed`] with TensorRT's words where the profile is not in
    /// order.
    pub fn add_profile(&mut self, profile: &OptimizationProfile<'_>) -> Result<usize, Error> {
        if !std::ptr::eq(profile.builder, self.builder) {
            return Err(Error::OtherBuilder { what: "profile" });
        }
        let heard = self.library().call();
        let index = self.raw.add_profile(profile.raw);
        usize::try_from(index).map_err(|_| failed("addOptimizationProfile", &heard))
    }

    /// How many optimization profiles were added.
    pub fn profiles(&self) -> usize {
        usize::try_from(self.raw.profiles()).unwrap_or(0)
    }

    /// Starts from the timings of an earlier build, or from an empty cache with `&[]`.
    ///
    /// A cache belongs to a GPU, a CUDA version and a TensorRT version. `Ok(false)`: it is for
    /// another machine and was not taken, the build times everything anew.
    ///
    /// Some versions take bytes that are no cache at all for an empty one, with a warning in the log.
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words where the bytes are no timing cache.
    pub fn load_timing_cache(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        let heard = self.library().call();
        let taken = self.raw.set_timing_cache(bytes, false);
        taken.map_err(|bad| Library::no_object("createTimingCache", &heard, bad))
    }

    /// The timings as they are now, to be kept for the next build. `None` where the config has no
    /// cache: call [`BuilderConfig::load_timing_cache`] before the build.
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words.
    pub fn timing_cache(&self) -> Result<Option<HostMemory>, Error> {
        let heard = self.library().call();
        match self.raw.timing_cache() {
            Ok(cache) => Ok(cache.map(HostMemory)),
            Err(bad) => Err(Library::no_object("getTimingCache", &heard, bad)),
        }
    }

    /// Has `watcher` follow the build.
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] in 8.6.
    pub fn set_progress_monitor(
        &mut self,
        watcher: impl ProgressMonitor + 'static,
    ) -> Result<(), Error> {
        if self.builder.raw.abi.era != Era::V8
            && self.raw.set_monitor(Box::new(Monitor::new(Box::new(watcher))))
        {
            return Ok(());
        }
        Err(Error::NotInThisVersion {
            feature: "a progress monitor",
            version: self.library().version(),
            advice: "show that the build is under way, without a figure",
        })
    }
}
