//! Builder and profile.
#![allow(unsafe_code, reason = "exports a factory, reads shapes of the caller")]
#![allow(non_snake_case, reason = "TensorRT's names")]

use crate::config::{Config, create_config};
use crate::engine::{memory, nb_dla_cores};
use crate::model::{Network, create_network};
use crate::object::{It, Ptr, make, opened, state};
use crate::plan::{Dims, Plan, Points, Profile, width};
use crate::world::{self, Logger, is_set, place, text};
use std::ffi::c_char;

// ---- builder ----

pub(crate) struct Builder {
    pub(crate) logger: Logger,
    threads: i32,
    profiles: Vec<Ptr>,
}

// SAFETY: no other symbol of this name is linked into the tests.
#[unsafe(no_mangle)]
pub extern "C" fn createInferBuilder_INTERNAL(logger: Ptr, version: i32) -> Ptr {
    let logger = Logger::of(logger);
    if version != world::version() {
        return logger.refuse("made for another version");
    }
    let places = [
        ("builder.create_builder_config", create_config as *const () as usize),
        ("builder.create_network_v2", create_network as *const () as usize),
        ("builder.create_optimization_profile", create_profile as *const () as usize),
        ("builder.build_serialized_network", build as *const () as usize),
        ("builder.is_network_supported", is_supported as *const () as usize),
        ("builder.nb_dla_cores", nb_dla_cores as *const () as usize),
        ("builder.set_max_threads", set_max_threads as *const () as usize),
        ("builder.get_max_threads", get_max_threads as *const () as usize),
    ];
    let builder = Builder { logger, threads: 1, profiles: Vec::new() };
    make("builder", std::ptr::null_mut(), builder, &places)
}

extern "C" fn set_max_threads(it: It, threads: i32) -> bool {
    let builder = state::<Builder>(it);
    if threads < 1 {
        return builder.logger.no("fake: at least one thread");
    }
    builder.threads = threads;
    true
}

extern "C" fn get_max_threads(it: It) -> i32 {
    state::<Builder>(it).threads
}

extern "C" fn is_supported(it: It, network: Ptr, _config: Ptr) -> bool {
    let network = state::<Network>(opened(network));
    if network.tensors.is_empty() {
        return state::<Builder>(it).logger.no("fake: the network is empty");
    }
    true
}

extern "C" fn build(it: It, network: Ptr, config: Ptr) -> Ptr {
    let logger = state::<Builder>(it).logger;
    let network = state::<Network>(opened(network));
    let config = state::<Config>(opened(config));
    if network.tensors.is_empty() {
        return logger.refuse("fake: the network is empty");
    }
    world::add("builds", 1);
    if is_set("build-fails") {
        return logger.refuse("fake: this GPU is not supported");
    }
    // What a profile alone cannot know is validated here.
    for input in network.tensors.iter().filter(|tensor| tensor.input) {
        let name = input.name.to_string_lossy();
        let open = input.shape.iter().any(|extent| *extent < 0);
        if open && config.profiles.is_empty() {
            return logger.refuse(&format!("fake: {name} has open extents and no profile"));
        }
        for profile in &config.profiles {
            let Some(points) = profile.get(name.as_ref()) else {
                if open {
                    return logger.refuse(&format!("fake: a profile lacks {name}"));
                }
                continue;
            };
            let fits = |shape: &Vec<i64>| {
                let agrees = |(has, asked): (&i64, &i64)| *has < 0 || has == asked;
                shape.len() == input.shape.len() && input.shape.iter().zip(shape).all(agrees)
            };
            if !points.iter().flatten().all(fits) {
                let shape = &input.shape;
                return logger
                    .refuse(&format!("fake: the profile of {name} contradicts {shape:?}"));
            }
        }
    }
    let mut notes = Vec::new();
    let fallback = config.flags.contains(&(place("flag.gpu_fallback") as i32));
    if config.device == 1 {
        for (name, _) in network.layers.iter().filter(|(_, dla)| !dla) {
            if !fallback {
                return logger
                    .refuse(&format!("fake: {} cannot run on the DLA", name.to_string_lossy()));
            }
            notes.push(format!("{} on GPU", name.to_string_lossy()));
        }
        notes.push(format!("dla {}", config.dla_core));
    }
    if !config.report(network.layers.len()) {
        return logger.refuse("fake: cancelled");
    }
    notes.push(format!("workspace {}", config.workspace));
    notes.push(format!("level {}", config.level));
    notes.push(format!("network-flags {}", network.flags));
    let mut flags: Vec<i32> = config.flags.iter().copied().collect();
    flags.sort_unstable();
    notes.push(format!("flags {flags:?}"));
    if let Some(cache) = &mut config.cache {
        cache.push(b'!');
    }
    let portable = config.flags.contains(&(place("flag.version_compatible") as i32));
    let plan = Plan {
        version: world::version(),
        portable,
        name: network.name.clone(),
        notes,
        tensors: network.tensors.clone(),
        profiles: config.profiles.clone(),
        onnx: network.onnx.clone(),
    };
    if is_set("warn-on-build") {
        logger.say(2, "fake: a warning");
    }
    memory(plan.write().into_bytes())
}

// ---- profile ----

extern "C" fn create_profile(it: It) -> Ptr {
    let places = [
        (
            "profile.set_dimensions",
            width(set_dimensions_v8 as *const (), set_dimensions as *const ()),
        ),
        (
            "profile.get_dimensions",
            width(get_dimensions::<i32> as *const (), get_dimensions::<i64> as *const ()),
        ),
        ("profile.is_valid", profile_is_valid as *const () as usize),
    ];
    let profile = make("profile", std::ptr::null_mut(), Profile::new(), &places);
    // The builder owns its profiles, so they do not count as left over.
    if world::get("answer:profile").is_none() && !is_set("hollow:profile") {
        world::add("live", -1);
        state::<Builder>(it).profiles.push(profile);
    }
    profile
}

extern "C" fn set_dimensions_v8(it: It, name: *const c_char, point: i32, dims: Dims<i32>) -> bool {
    set_point(it, name, point, dims.shape())
}

extern "C" fn set_dimensions(
    it: It,
    name: *const c_char,
    point: i32,
    dims: *const Dims<i64>,
) -> bool {
    // SAFETY: the binding passes a readable shape.
    set_point(it, name, point, unsafe { (*dims).shape() })
}

fn set_point(it: It, name: *const c_char, point: i32, shape: Vec<i64>) -> bool {
    if is_set("refuse-settings") {
        return false;
    }
    let points: &mut Points = state::<Profile>(it).entry(text(name)).or_default();
    // NVIDIA's takes what contradicts what was set before, and tells when the profile is added.
    points[point as usize] = Some(shape);
    true
}

/// Whether what is set so far can be min, opt and max: of one rank, none negative, none falling.
fn is_ordered(points: &Points) -> bool {
    let set: Vec<&Vec<i64>> = points.iter().flatten().collect();
    let rises = |pair: &[&Vec<i64>]| {
        pair[0].len() == pair[1].len() && pair[0].iter().zip(pair[1]).all(|(a, b)| a <= b)
    };
    set.iter().all(|shape| shape.iter().all(|extent| *extent >= 0)) && set.windows(2).all(rises)
}

extern "C" fn get_dimensions<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
    point: i32,
) -> Dims<T> {
    let points = state::<Profile>(it).get(&text(name));
    Dims::new(points.and_then(|points| points[point as usize].as_deref()))
}

pub(crate) extern "C" fn profile_is_valid(it: It) -> bool {
    let profile = state::<Profile>(it);
    profile.values().all(|points| points.iter().all(Option::is_some) && is_ordered(points))
}
