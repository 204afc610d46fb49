//! Runtime, engine, inspector, context, host memory; and shapes in both widths.
#![allow(unsafe_code, reason = "computes on memory that the caller names")]
#![allow(non_snake_case, reason = "TensorRT's names")]

use crate::object::{It, Ptr, bytes, make, state};
use crate::world::{self, Era, Logger, era, is_set, text};
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Dims<T> {
    rank: i32,
    extents: [T; 8],
}

impl<T: Copy + TryFrom<i64> + Into<i64> + Default> Dims<T> {
    pub(crate) fn new(shape: Option<&[i64]>) -> Self {
        let mut extents = [T::default(); 8];
        let shape_or_none = shape.unwrap_or(&[]);
        for (to, from) in extents.iter_mut().zip(shape_or_none) {
            *to = T::try_from(*from).unwrap_or_default();
        }
        Self { rank: shape.map_or(-1, |shape| shape.len() as i32), extents }
    }

    pub(crate) fn shape(&self) -> Vec<i64> {
        self.extents[..self.rank as usize].iter().map(|extent| (*extent).into()).collect()
    }
}

/// Picks the function of the version's width.
pub(crate) fn width(narrow: *const (), wide: *const ()) -> usize {
    if era() == Era::V8 { narrow as usize } else { wide as usize }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: CString,
    pub(crate) input: bool,
    pub(crate) dtype: i32,
    pub(crate) shape: Vec<i64>,
}

impl Tensor {
    /// Reads `input x f32 1,3,-1,-1`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let input = match words.next()? {
            "input" => true,
            "output" => false,
            _ => return None,
        };
        let name = CString::new(words.next()?).ok()?;
        let dtype = match words.next()? {
            "f32" => 0,
            "f16" => 1,
            _ => return None,
        };
        let shape: Option<Vec<i64>> =
            words.next()?.split(',').map(|extent| extent.parse().ok()).collect();
        Some(Self { name, input, dtype, shape: shape? })
    }

    pub(crate) fn write(&self) -> String {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!(
            "{} {} {} {}",
            if self.input { "input" } else { "output" },
            self.name.to_string_lossy(),
            if self.dtype == 0 { "f32" } else { "f16" },
            shape.join(",")
        )
    }
}

/// Shapes of one input at the three points of a profile.
pub(crate) type Points = [Option<Vec<i64>>; 3];
pub(crate) type Profile = HashMap<String, Points>;

#[derive(Clone, Default)]
pub(crate) struct Plan {
    pub(crate) version: i32,
    pub(crate) portable: bool,
    pub(crate) name: CString,
    pub(crate) notes: Vec<String>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) profiles: Vec<Profile>,
}

impl Plan {
    pub(crate) fn write(&self) -> String {
        let mut lines = vec![
            "fake-plan".to_owned(),
            format!("version {}", self.version),
            format!("portable {}", self.portable),
            format!("name {}", self.name.to_string_lossy()),
        ];
        lines.extend(self.notes.iter().map(|note| format!("note {note}")));
        lines.extend(self.tensors.iter().map(Tensor::write));
        for profile in &self.profiles {
            lines.push("profile".into());
            for (name, points) in profile {
                let points: Vec<String> =
                    points.iter().map(|p| format!("{:?}", p.as_deref().unwrap_or(&[]))).collect();
                lines.push(format!("range {name} {}", points.join(" ").replace(", ", ",")));
            }
        }
        lines.push("end".into());
        lines.join("\n")
    }

    fn read(plan: &str) -> Option<Self> {
        let mut lines = plan.lines();
        if lines.next()? != "fake-plan" {
            return None;
        }
        let mut read = Self::default();
        for line in lines {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "end" => return Some(read),
                "version" => read.version = rest.parse().ok()?,
                "portable" => read.portable = rest == "true",
                "name" => read.name = CString::new(rest).ok()?,
                "note" => read.notes.push(rest.to_owned()),
                "profile" => read.profiles.push(Profile::new()),
                "range" => {
                    let mut words = rest.split(' ');
                    let name = words.next()?.to_owned();
                    let mut point = || {
                        let list = words.next()?.trim_matches(['[', ']']);
                        list.split(',').map(|extent| extent.parse().ok()).collect::<Option<_>>()
                    };
                    let points = [point(), point(), point()];
                    read.profiles.last_mut()?.insert(name, points);
                }
                _ => read.tensors.push(Tensor::read(line)?),
            }
        }
        None
    }
}

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
        ("engine.tensor_location", zero_of_name as *const () as usize),
        ("engine.tensor_io_mode", tensor_io_mode as *const () as usize),
        ("engine.tensor_format", zero_of_name as *const () as usize),
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

struct Engine {
    plan: Plan,
    logger: Logger,
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
    state::<Engine>(it).tensor(name).map_or(-1, |tensor| tensor.dtype)
}

extern "C" fn tensor_io_mode(it: It, name: *const c_char) -> i32 {
    state::<Engine>(it).tensor(name).map_or(0, |tensor| if tensor.input { 1 } else { 2 })
}

extern "C" fn zero_of_name(it: It, name: *const c_char) -> i32 {
    assert!(state::<Engine>(it).tensor(name).is_some());
    0
}

extern "C" fn profile_shape<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
    profile: i32,
    point: i32,
) -> Dims<T> {
    let engine = state::<Engine>(it);
    let profile = engine.plan.profiles.get(profile as usize);
    let points = profile.and_then(|profile| profile.get(&text(name)));
    let shape = points.and_then(|points| points[point as usize].as_deref());
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
    state::<Engine>(it).plan.profiles.len() as i32
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

// ---- context ----

struct Context {
    logger: Logger,
    tensors: Vec<Tensor>,
    profiles: Vec<Profile>,
    profile: i32,
    addresses: HashMap<CString, usize>,
}

extern "C" fn create_context_v8(it: It) -> Ptr {
    create(it)
}

extern "C" fn create_context(it: It, strategy: i32) -> Ptr {
    assert_eq!(strategy, 0, "the static strategy was asked for");
    create(it)
}

fn create(it: It) -> Ptr {
    let engine = state::<Engine>(it);
    if is_set("no-memory") {
        return engine.logger.refuse("fake: out of memory");
    }
    let places = [
        ("context.set_name", set_name as *const () as usize),
        ("context.set_optimization_profile_async", set_profile as *const () as usize),
        ("context.get_optimization_profile", get_profile as *const () as usize),
        ("context.all_input_dimensions_specified", all_specified as *const () as usize),
        (
            "context.set_input_shape",
            width(set_input_shape::<i32> as *const (), set_input_shape::<i64> as *const ()),
        ),
        (
            "context.tensor_shape",
            width(context_shape::<i32> as *const (), context_shape::<i64> as *const ()),
        ),
        ("context.set_tensor_address", set_address as *const () as usize),
        ("context.get_tensor_address", get_address as *const () as usize),
        ("context.infer_shapes", infer_shapes as *const () as usize),
        ("context.enqueue_v3", enqueue as *const () as usize),
    ];
    let context = Context {
        logger: engine.logger,
        tensors: engine.plan.tensors.clone(),
        profiles: engine.plan.profiles.clone(),
        profile: 0,
        addresses: HashMap::new(),
    };
    make("context", it, context, &places)
}

extern "C" fn set_name(_: It, name: *const c_char) {
    assert!(!text(name).is_empty());
}

extern "C" fn set_profile(it: It, index: i32, _stream: Ptr) -> bool {
    let context = state::<Context>(it);
    if index as usize >= context.profiles.len() {
        return context.logger.no("fake: no such profile");
    }
    context.profile = index;
    true
}

extern "C" fn get_profile(it: It) -> i32 {
    state::<Context>(it).profile
}

extern "C" fn all_specified(it: It) -> bool {
    let context = state::<Context>(it);
    context.tensors.iter().filter(|t| t.input).all(|t| t.shape.iter().all(|extent| *extent >= 0))
}

extern "C" fn set_input_shape<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
    dims: *const Dims<T>,
) -> bool {
    let context = state::<Context>(it);
    // SAFETY: the binding passes a readable shape.
    let shape = unsafe { (*dims).shape() };
    let name = text(name);
    let range = context.profiles.get(context.profile as usize).and_then(|p| p.get(&name));
    if let Some([Some(min), _, Some(max)]) = range {
        let inside = shape.len() == min.len()
            && (0..shape.len()).all(|i| (min[i]..=max[i]).contains(&shape[i]));
        if !inside {
            return context
                .logger
                .no(&format!("fake: {shape:?} of {name} is outside of {min:?}..{max:?}"));
        }
    }
    let tensor = context.tensors.iter_mut().find(|t| t.name.to_bytes() == name.as_bytes());
    tensor.expect("the binding checked the name").shape = shape;
    true
}

extern "C" fn context_shape<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
) -> Dims<T> {
    let name = text(name);
    let context = state::<Context>(it);
    let tensor = context.tensors.iter().find(|t| t.name.to_bytes() == name.as_bytes());
    Dims::new(tensor.map(|tensor| tensor.shape.as_slice()))
}

extern "C" fn set_address(it: It, name: *const c_char, address: Ptr) -> bool {
    let context = state::<Context>(it);
    if !address.addr().is_multiple_of(4) {
        return context.logger.no("fake: misaligned address");
    }
    let name = CString::new(text(name)).expect("no zero byte");
    context.addresses.insert(name, address.expose_provenance());
    true
}

extern "C" fn get_address(it: It, name: *const c_char) -> *const c_void {
    let name = CString::new(text(name)).expect("no zero byte");
    let address = state::<Context>(it).addresses.get(&name).copied().unwrap_or(0);
    std::ptr::with_exposed_provenance(address)
}

extern "C" fn infer_shapes(it: It, most: i32, names: *mut *const c_char) -> i32 {
    if is_set("infer-shapes-fails") {
        state::<Context>(it).logger.say(1, "fake: shapes contradict each other");
        return -1;
    }
    let open = |t: &&Tensor| t.input && t.shape.iter().any(|extent| *extent < 0);
    let missing: Vec<&Tensor> = state::<Context>(it).tensors.iter().filter(open).collect();
    for (index, tensor) in missing.iter().take(most as usize).enumerate() {
        // SAFETY: the binding passes room for `most` pointers.
        unsafe { *names.add(index) = tensor.name.as_ptr() };
    }
    missing.len() as i32
}

extern "C" fn enqueue(it: It, _stream: Ptr) -> bool {
    let context = state::<Context>(it);
    if is_set("enqueue-fails") {
        context.logger.say(0, "fake: the device is lost");
        return context.logger.no("fake: CUDA failure 719");
    }
    let at = |tensor: &Tensor| context.addresses.get(&tensor.name).copied();
    if let Some(lost) = context.tensors.iter().find(|tensor| at(tensor).is_none()) {
        return context.logger.no(&format!("fake: no address for {:?}", lost.name));
    }
    if !all_specified(it) {
        return context.logger.no("fake: an input has no shape");
    }
    let elements = |tensor: &Tensor| tensor.shape.iter().product::<i64>() as usize;
    let (mut sum, mut count) = (0.0, 0.0);
    for tensor in context.tensors.iter().filter(|tensor| tensor.input) {
        let data: *const f32 = std::ptr::with_exposed_provenance(at(tensor).unwrap_or(0));
        // SAFETY: the test set the address of that many numbers.
        let data = unsafe { std::slice::from_raw_parts(data, elements(tensor)) };
        sum += data.iter().sum::<f32>();
        count += data.len() as f32;
    }
    for tensor in context.tensors.iter().filter(|tensor| !tensor.input) {
        let data: *mut f32 = std::ptr::with_exposed_provenance_mut(at(tensor).unwrap_or(0));
        // SAFETY: as above.
        let data = unsafe { std::slice::from_raw_parts_mut(data, elements(tensor)) };
        data.fill(0.0);
        for (to, from) in data.iter_mut().zip([sum, count]) {
            *to = from;
        }
    }
    true
}
