//! Driver, device and TensorRT of this machine, and the engine of a model for them.

use std::path::PathBuf;
use std::sync::Arc;

use sonofuse_core::manifest::Manifest;
use sonofuse_gpu::cache::{Cache, CacheError, EngineKey, Shapes, Stored};
use sonofuse_gpu::{
    Built, Cuda, DeviceInfo, GpuError, GpuScorer, NetworkSource, OLDEST_CUDA, Options, Order, build,
};
use sonofuse_tensorrt::{Library, ProgressMonitor};

use super::{Obstacle, Settings, TensorRtScorer};
use crate::scoring::ModelFiles;

/// A GPU with everything that running an engine on it needs. A copy costs little.
#[derive(Clone, Debug)]
pub struct Gpu {
    cuda: Cuda,
    device: DeviceInfo,
    library: Library,
}

impl Gpu {
    /// Looks for driver, device and TensorRT.
    ///
    /// # Errors
    /// [`Obstacle`], the first that there is.
    pub fn find(settings: &Settings) -> Result<Self, Obstacle> {
        let cuda = Cuda::open().map_err(|error| match error {
            GpuError::NoDriver { tried } => Obstacle::NoDriver { tried: tried.join(", ") },
            error @ GpuError::Replaced(_) => Obstacle::DriverReplaced(error),
            error => Obstacle::Driver(error),
        })?;
        let version = cuda.version().map_err(Obstacle::Driver)?;
        if version < OLDEST_CUDA {
            return Err(Obstacle::OldDriver { cuda: version });
        }
        let device = cuda.device(settings.device).map_err(|error| match error {
            GpuError::NoDevice { index, count } => Obstacle::NoDevice { index, count },
            error => Obstacle::Driver(error),
        })?;
        // Said before anybody is told to install something.
        device.check_age(None).map_err(Obstacle::OldDevice)?;
        let library = Library::open().map_err(|error| match error {
            error @ (sonofuse_tensorrt::Error::NotFound { .. }
            | sonofuse_tensorrt::Error::Load { .. }) => Obstacle::NoTensorRt(error),
            error => Obstacle::TensorRt(error),
        })?;
        device.check_age(Some(&library.version())).map_err(Obstacle::OldDevice)?;
        Ok(Self { cuda, device, library })
    }

    /// The device.
    pub const fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// The driver.
    pub const fn cuda(&self) -> Cuda {
        self.cuda
    }

    /// TensorRT.
    pub const fn library(&self) -> Library {
        self.library
    }

    /// What an engine of a model must be built for, to be used here as configured.
    ///
    /// # Errors
    /// [`Obstacle::Driver`].
    pub fn key(&self, manifest: &Manifest, settings: &Settings) -> Result<EngineKey, Obstacle> {
        let shapes = Shapes::of(&manifest.input.size);
        let key = EngineKey::here(self.cuda, &self.device, self.library, &manifest.sha256, shapes)
            .map_err(Obstacle::Driver)?;
        let workspace = Some(settings.workspace_mib << 20).filter(|&bytes| bytes > 0);
        Ok(EngineKey { precision: settings.precision, workspace, ..key })
    }

    /// Reads the engine of a key from the first folder that has it.
    ///
    /// # Errors
    /// [`Obstacle::NoEngine`] with what others of the model there were built for,
    /// [`Obstacle::BuildFailed`] or [`Obstacle::Unreadable`].
    pub fn engine(&self, key: &EngineKey, folders: &[PathBuf]) -> Result<Stored, Obstacle> {
        let mut unreadable = None;
        for folder in folders {
            match Cache::at(folder).load(key) {
                Ok(Some(stored)) => return Ok(stored),
                Ok(None) => {}
                Err(error) => unreadable = unreadable.or(Some(error)),
            }
        }
        if let Some(error) = unreadable.filter(|error| !is_denied(error)) {
            return Err(Obstacle::Unreadable(error));
        }
        match folders.iter().find_map(|folder| Cache::at(folder).failure(key)) {
            Some(failure) => Err(Obstacle::BuildFailed(Box::new(failure))),
            None => Err(Obstacle::NoEngine {
                folders: folders.to_vec(),
                id: key.id(),
                nearest: nearest(key, folders),
            }),
        }
    }

    /// Loads a plan onto the device.
    ///
    /// # Errors
    /// [`Obstacle::Start`].
    pub fn start(
        &self,
        files: &ModelFiles,
        plan: impl Into<Arc<[u8]>>,
        options: Options,
        why: String,
    ) -> Result<TensorRtScorer, Obstacle> {
        let manifest = &files.manifest;
        let source =
            NetworkSource::TensorRt { library: self.library, plan: plan.into(), path: None };
        let gpu = GpuScorer::load_on(self.cuda, &manifest.input, &manifest.output, source, options)
            .map_err(Obstacle::Start)?;
        Ok(TensorRtScorer::new(gpu, files, self.library.version(), why))
    }

    /// How a model is run on this device, as configured.
    pub fn options(settings: &Settings) -> Options {
        Options { device: settings.device, ..Options::default() }
    }

    /// Builds the plan of a key: minutes, and all of the GPU.
    ///
    /// # Errors
    /// [`GpuError`] with TensorRT's words.
    pub fn build(
        &self,
        files: &ModelFiles,
        key: &EngineKey,
        timings: &[u8],
        progress: Option<Box<dyn ProgressMonitor>>,
    ) -> Result<Built, GpuError> {
        let order = Order {
            cuda: self.cuda,
            device: self.device.index,
            library: self.library,
            onnx: &files.bytes,
            input: &files.manifest.input,
            output: &files.manifest.output,
            key,
        };
        build(&order, timings, progress)
    }
}

/// A folder of somebody else that may not be read holds nothing for us.
fn is_denied(error: &CacheError) -> bool {
    matches!(error, CacheError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// The fewest differences of an engine of the same model from a key, in words.
fn nearest(key: &EngineKey, folders: &[PathBuf]) -> Vec<String> {
    let entries = folders.iter().flat_map(|folder| Cache::at(folder).list().unwrap_or_default());
    let headers = entries.filter_map(|entry| entry.header.ok());
    let same = headers.filter(|header| header.key.model_sha256 == key.model_sha256);
    same.map(|header| header.key.differences(key)).min_by_key(Vec::len).unwrap_or_default()
}
