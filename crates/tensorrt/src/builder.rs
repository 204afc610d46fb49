//! The builder: turns networks into plans. One thread at a time for it and all that it makes, held
//! by the types: what it makes borrows from it, and a borrow of it cannot leave the thread.
#![allow(unsafe_code, reason = "takes over what the factory answers")]

use crate::abi::Era;
use crate::config::BuilderConfig;
use crate::error::Error;
use crate::library::{Library, failed};
use crate::memory::HostMemory;
use crate::network::NetworkDefinition;
use crate::profile::OptimizationProfile;
use crate::raw::builder::RawBuilder;

/// Builds engines.
///
/// ```compile_fail,E0277
/// fn share<T: Sync>() {}
/// share::<sonofuse_tensorrt::Builder>(); // one thread at a time
/// ```
#[derive(Debug)]
pub struct Builder {
    pub(crate) raw: RawBuilder,
    library: Library,
}

/// Who chooses the precision of a network's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Typing {
    /// The version's own way: TensorRT chooses, within what the config allows, in 8.6 and 10; the
    /// model says in 11.
    #[default]
    Default,
    /// The model says, exactly (10 and later): an fp16 model runs in fp16.
    Strong,
}

impl Builder {
    pub(crate) fn new(library: Library) -> Result<Self, Error> {
        let heard = library.call();
        let object = library.create_builder_object().ok_or(Error::NotInThisVersion {
            feature: "the builder",
            version: library.version(),
            advice: "this is the lean runtime, which only runs engines: install the full TensorRT",
        })?;
        // SAFETY: the answer of the factory of a library that is never unloaded, with its table.
        let raw = unsafe { RawBuilder::open(object, library.loaded.abi) }
            .map_err(|bad| Library::no_object("createInferBuilder", &heard, bad))?;
        Ok(Self { raw, library })
    }

    /// The library that this builder is of.
    pub fn library(&self) -> Library {
        self.library
    }

    /// Makes an empty network, to be filled by an [`OnnxParser`](crate::OnnxParser).
    ///
    /// # Errors
    /// [`Error::NotInThisVersion`] for strong typing in 8.6; [`Error::Failed`].
    pub fn create_network(&self, typing: Typing) -> Result<NetworkDefinition<'_>, Error> {
        let flag = self.raw.abi.network_flag.strongly_typed;
        let strong = match (typing, self.raw.abi.era) {
            // 11 has strong typing always, and the flag for old programs only.
            (Typing::Default, _) | (Typing::Strong, Era::V11) => 0,
            (Typing::Strong, _) => {
                1 << flag.ok_or(Error::NotInThisVersion {
                    feature: "a strongly typed network",
                    version: self.library.version(),
                    advice: "use Typing::Default and BuilderConfig::allow_fp16",
                })?
            }
        };
        // The other kind of batch is long gone, but 8.6 wants to be told.
        let explicit = self.raw.abi.network_flag.explicit_batch.map_or(0, |flag| 1 << flag);
        let heard = self.library.call();
        let raw = self
            .raw
            .create_network(strong | explicit)
            .map_err(|bad| Library::no_object("createNetworkV2", &heard, bad))?;
        Ok(NetworkDefinition::new(raw, self, strong != 0))
    }

    /// Makes a config with TensorRT's defaults.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn create_config(&self) -> Result<BuilderConfig<'_>, Error> {
        let heard = self.library.call();
        let raw = self.raw.create_config();
        raw.map(|raw| BuilderConfig::new(raw, self))
            .map_err(|bad| Library::no_object("createBuilderConfig", &heard, bad))
    }

    /// Makes an empty optimization profile, to be filled and added to a config.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn create_profile(&self) -> Result<OptimizationProfile<'_>, Error> {
        let heard = self.library.call();
        let raw = self.raw.create_profile();
        raw.map(|raw| OptimizationProfile::new(raw, self))
            .map_err(|bad| Library::no_object("createOptimizationProfile", &heard, bad))
    }

    /// Builds the network into a plan. Takes seconds to many minutes, and all of the GPU.
    ///
    /// # Errors
    /// [`Error::Cancelled`] by the progress monitor; [`Error::OtherBuilder`]; [`Error::Failed`] with
    /// TensorRT's words.
    pub fn build(
        &self,
        network: &NetworkDefinition<'_>,
        config: &mut BuilderConfig<'_>,
    ) -> Result<HostMemory, Error> {
        self.made(network, config)?;
        let heard = self.library.call();
        let _earlier = config.raw.take_cancelled();
        self.raw.build(&network.raw, &config.raw).map(HostMemory).map_err(|bad| {
            if config.raw.take_cancelled() {
                return Error::Cancelled;
            }
            Library::no_object("buildSerializedNetwork", &heard, bad)
        })
    }

    /// Asks whether the network is within what the config's engine capability allows, without a
    /// build.
    ///
    /// # Errors
    /// [`Error::OtherBuilder`]; [`Error::Failed`] with TensorRT's words where it is not.
    pub fn check(
        &self,
        network: &NetworkDefinition<'_>,
        config: &BuilderConfig<'_>,
    ) -> Result<(), Error> {
        self.made(network, config)?;
        let heard = self.library.call();
        if self.raw.is_supported(&network.raw, &config.raw) {
            return Ok(());
        }
        Err(failed("isNetworkSupported", &heard))
    }

    fn made(
        &self,
        network: &NetworkDefinition<'_>,
        config: &BuilderConfig<'_>,
    ) -> Result<(), Error> {
        if !std::ptr::eq(network.builder, self) {
            return Err(Error::OtherBuilder { what: "network" });
        }
        if !std::ptr::eq(config.builder, self) {
            return Err(Error::OtherBuilder { what: "config" });
        }
        Ok(())
    }

    /// Whether TensorRT can choose fp16 for an fp32 model ([`BuilderConfig::allow_fp16`]): 8.6 and 10.
    /// Later the model's own types are what is computed in.
    pub fn can_choose_fp16(&self) -> bool {
        self.raw.abi.flag.fp16.is_some()
    }

    /// How many DLA cores this machine has (0 without).
    pub fn dla_cores(&self) -> usize {
        usize::try_from(self.raw.dla_cores()).unwrap_or(0)
    }

    /// The most threads that a build may use.
    pub fn max_threads(&self) -> usize {
        usize::try_from(self.raw.max_threads()).unwrap_or(0)
    }

    /// Sets the most threads that a build may use (1 or more).
    ///
    /// # Errors
    /// [`Error::Failed`] where TensorRT refuses the number.
    pub fn set_max_threads(&mut self, threads: usize) -> Result<(), Error> {
        let heard = self.library.call();
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        if self.raw.set_max_threads(threads) {
            return Ok(());
        }
        Err(failed("setMaxThreads", &heard))
    }
}
