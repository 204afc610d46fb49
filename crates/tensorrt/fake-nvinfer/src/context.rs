//! Contexts: shapes, addresses, and "inference", which sums its input up.
#![allow(unsafe_code, reason = "computes on memory that the caller names")]

use crate::engine::Engine;
use crate::object::{It, Ptr, children, make, state};
use crate::plan::{Dims, Profile, Tensor, width};
use crate::real::Real;
use crate::world::{self, Era, Logger, era, is_set, text};
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};

struct Context {
    logger: Logger,
    /// As the engine has them: −1 for what was open in the network.
    tensors: Vec<Tensor>,
    profiles: Vec<Profile>,
    /// −1: none.
    profile: i32,
    /// What was said of the inputs since the profile was chosen.
    shapes: HashMap<CString, Vec<i64>>,
    addresses: HashMap<CString, usize>,
    real: Option<Real>,
}

/// Alignment of a tensor's address that the header asks for, bytes.
const ALIGNMENT: usize = 256;

impl Context {
    fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name.to_bytes() == name.as_bytes())
    }

    /// The range of an input in the profile that is chosen.
    fn range(&self, input: &Tensor) -> Option<[&[i64]; 3]> {
        let profile = self.profiles.get(usize::try_from(self.profile).ok()?)?;
        let [min, opt, max] = profile.get(input.name.to_string_lossy().as_ref())?;
        Some([min.as_deref()?, opt.as_deref()?, max.as_deref()?])
    }

    /// The shape of an input now: what was set, else the engine's with what the profile leaves only
    /// one value.
    fn input_shape(&self, input: &Tensor) -> Vec<i64> {
        if let Some(set) = self.shapes.get(&input.name) {
            return set.clone();
        }
        let range = self.range(input);
        let one = |i: usize| {
            let [min, _, max] = range?;
            (min.get(i)? == max.get(i)?).then(|| min[i])
        };
        let extents = input.shape.iter().enumerate();
        extents
            .map(|(i, extent)| if *extent < 0 { one(i).unwrap_or(-1) } else { *extent })
            .collect()
    }

    fn missing(&self) -> Vec<&Tensor> {
        let open = |t: &&Tensor| t.input && self.input_shape(t).iter().any(|extent| *extent < 0);
        self.tensors.iter().filter(open).collect()
    }

    /// The shape of an output now. Its open extents follow the first input's, the batch and what lies
    /// behind the second place; an open second place depends on values and is never known here.
    fn output_shape(&self, output: &Tensor) -> Vec<i64> {
        let first = self.tensors.iter().find(|tensor| tensor.input);
        let Some(first) = first.filter(|_| self.missing().is_empty()) else {
            return output.shape.clone();
        };
        let input = self.input_shape(first);
        let follows = |i: usize| if i == 1 { -1 } else { input.get(i).copied().unwrap_or(-1) };
        let extents = output.shape.iter().enumerate();
        extents.map(|(i, extent)| if *extent < 0 { follows(i) } else { *extent }).collect()
    }

    fn shape(&self, tensor: &Tensor) -> Vec<i64> {
        if tensor.input { self.input_shape(tensor) } else { self.output_shape(tensor) }
    }
}

/// Makes a context of an engine.
pub(crate) fn create(it: It) -> Ptr {
    let engine = state::<Engine>(it);
    if is_set("no-memory") {
        return engine.logger.refuse("fake: out of memory");
    }
    let places = [
        ("context.set_name", set_name as *const () as usize),
        ("context.set_optimization_profile_async", set_profile as *const () as usize),
        ("context.get_optimization_profile", get_profile as *const () as usize),
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
    let real = match engine.plan.onnx.as_deref().map(Real::load).transpose() {
        Ok(real) => real,
        Err(why) => return engine.logger.refuse(&format!("fake: {why}")),
    };
    // 8.6 gives profile 0 to one context only, later versions to each.
    let taken = era() == Era::V8 && !engine.plan.profiles.is_empty() && children(it) > 0;
    let context = Context {
        logger: engine.logger,
        real,
        tensors: engine.plan.tensors.clone(),
        profiles: engine.plan.profiles.clone(),
        profile: if taken { -1 } else { 0 },
        shapes: HashMap::new(),
        addresses: HashMap::new(),
    };
    make("context", it, context, &places)
}

extern "C" fn set_name(_: It, name: *const c_char) {
    assert!(!text(name).is_empty());
}

extern "C" fn set_profile(it: It, index: i32, _stream: Ptr) -> bool {
    let context = state::<Context>(it);
    if index as usize >= context.profiles.len().max(1) {
        return context.logger.no("fake: no such profile");
    }
    context.profile = index;
    context.shapes.clear();
    true
}

extern "C" fn get_profile(it: It) -> i32 {
    state::<Context>(it).profile
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
    let Some(input) = context.tensor(&name).filter(|tensor| tensor.input).cloned() else {
        return context.logger.no(&format!("fake: {name} is no input"));
    };
    let fits = |(has, asked): (&i64, &i64)| if *has < 0 { *asked >= 0 } else { has == asked };
    if shape.len() != input.shape.len() || !input.shape.iter().zip(&shape).all(fits) {
        let closed =
            format!("fake: {shape:?} of {name} contradicts the network's {:?}", input.shape);
        return context.logger.no(&closed);
    }
    if context.profile < 0 {
        return context.logger.no("fake: no profile is chosen");
    }
    if let Some([min, _, max]) = context.range(&input)
        && !(0..shape.len()).all(|i| (min[i]..=max[i]).contains(&shape[i]))
    {
        let outside = format!("fake: {shape:?} of {name} is outside of {min:?}..{max:?}");
        return context.logger.no(&outside);
    }
    context.shapes.insert(input.name, shape);
    true
}

extern "C" fn context_shape<T: Copy + TryFrom<i64> + Into<i64> + Default>(
    it: It,
    name: *const c_char,
) -> Dims<T> {
    let context = state::<Context>(it);
    let shape = context.tensor(&text(name)).map(|tensor| context.shape(tensor));
    Dims::new(shape.as_deref())
}

extern "C" fn set_address(it: It, name: *const c_char, address: Ptr) -> bool {
    let context = state::<Context>(it);
    let name = text(name);
    let Some(tensor) = context.tensor(&name).map(|tensor| tensor.name.clone()) else {
        return context.logger.no(&format!("fake: {name} is no input or output"));
    };
    if !address.addr().is_multiple_of(ALIGNMENT) {
        return context.logger.no("fake: misaligned address");
    }
    if address.is_null() {
        context.addresses.remove(&tensor);
    } else {
        context.addresses.insert(tensor, address.expose_provenance());
    }
    true
}

extern "C" fn get_address(it: It, name: *const c_char) -> *const c_void {
    let name = CString::new(text(name)).expect("no zero byte");
    let address = state::<Context>(it).addresses.get(&name).copied().unwrap_or(0);
    std::ptr::with_exposed_provenance(address)
}

extern "C" fn infer_shapes(it: It, most: i32, names: *mut *const c_char) -> i32 {
    let context = state::<Context>(it);
    if is_set("infer-shapes-fails") {
        context.logger.say(1, "fake: shapes contradict each other");
        return -1;
    }
    if most < 0 || (names.is_null() && most != 0) {
        context.logger.say(1, "fake: no room for names");
        return -1;
    }
    let missing = context.missing();
    for (index, tensor) in missing.iter().take(most as usize).enumerate() {
        // SAFETY: the binding passes room for `most` pointers.
        unsafe { *names.add(index) = tensor.name.as_ptr() };
    }
    missing.len() as i32
}

extern "C" fn enqueue(it: It, stream: Ptr) -> bool {
    let context = state::<Context>(it);
    if is_set("enqueue-fails") {
        context.logger.say(0, "fake: the device is lost");
        return context.logger.no("fake: CUDA failure 719");
    }
    if stream.is_null() {
        context.logger.say(2, "fake: the default stream synchronises with everything");
    }
    if context.profile < 0 {
        return context.logger.no("fake: no profile is chosen");
    }
    let at = |tensor: &Tensor| context.addresses.get(&tensor.name).copied();
    if let Some(lost) = context.tensors.iter().find(|tensor| at(tensor).is_none()) {
        return context.logger.no(&format!("fake: no address for {:?}", lost.name));
    }
    if !context.missing().is_empty() {
        return context.logger.no("fake: an input has no shape");
    }
    let shapes: Vec<Vec<i64>> = context.tensors.iter().map(|t| context.shape(t)).collect();
    if shapes.iter().flatten().any(|extent| *extent < 0) {
        return context.logger.no("fake: an output's size depends on values and has no allocator");
    }
    let elements = |shape: &[i64]| shape.iter().product::<i64>() as usize;
    let (mut sum, mut count) = (0.0, 0.0);
    let mut pictures = Vec::new();
    for (tensor, shape) in context.tensors.iter().zip(&shapes).filter(|(tensor, _)| tensor.input) {
        let data: *const f32 = std::ptr::with_exposed_provenance(at(tensor).unwrap_or(0));
        // SAFETY: the test set the address of that many numbers.
        let data = unsafe { std::slice::from_raw_parts(data, elements(shape)) };
        if context.real.is_some() {
            pictures.push((data, [shape[2] as usize, shape[3] as usize]));
            continue;
        }
        sum += data.iter().sum::<f32>();
        count += data.len() as f32;
    }
    let outputs = context.tensors.iter().filter(|tensor| !tensor.input).count();
    // Each further output of a made-up network is told from the first.
    let mut numbers: Vec<Vec<f32>> =
        (0..outputs).map(|index| [sum, count].map(|n: f32| n + index as f32).to_vec()).collect();
    if let Some(real) = &mut context.real {
        numbers = match real.run(&pictures) {
            Ok(numbers) => numbers,
            Err(why) => return context.logger.no(&format!("fake: {why}")),
        };
        // A wrong engine: thousandths that are added to the last number.
        if let Some(last) = numbers.first_mut().and_then(|first| first.last_mut()) {
            *last += world::get("skew").unwrap_or(0) as f32 / 1000.0;
        }
    }
    let outputs = context.tensors.iter().zip(&shapes).filter(|(tensor, _)| !tensor.input);
    for ((tensor, shape), numbers) in outputs.zip(&numbers) {
        let data: *mut f32 = std::ptr::with_exposed_provenance_mut(at(tensor).unwrap_or(0));
        // SAFETY: as above.
        let data = unsafe { std::slice::from_raw_parts_mut(data, elements(shape)) };
        data.fill(0.0);
        for (to, from) in data.iter_mut().zip(numbers) {
            *to = *from;
        }
    }
    true
}
