//! Builder, config, timing cache, profile, network, layer, tensor; and the parser with its errors.
//!
//! A model is text: `fake-onnx`, then lines `input x f32 1,3,-1,-1`, `output y f32 1,2`,
//! `layer NAME dla|gpu` and `error NODE NAME OPERATOR WORDS…`.
#![allow(unsafe_code, reason = "calls the caller's progress monitor")]
#![allow(non_snake_case, reason = "TensorRT's names")]

use crate::object::{It, Ptr, bytes, end_plain, make, make_plain, opened, state};
use crate::run::{Dims, Plan, Points, Profile, Tensor, memory, nb_dla_cores, width};
use crate::world::{self, Era, Logger, entry, era, is_set, place, text};
use std::collections::HashSet;
use std::ffi::{CString, c_char, c_void};

// ---- builder ----

struct Builder {
    logger: Logger,
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
    let open = |t: &&Tensor| t.input && t.shape.iter().any(|extent| *extent < 0);
    for tensor in network.tensors.iter().filter(open) {
        let name = tensor.name.to_string_lossy();
        if !config.profiles.iter().any(|profile| profile.contains_key(name.as_ref())) {
            return logger.refuse(&format!("fake: {name} has open extents and no profile"));
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
    points[point as usize] = Some(shape);
    true
}

extern "C" fn get_dimensions<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
    point: i32,
) -> Dims<T> {
    let points = state::<Profile>(it).get(&text(name));
    Dims::new(points.and_then(|points| points[point as usize].as_deref()))
}

extern "C" fn profile_is_valid(it: It) -> bool {
    let profile = state::<Profile>(it);
    !profile.is_empty() && profile.values().flatten().all(Option::is_some)
}

// ---- config ----

struct Config {
    logger: Logger,
    flags: HashSet<i32>,
    workspace: usize,
    level: i32,
    device: i32,
    dla_core: i32,
    profiles: Vec<Profile>,
    cache: Option<Vec<u8>>,
    cache_object: Ptr,
    monitor: Ptr,
}

extern "C" fn create_config(it: It) -> Ptr {
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
    fn report(&self, steps: usize) -> bool {
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

// ---- network ----

/// Name, and whether the DLA can run it.
struct Layer(CString, bool);

struct Network {
    flags: u32,
    name: CString,
    tensors: Vec<Tensor>,
    layers: Vec<(CString, bool)>,
}

extern "C" fn create_network(it: It, flags: u32) -> Ptr {
    let places = [
        ("network.nb_layers", nb_layers as *const () as usize),
        ("network.layer", layer as *const () as usize),
        ("network.nb_inputs", nb_inputs as *const () as usize),
        ("network.input", input as *const () as usize),
        ("network.nb_outputs", nb_outputs as *const () as usize),
        ("network.output", output as *const () as usize),
        ("network.set_name", set_network_name as *const () as usize),
    ];
    let network =
        Network { flags, name: CString::default(), tensors: Vec::new(), layers: Vec::new() };
    make("network", it, network, &places)
}

extern "C" fn nb_layers(it: It) -> i32 {
    state::<Network>(it).layers.len() as i32
}

/// Layers and tensors belong to the network; the stand-in makes them anew and leaves them.
fn lent(class: &'static str, state: impl std::any::Any, places: &[(&str, usize)]) -> Ptr {
    let object = make(class, std::ptr::null_mut(), state, places);
    world::add("live", -1);
    object
}

extern "C" fn layer(it: It, index: i32) -> Ptr {
    let (name, dla) = state::<Network>(it).layers[index as usize].clone();
    lent("layer", Layer(name, dla), &[("layer.name", layer_name as *const () as usize)])
}

extern "C" fn layer_name(it: It) -> *const c_char {
    state::<Layer>(it).0.as_ptr()
}

extern "C" fn nb_inputs(it: It) -> i32 {
    state::<Network>(it).tensors.iter().filter(|tensor| tensor.input).count() as i32
}

extern "C" fn nb_outputs(it: It) -> i32 {
    state::<Network>(it).tensors.iter().filter(|tensor| !tensor.input).count() as i32
}

extern "C" fn input(it: It, index: i32) -> Ptr {
    tensor(it, index, true)
}

extern "C" fn output(it: It, index: i32) -> Ptr {
    tensor(it, index, false)
}

fn tensor(it: It, index: i32, input: bool) -> Ptr {
    let mut side = state::<Network>(it).tensors.iter().filter(|tensor| tensor.input == input);
    let Some(tensor) = side.nth(index as usize) else { return std::ptr::null_mut() };
    let places = [
        ("tensor.name", tensor_name as *const () as usize),
        (
            "tensor.dimensions",
            width(tensor_dims::<i32> as *const (), tensor_dims::<i64> as *const ()),
        ),
        ("tensor.dtype", tensor_dtype as *const () as usize),
        ("tensor.is_shape_tensor", tensor_is_shape as *const () as usize),
    ];
    lent("tensor", tensor.clone(), &places)
}

extern "C" fn tensor_name(it: It) -> *const c_char {
    state::<Tensor>(it).name.as_ptr()
}

extern "C" fn tensor_dims<T: Copy + TryFrom<i64> + Into<i64> + Default>(it: It) -> Dims<T> {
    Dims::new(Some(&state::<Tensor>(it).shape))
}

extern "C" fn tensor_dtype(it: It) -> i32 {
    state::<Tensor>(it).dtype
}

extern "C" fn tensor_is_shape(_: It) -> bool {
    false
}

extern "C" fn set_network_name(it: It, name: *const c_char) {
    state::<Network>(it).name = CString::new(text(name)).expect("no zero byte");
}

// ---- parser ----

struct Parser {
    network: It,
    errors: Vec<Ptr>,
}

struct Complaint {
    node: i32,
    name: CString,
    operator: CString,
    words: CString,
}

// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn createNvOnnxParser_INTERNAL(network: Ptr, logger: Ptr, version: i32) -> Ptr {
    let logger = Logger::of(logger);
    if version != 100 {
        return logger.refuse("made for another parser");
    }
    let places = [
        ("parser.parse", parse as *const () as usize),
        ("parser.parse_from_file", parse_from_file as *const () as usize),
        ("parser.nb_errors", nb_errors as *const () as usize),
        ("parser.error", error as *const () as usize),
        ("parser.destroy", end_parser as *const () as usize),
    ];
    let network = opened(network);
    make_plain("parser", network, Parser { network, errors: Vec::new() }, &places)
}

extern "C" fn end_parser(it: It) {
    for error in std::mem::take(&mut state::<Parser>(it).errors) {
        end_plain(error.cast());
    }
    end_plain(it);
}

extern "C" fn parse(it: It, data: *const c_void, size: usize, path: *const c_char) -> bool {
    assert!(path.is_null(), "no path was meant");
    fill(it, &String::from_utf8_lossy(bytes(data, size)))
}

extern "C" fn parse_from_file(it: It, path: *const c_char, verbosity: i32) -> bool {
    assert_eq!(verbosity, 2, "a severity");
    match std::fs::read_to_string(text(path)) {
        Ok(model) => fill(it, &model),
        Err(error) => complain(it, -1, "", "", &format!("fake: cannot read: {error}")),
    }
}

fn complain(it: It, node: i32, name: &str, operator: &str, words: &str) -> bool {
    let c = |text: &str| CString::new(text).expect("no zero byte");
    let mut places = vec![
        ("parser_error.code", error_code as *const () as usize),
        ("parser_error.desc", error_desc as *const () as usize),
        ("parser_error.node", error_node as *const () as usize),
    ];
    if era() != Era::V8 {
        places.push(("parser_error.node_name", error_node_name as *const () as usize));
        places.push(("parser_error.node_operator", error_operator as *const () as usize));
    }
    let complaint = Complaint { node, name: c(name), operator: c(operator), words: c(words) };
    let object = make_plain("parser_error", std::ptr::null_mut(), complaint, &places);
    state::<Parser>(it).errors.push(object);
    false
}

fn fill(it: It, model: &str) -> bool {
    let mut lines = model.lines();
    if lines.next() != Some("fake-onnx") {
        return complain(it, -1, "", "", "fake: these bytes are no model");
    }
    let network = state::<Network>(state::<Parser>(it).network);
    let mut good = true;
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["layer", name, place] => {
                network.layers.push((CString::new(name).expect("no zero byte"), place == "dla"));
            }
            ["error", node, name, operator, ref rest @ ..] => {
                let node = node.parse().unwrap_or(-1);
                good &= complain(it, node, name, operator, &rest.join(" "));
            }
            _ => match Tensor::read(line) {
                Some(tensor) => network.tensors.push(tensor),
                None => good &= complain(it, -1, "", "", &format!("fake: what is {line:?}")),
            },
        }
    }
    good
}

extern "C" fn nb_errors(it: It) -> i32 {
    state::<Parser>(it).errors.len() as i32
}

extern "C" fn error(it: It, index: i32) -> Ptr {
    state::<Parser>(it).errors[index as usize]
}

extern "C" fn error_code(_: It) -> i32 {
    8
}

extern "C" fn error_desc(it: It) -> *const c_char {
    state::<Complaint>(it).words.as_ptr()
}

extern "C" fn error_node(it: It) -> i32 {
    state::<Complaint>(it).node
}

extern "C" fn error_node_name(it: It) -> *const c_char {
    state::<Complaint>(it).name.as_ptr()
}

extern "C" fn error_operator(it: It) -> *const c_char {
    state::<Complaint>(it).operator.as_ptr()
}
