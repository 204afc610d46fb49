//! `IBuilder` and what it makes: `IBuilderConfig`, `IOptimizationProfile`, `ITimingCache`; networks
//! are in `network`. One thread at a time for a builder and everything that it made.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

use super::memory::RawHostMemory;
use super::network::RawNetwork;
use super::{Bad, Dims32, Dims64, Object, Owned, Ptr, call, call_shape};
use crate::abi::{Abi, Era, same};
use crate::progress::Monitor;
use crate::types::{ProfilePoint, Shape};
use std::ffi::{CStr, c_char, c_void};

#[derive(Debug)]
pub(crate) struct RawBuilder {
    owned: Owned,
    pub(crate) abi: &'static Abi,
}

// SAFETY: the object is not bound to the thread that made it. Two threads must not use it at once,
// so there is no Sync, and what it makes borrows from it.
unsafe impl Send for RawBuilder {}

impl RawBuilder {
    /// # Safety
    /// `pointer` is the answer of `createInferBuilder` of a library that `abi` describes and that
    /// is never unloaded.
    pub(crate) unsafe fn open(pointer: Ptr, abi: &'static Abi) -> Result<Self, Bad> {
        // SAFETY: the caller vouches for the answer.
        Ok(Self { owned: unsafe { Owned::open(pointer) }?, abi })
    }

    pub(crate) fn create_config(&self) -> Result<RawConfig, Bad> {
        let slot = self.abi.builder.create_builder_config;
        // SAFETY: the tables; the answer is a new object.
        let owned = unsafe { Owned::open(call!(self.owned.it(), slot, fn() -> Ptr)) }?;
        Ok(RawConfig { cache: None, owned, monitor: None, abi: self.abi })
    }

    pub(crate) fn create_network(&self, flags: u32) -> Result<RawNetwork, Bad> {
        let slot = self.abi.builder.create_network_v2;
        // SAFETY: the tables; the answer is a new object.
        unsafe { RawNetwork::open(call!(self.owned.it(), slot, fn(u32) -> Ptr, flags), self.abi) }
    }

    /// The profile belongs to the builder and ends with it.
    pub(crate) fn create_profile(&self) -> Result<RawProfile, Bad> {
        let slot = self.abi.builder.create_optimization_profile;
        // SAFETY: the tables.
        let object = unsafe { Object::open(call!(self.owned.it(), slot, fn() -> Ptr)) }?;
        Ok(RawProfile { object, abi: self.abi })
    }

    pub(crate) fn build(
        &self,
        network: &RawNetwork,
        config: &RawConfig,
    ) -> Result<RawHostMemory, Bad> {
        // SAFETY: the tables; references are passed as pointers to the public objects, which were
        // made by this builder (the caller checks). The answer is a new object.
        unsafe {
            let memory = call!(
                self.owned.it(),
                self.abi.builder.build_serialized_network,
                fn(Ptr, Ptr) -> Ptr,
                network.public(),
                config.owned.object().public
            );
            RawHostMemory::open(memory, self.abi)
        }
    }

    pub(crate) fn is_supported(&self, network: &RawNetwork, config: &RawConfig) -> bool {
        // SAFETY: as in `build`.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.builder.is_network_supported,
                fn(Ptr, Ptr) -> bool,
                network.public(),
                config.owned.object().public
            )
        }
    }

    pub(crate) fn dla_cores(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.builder.nb_dla_cores, fn() -> i32) }
    }

    pub(crate) fn set_max_threads(&mut self, threads: i32) -> bool {
        // SAFETY: the tables.
        unsafe {
            call!(self.owned.it(), self.abi.builder.set_max_threads, fn(i32) -> bool, threads)
        }
    }

    pub(crate) fn max_threads(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.builder.get_max_threads, fn() -> i32) }
    }
}

/// A profile that its builder owns: valid while the builder is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawProfile {
    object: Object,
    abi: &'static Abi,
}

impl RawProfile {
    pub(crate) fn set(self, name: &CStr, point: ProfilePoint, shape: &Shape) -> bool {
        let (it, slot) = (self.object.implementation, self.abi.profile.set_dimensions);
        // SAFETY: the tables; 8.6 takes the shape by value, later versions by reference.
        unsafe {
            match self.abi.era {
                Era::V8 => call!(
                    it,
                    slot,
                    fn(*const c_char, i32, Dims32) -> bool,
                    name.as_ptr(),
                    point.number(),
                    Dims32::from_shape(shape)
                ),
                Era::V10 | Era::V11 => {
                    let shape = Dims64::from_shape(shape);
                    call!(
                        it,
                        slot,
                        fn(*const c_char, i32, *const Dims64) -> bool,
                        name.as_ptr(),
                        point.number(),
                        &raw const shape
                    )
                }
            }
        }
    }

    pub(crate) fn get(self, name: &CStr, point: ProfilePoint) -> Option<Shape> {
        // SAFETY: the tables.
        unsafe {
            call_shape!(
                self.abi.era,
                self.object.implementation,
                self.abi.profile.get_dimensions,
                fn(*const c_char, i32),
                name.as_ptr(),
                point.number()
            )
        }
    }

    pub(crate) fn is_valid(self) -> bool {
        // SAFETY: the tables.
        unsafe { call!(self.object.implementation, self.abi.profile.is_valid, fn() -> bool) }
    }
}

#[derive(Debug)]
pub(crate) struct RawConfig {
    // The order is the order of the end: a cache that was set must live through the build and may
    // go before the config; the monitor must outlive the config, which points to it.
    cache: Option<Owned>,
    owned: Owned,
    monitor: Option<Box<Monitor>>,
    abi: &'static Abi,
}

impl RawConfig {
    pub(crate) fn set_flag(&mut self, flag: usize, on: bool) {
        let slot = if on { self.abi.config.set_flag } else { self.abi.config.clear_flag };
        // SAFETY: the tables; the flag numbers come from them too.
        unsafe { call!(self.owned.it(), slot, fn(i32), flag as i32) }
    }

    pub(crate) fn flag(&self, flag: usize) -> bool {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.config.get_flag, fn(i32) -> bool, flag as i32) }
    }

    pub(crate) fn set_workspace_limit(&mut self, bytes: usize) {
        // SAFETY: the tables.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.config.set_memory_pool_limit,
                fn(i32, usize),
                same::POOL_WORKSPACE,
                bytes
            );
        }
    }

    pub(crate) fn workspace_limit(&self) -> usize {
        // SAFETY: the tables.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.config.get_memory_pool_limit,
                fn(i32) -> usize,
                same::POOL_WORKSPACE
            )
        }
    }

    fn set_number(&mut self, slot: usize, value: i32) {
        // SAFETY: the tables; each caller passes the place of a function that takes a 32-bit number
        // or enumeration. One of them returns `bool` in 11, which may be left unread.
        unsafe { call!(self.owned.it(), slot, fn(i32), value) }
    }

    fn number(&self, slot: usize) -> i32 {
        // SAFETY: the tables; each caller passes the place of a function that takes nothing and
        // returns a 32-bit number or enumeration.
        unsafe { call!(self.owned.it(), slot, fn() -> i32) }
    }

    pub(crate) fn set_optimization_level(&mut self, level: i32) {
        self.set_number(self.abi.config.set_optimization_level, level);
    }

    pub(crate) fn optimization_level(&self) -> i32 {
        self.number(self.abi.config.get_optimization_level)
    }

    pub(crate) fn set_dla(&mut self, core: i32) {
        self.set_number(self.abi.config.set_default_device_type, same::DEVICE_DLA);
        self.set_number(self.abi.config.set_dla_core, core);
    }

    pub(crate) fn set_gpu(&mut self) {
        self.set_number(self.abi.config.set_default_device_type, same::DEVICE_GPU);
    }

    /// The DLA core, where the DLA is the default device.
    pub(crate) fn dla_core(&self) -> Option<i32> {
        let device = self.number(self.abi.config.get_default_device_type);
        (device == same::DEVICE_DLA).then(|| self.number(self.abi.config.get_dla_core))
    }

    pub(crate) fn set_detailed_profiling(&mut self) {
        self.set_number(self.abi.config.set_profiling_verbosity, same::PROFILING_DETAILED);
    }

    pub(crate) fn set_hardware_ampere_plus(&mut self) {
        let slot = self.abi.config.set_hardware_compatibility_level;
        self.set_number(slot, same::HARDWARE_AMPERE_PLUS);
    }

    pub(crate) fn set_max_aux_streams(&mut self, streams: i32) {
        self.set_number(self.abi.config.set_max_aux_streams, streams);
    }

    pub(crate) fn profiles(&self) -> i32 {
        self.number(self.abi.config.nb_optimization_profiles)
    }

    pub(crate) fn add_profile(&mut self, profile: RawProfile) -> i32 {
        // SAFETY: the tables; the profile is of the same builder (the caller checks).
        unsafe {
            call!(
                self.owned.it(),
                self.abi.config.add_optimization_profile,
                fn(Ptr) -> i32,
                profile.object.public
            )
        }
    }

    /// Names of the layers that the DLA cannot run.
    pub(crate) fn layers_off_dla(&self, network: &RawNetwork) -> Vec<String> {
        let slot = self.abi.config.can_run_on_dla;
        // SAFETY: the tables; the layer lives with the network.
        let runs =
            |layer: Object| unsafe { call!(self.owned.it(), slot, fn(Ptr) -> bool, layer.public) };
        (0..network.layers())
            .filter_map(|index| network.layer(index))
            .filter(|layer| !runs(*layer))
            .map(|layer| network.layer_name(layer))
            .collect()
    }

    /// Makes a cache of `bytes` (none: empty) and sets it. `Ok(false)` where it does not fit this
    /// machine.
    pub(crate) fn set_timing_cache(&mut self, bytes: &[u8], any: bool) -> Result<bool, Bad> {
        // SAFETY: the tables; TensorRT copies the bytes, and the answer is a new object.
        let cache = unsafe {
            Owned::open(call!(
                self.owned.it(),
                self.abi.config.create_timing_cache,
                fn(*const c_void, usize) -> Ptr,
                bytes.as_ptr().cast(),
                bytes.len()
            ))
        }?;
        // SAFETY: the tables; a reference is passed as pointer to the public object, which lives
        // in `self.cache` until another takes its place or the config ends.
        let taken = unsafe {
            call!(
                self.owned.it(),
                self.abi.config.set_timing_cache,
                fn(Ptr, bool) -> bool,
                cache.object().public,
                any
            )
        };
        if taken {
            self.cache = Some(cache);
        }
        Ok(taken)
    }

    /// The cache as it is now. `Ok(None)` where the config has none.
    pub(crate) fn timing_cache(&self) -> Result<Option<RawHostMemory>, Bad> {
        // SAFETY: the tables; the cache belongs to the config or is `self.cache`; its bytes are a
        // new object.
        unsafe {
            let cache = call!(self.owned.it(), self.abi.config.get_timing_cache, fn() -> Ptr);
            if cache.is_null() {
                return Ok(None);
            }
            let cache = Object::open(cache)?;
            let slot = self.abi.timing_cache.serialize;
            let memory = call!(cache.implementation, slot, fn() -> Ptr);
            RawHostMemory::open(memory, self.abi).map(Some)
        }
    }

    /// `false` where the version has no progress monitor.
    pub(crate) fn set_monitor(&mut self, monitor: Box<Monitor>) -> bool {
        let Some(slot) = self.abi.config.set_progress_monitor else { return false };
        // SAFETY: the tables; the box, whose address does not change, lives in `self.monitor`
        // until the config ends or another takes its place, which is set first.
        unsafe { call!(self.owned.it(), slot, fn(Ptr), monitor.as_ptr()) }
        self.monitor = Some(monitor);
        true
    }

    pub(crate) fn take_cancelled(&self) -> bool {
        self.monitor.as_ref().is_some_and(|monitor| monitor.take_cancelled())
    }
}
