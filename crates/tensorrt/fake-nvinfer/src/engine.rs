//! Runtime, engine, inspector, host memory.
#![allow(unsafe_code, reason = "exports a factory")]
#![allow(non_snake_case, reason = "TensorRT's names")]

use crate::context::create;
use crate::object::{It, Ptr, bytes, make, state};
use crate::plan::{Dims, Plan, Tensor, width};
use crate::world::{self, Logger, is_set, text};
use std::ffi::{CString, c_char, c_void};

// ---- runtime ----

struct Runtime {
    logger: Logger,
    dla_core: i32,
    threads: i32,
    host_code: bool,
}

// SAFETY: no other symbol of this name is linked into the tests.
#[unsafe(no_mangle)]
pub extern "C" fn createInferRuntime_INTERNAL(logger: Ptr, version: i32) -> Ptr {
    let logger = Logger::of(logger);
    if version != world::version() {
        return logger.refuse("made for another version");
    }
    if is_set("no-driver") {
        logger.say(1, "fake: no CUDA driver on this machine (35)");
    }
    let places = [
        (
            "runtime.deserialize_cuda_engine",
            width(deserialize_v8 as *const (), deserialize as *const ()),
        ),
        ("runtime.set_dla_core", set_dla_core as *const () as usize),
        ("runtime.get_dla_core", get_dla_core as *const () as usize),
        ("runtime.nb_dla_cores", nb_dla_cores as *const () as usize),
        ("runtime.set_max_threads", set_max_threads as *const () as usize),
        ("runtime.get_max_threads", get_max_threads as *const () as usize),
        ("runtime.set_temporary_directory", set_temporary_directory as *const () as usize),
        ("runtime.set_engine_host_code_allowed", set_host_code as *const () as usize),
        ("runtime.get_engine_host_code_allowed", get_host_code as *const () as usize),
    ];
    let runtime = Runtime { logger, dla_core: -1, threads: 1, host_code: false };
    make("runtime", std::ptr::null_mut(), runtime, &places)
}

pub(crate) extern "C" fn nb_dla_cores(_: It) -> i32 {
    world::get("dla-cores").unwrap_or(0) as i32
}

extern "C" fn set_dla_core(it: It, core: i32) {
    if !is_set("refuse-settings") {
        state::<Runtime>(it).dla_core = core;
    }
}

extern "C" fn get_dla_core(it: It) -> i32 {
    state::<Runtime>(it).dla_core
}

extern "C" fn set_max_threads(it: It, threads: i32) -> bool {
    let runtime = state::<Runtime>(it);
    if threads < 1 {
        return runtime.logger.no("fake: at least one thread");
    }
    runtime.threads = threads;
    true
}

extern "C" fn get_max_threads(it: It) -> i32 {
    state::<Runtime>(it).threads
}

extern "C" fn set_temporary_directory(_: It, path: *const c_char) {
    assert!(text(path).starts_with('/'));
    world::add("temporary-directories", 1);
}

extern "C" fn set_host_code(it: It, allowed: bool) {
    state::<Runtime>(it).host_code = allowed;
}

extern "C" fn get_host_code(it: It) -> bool {
    state::<Runtime>(it).host_code
}

extern "C" fn deserialize_v8(it: It, data: *const c_void, size: usize, factory: Ptr) -> Ptr {
    assert!(factory.is_null(), "the plugin factory must be null");
    deserialize(it, data, size)
}

extern "C" fn deserialize(it: It, data: *const c_void, size: usize) -> Ptr {
    let runtime = state::<Runtime>(it);
    let plan = std::str::from_utf8(bytes(data, size)).ok().and_then(Plan::read);
    let Some(plan) = plan else { return runtime.logger.refuse("fake: these bytes are no plan") };
    if plan.version != world::version() && !(plan.portable && runtime.host_code) {
        return runtime.logger.refuse(&format!("fake: the plan is of version {}", plan.version));
    }
    let logger = runtime.logger;
    let places = [
        ("engine.nb_io_tensors", nb_io_tensors as *const () as usize),
        ("engine.io_tensor_name", io_tensor_name as *const () as usize),
        (
            "engine.tensor_shape",
            width(engine_shape::<i32> as *const (), engine_shape::<i64> as *const ()),
        ),
        ("engine.tensor_dtype", tensor_dtype as *const () as usize),
        ("engine.tensor_location", tensor_location as *const () as usize),
        ("engine.tensor_io_mode", tensor_io_mode as *const () as usize),
        ("engine.tensor_format", tensor_format as *const () as usize),
        (
            "engine.profile_shape",
            width(profile_shape::<i32> as *const (), profile_shape::<i64> as *const ()),
        ),
        (
            "engine.create_execution_context",
            width(create_context_v8 as *const (), create_context as *const ()),
        ),
        ("engine.name", engine_name as *const () as usize),
        ("engine.nb_layers", nb_layers as *const () as usize),
        ("engine.nb_optimization_profiles", nb_profiles as *const () as usize),
        ("engine.device_memory_size", device_memory_size as *const () as usize),
        ("engine.serialize", serialize as *const () as usize),
        ("engine.create_engine_inspector", create_inspector as *const () as usize),
    ];
    make("engine", it, Engine { plan, logger }, &places)
}

// ---- engine ----

pub(crate) struct Engine {
    pub(crate) plan: Plan,
    pub(crate) logger: Logger,
}

impl Engine {
    fn tensor(&self, name: *const c_char) -> Option<&Tensor> {
        let name = text(name);
        self.plan.tensors.iter().find(|tensor| tensor.name.to_bytes() == name.as_bytes())
    }
}

extern "C" fn nb_io_tensors(it: It) -> i32 {
    state::<Engine>(it).plan.tensors.len() as i32
}

extern "C" fn io_tensor_name(it: It, index: i32) -> *const c_char {
    if is_set("nameless") {
        return std::ptr::null();
    }
    let tensor = state::<Engine>(it).plan.tensors.get(index as usize);
    tensor.map_or(std::ptr::null(), |tensor| tensor.name.as_ptr())
}

extern "C" fn engine_shape<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
) -> Dims<T> {
    Dims::new(state::<Engine>(it).tensor(name).map(|tensor| tensor.shape.as_slice()))
}

extern "C" fn tensor_dtype(it: It, name: *const c_char) -> i32 {
    // The header answers "float" for a name that is none.
    state::<Engine>(it).tensor(name).map_or(0, |tensor| tensor.dtype)
}

extern "C" fn tensor_io_mode(it: It, name: *const c_char) -> i32 {
    state::<Engine>(it).tensor(name).map_or(0, |tensor| if tensor.input { 1 } else { 2 })
}

extern "C" fn tensor_location(it: It, name: *const c_char) -> i32 {
    i32::from(state::<Engine>(it).tensor(name).is_some() && is_set("host-tensors"))
}

extern "C" fn tensor_format(it: It, name: *const c_char) -> i32 {
    let engine = state::<Engine>(it);
    if engine.plan.profiles.len() > 1 {
        engine.logger.say(2, "fake: this is the format in the first profile only");
    }
    i32::from(engine.tensor(name).is_some() && is_set("blocked-tensors"))
}

extern "C" fn profile_shape<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
    profile: i32,
    point: i32,
) -> Dims<T> {
    let engine = state::<Engine>(it);
    let input = engine.tensor(name).filter(|tensor| tensor.input);
    let given = engine.plan.profiles.get(profile as usize);
    let points = given.and_then(|profile| profile.get(&text(name)));
    let set = points.and_then(|points| points[point as usize].as_deref());
    // What is closed needs no profile; there is always one, of number 0.
    let closed = input.filter(|input| input.shape.iter().all(|extent| *extent >= 0));
    let exists = (profile as usize) < engine.plan.profiles.len().max(1);
    let shape = set.or(closed.map(|input| input.shape.as_slice())).filter(|_| exists);
    if shape.is_none() {
        engine.logger.say(1, "fake: the profile has no such input");
    }
    Dims::new(shape)
}

extern "C" fn engine_name(it: It) -> *const c_char {
    state::<Engine>(it).plan.name.as_ptr()
}

extern "C" fn nb_layers(_: It) -> i32 {
    7
}

extern "C" fn nb_profiles(it: It) -> i32 {
    state::<Engine>(it).plan.profiles.len().max(1) as i32
}

extern "C" fn device_memory_size(_: It) -> usize {
    5 << 30
}

extern "C" fn serialize(it: It) -> Ptr {
    memory(state::<Engine>(it).plan.write().into_bytes())
}

struct Inspector(CString);

extern "C" fn create_inspector(it: It) -> Ptr {
    let notes = &state::<Engine>(it).plan.notes;
    let json = CString::new(format!("{{\"notes\": {notes:?}}}")).expect("no zero byte");
    let places = [("inspector.engine_information", engine_information as *const () as usize)];
    make("inspector", it, Inspector(json), &places)
}

extern "C" fn engine_information(it: It, format: i32) -> *const c_char {
    assert_eq!(format, 1, "JSON was asked for");
    state::<Inspector>(it).0.as_ptr()
}

extern "C" fn create_context_v8(it: It) -> Ptr {
    create(it)
}

extern "C" fn create_context(it: It, strategy: i32) -> Ptr {
    assert_eq!(strategy, 0, "the static strategy was asked for");
    create(it)
}

// ---- host memory ----

struct Memory(Vec<u8>);

pub(crate) fn memory(bytes: Vec<u8>) -> Ptr {
    let places = [
        ("host_memory.data", data as *const () as usize),
        ("host_memory.size", size as *const () as usize),
    ];
    make("memory", std::ptr::null_mut(), Memory(bytes), &places)
}

extern "C" fn data(it: It) -> *const u8 {
    if is_set("memory-null") { std::ptr::null() } else { state::<Memory>(it).0.as_ptr() }
}

extern "C" fn size(it: It) -> usize {
    state::<Memory>(it).0.len()
}
