//! Network, layer, tensor; and the parser with its errors.
//!
//! A model is text: `fake-onnx`, then lines `input x f32 1,3,-1,-1`, `output y f32 1,2`,
//! `layer NAME dla|gpu` and `error NODE NAME OPERATOR WORDS…`. Any other bytes are tried as a real
//! ONNX file ([`crate::real`]).
#![allow(unsafe_code, reason = "exports a factory")]
#![allow(non_snake_case, reason = "TensorRT's names")]

use crate::object::{It, Ptr, bytes, end_plain, make, make_plain, opened, state};
use crate::plan::{Dims, Tensor, width};
use crate::real::Real;
use crate::world::{self, Era, Logger, era, text};
use std::ffi::{CString, c_char, c_void};

// ---- network ----

/// Name, and whether the DLA can run it.
pub(crate) struct Layer(CString, pub(crate) bool);

pub(crate) struct Network {
    pub(crate) flags: u32,
    pub(crate) name: CString,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) layers: Vec<(CString, bool)>,
    pub(crate) onnx: Option<Vec<u8>>,
}

pub(crate) extern "C" fn create_network(it: It, flags: u32) -> Ptr {
    let places = [
        ("network.nb_layers", nb_layers as *const () as usize),
        ("network.layer", layer as *const () as usize),
        ("network.nb_inputs", nb_inputs as *const () as usize),
        ("network.input", input as *const () as usize),
        ("network.nb_outputs", nb_outputs as *const () as usize),
        ("network.output", output as *const () as usize),
        ("network.set_name", set_network_name as *const () as usize),
    ];
    let network = Network {
        flags,
        name: CString::default(),
        tensors: Vec::new(),
        layers: Vec::new(),
        onnx: None,
    };
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
    fill(it, bytes(data, size))
}

extern "C" fn parse_from_file(it: It, path: *const c_char, verbosity: i32) -> bool {
    assert_eq!(verbosity, 2, "a severity");
    match std::fs::read(text(path)) {
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

fn fill(it: It, bytes: &[u8]) -> bool {
    let network = state::<Network>(state::<Parser>(it).network);
    let model = String::from_utf8_lossy(bytes);
    // An empty file is a model without anything: NVIDIA's parser has no complaint.
    if bytes.is_empty() {
        return true;
    }
    let mut lines = model.lines();
    if lines.next() != Some("fake-onnx") {
        return match Real::load(bytes).and_then(|_| Real::tensors(bytes)) {
            Ok(tensors) => {
                network.tensors = tensors;
                network.layers = (1..=20)
                    .map(|n| (CString::new(format!("layer {n}")).expect("no zero byte"), false))
                    .collect();
                network.onnx = Some(bytes.to_vec());
                true
            }
            Err(why) => complain(it, -1, "", "", &format!("fake: these bytes are no model: {why}")),
        };
    }
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
