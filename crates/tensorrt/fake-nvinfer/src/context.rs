//! Contexts: shapes, addresses, and "inference", which sums its input up.
#![allow(unsafe_code, reason = "computes on memory that the caller names")]

use crate::engine::Engine;
use crate::object::{It, Ptr, make, state};
use crate::plan::{Dims, Profile, Tensor, width};
use crate::real::Real;
use crate::world::{self, Logger, is_set, text};
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};

struct Context {
    logger: Logger,
    tensors: Vec<Tensor>,
    profiles: Vec<Profile>,
    profile: i32,
    addresses: HashMap<CString, usize>,
    real: Option<Real>,
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
    let real = match engine.plan.onnx.as_deref().map(Real::load).transpose() {
        Ok(real) => real,
        Err(why) => return engine.logger.refuse(&format!("fake: {why}")),
    };
    let context = Context {
        logger: engine.logger,
        real,
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
    let mut pictures = Vec::new();
    for tensor in context.tensors.iter().filter(|tensor| tensor.input) {
        let data: *const f32 = std::ptr::with_exposed_provenance(at(tensor).unwrap_or(0));
        // SAFETY: the test set the address of that many numbers.
        let data = unsafe { std::slice::from_raw_parts(data, elements(tensor)) };
        if context.real.is_some() {
            pictures.push((data, [tensor.shape[2] as usize, tensor.shape[3] as usize]));
            continue;
        }
        sum += data.iter().sum::<f32>();
        count += data.len() as f32;
    }
    let mut numbers = vec![sum, count];
    if let Some(real) = &mut context.real {
        numbers = match real.run(&pictures) {
            Ok(numbers) => numbers,
            Err(why) => return context.logger.no(&format!("fake: {why}")),
        };
        // A wrong engine: thousandths that are added to the last number.
        if let Some(last) = numbers.last_mut() {
            *last += world::get("skew").unwrap_or(0) as f32 / 1000.0;
        }
    }
    for tensor in context.tensors.iter().filter(|tensor| !tensor.input) {
        let data: *mut f32 = std::ptr::with_exposed_provenance_mut(at(tensor).unwrap_or(0));
        // SAFETY: as above.
        let data = unsafe { std::slice::from_raw_parts_mut(data, elements(tensor)) };
        data.fill(0.0);
        for (to, from) in data.iter_mut().zip(&numbers) {
            *to = *from;
        }
    }
    true
}
