//! Config, timing cache, and calls of the caller's progress monitor.
#![allow(unsafe_code, reason = "calls the caller's progress monitor")]

use crate::build::{Builder, profile_is_valid};
use crate::engine::memory;
use crate::model::Layer;
use crate::object::{It, Ptr, bytes, make, opened, state};
use crate::plan::Profile;
use crate::world::{self, Era, Logger, entry, era, is_set, place};
use std::collections::HashSet;
use std::ffi::{c_char, c_void};

pub(crate) struct Config {
    pub(crate) logger: Logger,
    pub(crate) flags: HashSet<i32>,
    pub(crate) workspace: usize,
    pub(crate) level: i32,
    pub(crate) device: i32,
    pub(crate) dla_core: i32,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) cache: Option<Vec<u8>>,
    pub(crate) cache_object: Ptr,
    pub(crate) monitor: Ptr,
}

pub(crate) extern "C" fn create_config(it: It) -> Ptr {
    let mut places = vec![
        ("config.set_flag", set_flag as *const () as usize),
        ("config.clear_flag", clear_flag as *const () as usize),
        ("config.get_flag", get_flag as *const () as usize),
        ("config.set_memory_pool_limit", set_pool as *const () as usize),
        ("config.get_memory_pool_limit", get_pool as *const () as usize),
        ("config.add_optimization_profile", add_profile as *const () as usize),
        ("config.nb_optimization_profiles", nb_profiles as *const () as usize),
        ("config.set_optimization_level", set_level as *const () as usize),
        ("config.get_optimization_level", get_level as *const () as usize),
        ("config.set_default_device_type", set_device as *const () as usize),
        ("config.get_default_device_type", get_device as *const () as usize),
        ("config.set_dla_core", set_dla_core as *const () as usize),
        ("config.get_dla_core", get_dla_core as *const () as usize),
        ("config.can_run_on_dla", can_run_on_dla as *const () as usize),
        ("config.create_timing_cache", create_timing_cache as *const () as usize),
        ("config.set_timing_cache", set_timing_cache as *const () as usize),
        ("config.get_timing_cache", get_timing_cache as *const () as usize),
        ("config.set_profiling_verbosity", set_verbosity as *const () as usize),
        ("config.set_hardware_compatibility_level", set_hardware as *const () as usize),
        ("config.set_max_aux_streams", set_aux_streams as *const () as usize),
    ];
    if era() != Era::V8 {
        places.push(("config.set_progress_monitor", set_monitor as *const () as usize));
    }
    let config = Config {
        logger: state::<Builder>(it).logger,
        flags: HashSet::from([place("flag.tf32") as i32]),
        workspace: usize::MAX >> 1,
        level: 3,
        device: 0,
        dla_core: -1,
        profiles: Vec::new(),
        cache: None,
        cache_object: std::ptr::null_mut(),
        monitor: std::ptr::null_mut(),
    };
    make("config", it, config, &places)
}

extern "C" fn set_flag(it: It, flag: i32) {
    if !is_set("refuse-settings") {
        state::<Config>(it).flags.insert(flag);
    }
}

extern "C" fn clear_flag(it: It, flag: i32) {
    state::<Config>(it).flags.remove(&flag);
}

extern "C" fn get_flag(it: It, flag: i32) -> bool {
    state::<Config>(it).flags.contains(&flag)
}

extern "C" fn set_pool(it: It, pool: i32, size: usize) {
    assert_eq!(pool, 0, "the workspace was meant");
    if !is_set("refuse-settings") {
        state::<Config>(it).workspace = size;
    }
}

extern "C" fn get_pool(it: It, _pool: i32) -> usize {
    state::<Config>(it).workspace
}

extern "C" fn add_profile(it: It, profile: Ptr) -> i32 {
    let config = state::<Config>(it);
    let object = opened(profile);
    if !profile_is_valid(object) {
        config.logger.say(1, "fake: the profile is not complete");
        return -1;
    }
    config.profiles.push(state::<Profile>(object).clone());
    config.profiles.len() as i32 - 1
}

extern "C" fn nb_profiles(it: It) -> i32 {
    state::<Config>(it).profiles.len() as i32
}

extern "C" fn set_level(it: It, level: i32) {
    if (0..=5).contains(&level) {
        state::<Config>(it).level = level;
    }
}

extern "C" fn get_level(it: It) -> i32 {
    state::<Config>(it).level
}

extern "C" fn set_device(it: It, device: i32) {
    if !is_set("refuse-settings") {
        state::<Config>(it).device = device;
    }
}

extern "C" fn get_device(it: It) -> i32 {
    state::<Config>(it).device
}

extern "C" fn set_dla_core(it: It, core: i32) {
    state::<Config>(it).dla_core = core;
}

extern "C" fn get_dla_core(it: It) -> i32 {
    state::<Config>(it).dla_core
}

extern "C" fn can_run_on_dla(_: It, layer: Ptr) -> bool {
    state::<Layer>(opened(layer)).1
}

extern "C" fn set_verbosity(_: It, verbosity: i32) {
    assert_eq!(verbosity, 2, "detailed was meant");
}

extern "C" fn set_hardware(_: It, level: i32) {
    assert_eq!(level, 1, "Ampere and later was meant");
}

extern "C" fn set_aux_streams(_: It, streams: i32) -> bool {
    world::set("aux-streams", streams.into());
    true
}

extern "C" fn set_monitor(it: It, monitor: Ptr) {
    state::<Config>(it).monitor = monitor;
}

impl Config {
    /// Runs a phase within a phase, as the real builder does. `false` once cancelled.
    pub(crate) fn report(&self, steps: usize) -> bool {
        let monitor = self.monitor;
        if monitor.is_null() {
            return true;
        }
        // SAFETY: a monitor has these functions.
        let (start, step, finish) = unsafe {
            let start: extern "C" fn(Ptr, *const c_char, *const c_char, i32) =
                std::mem::transmute(entry(monitor, place("progress.phase_start")));
            let step: extern "C" fn(Ptr, *const c_char, i32) -> bool =
                std::mem::transmute(entry(monitor, place("progress.step_complete")));
            let finish: extern "C" fn(Ptr, *const c_char) =
                std::mem::transmute(entry(monitor, place("progress.phase_finish")));
            (start, step, finish)
        };
        start(monitor, c"build".as_ptr(), std::ptr::null(), 1);
        start(monitor, c"layers".as_ptr(), c"build".as_ptr(), steps as i32);
        let goes_on = (0..steps).all(|n| step(monitor, c"layers".as_ptr(), n as i32));
        finish(monitor, c"layers".as_ptr());
        finish(monitor, c"build".as_ptr());
        goes_on
    }
}

// ---- timing cache ----

struct TimingCache(Vec<u8>);

extern "C" fn create_timing_cache(it: It, data: *const c_void, size: usize) -> Ptr {
    let given = bytes(data, size);
    if !given.is_empty() && !given.starts_with(b"fake-cache") {
        return state::<Config>(it).logger.refuse("fake: these bytes are no timing cache");
    }
    let bytes = if given.is_empty() { b"fake-cache".to_vec() } else { given.to_vec() };
    let places = [("timing_cache.serialize", serialize_cache as *const () as usize)];
    make("timing_cache", std::ptr::null_mut(), TimingCache(bytes), &places)
}

extern "C" fn set_timing_cache(it: It, cache: Ptr, any: bool) -> bool {
    let bytes = &state::<TimingCache>(opened(cache)).0;
    if bytes.starts_with(b"fake-cache of another machine") && !any {
        return false;
    }
    let config = state::<Config>(it);
    config.cache = Some(bytes.clone());
    config.cache_object = cache;
    true
}

extern "C" fn get_timing_cache(it: It) -> Ptr {
    let config = state::<Config>(it);
    if let Some(bytes) = &config.cache {
        state::<TimingCache>(opened(config.cache_object)).0.clone_from(bytes);
    }
    config.cache_object
}

extern "C" fn serialize_cache(it: It) -> Ptr {
    memory(state::<TimingCache>(it).0.clone())
}
