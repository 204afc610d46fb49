//! The loader on files that are cut, changed or hostile: an error that tells, never a panic, and
//! memory that the file's own size bounds.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, clippy::needless_for_each)]

#[path = "support/model.rs"]
mod model;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use model::{Head, Model, Numbers, message, varint, varint_field};
use sonofuse_cpu::{Isa, LoadError, Network, OnnxError, Options, TensorView};

/// Counts what is allocated, in this test's process only.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is; the counters are beside it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are the process's: one test at a time.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn options() -> Options {
    Options { threads: 1, isa: Some(Isa::detect()), ..Options::default() }
}

/// Loads, and runs what loads: hostile bytes may be a network, but never a panic.
fn try_to_run(bytes: &[u8]) -> Result<(), String> {
    let mut network = Network::load(bytes, &options()).map_err(|error| error.to_string())?;
    let shapes: Vec<usize> = network.inputs().iter().map(|input| input.channels).collect();
    let data: Vec<Vec<f32>> = shapes.iter().map(|channels| vec![0.5; channels * 8 * 9]).collect();
    let views = shapes.iter().zip(&data).map(|(channels, data)| TensorView {
        data,
        channels: *channels,
        height: 8,
        width: 9,
    });
    let run = network.run(&views.collect::<Vec<_>>());
    run.map(|_| ()).map_err(|error| error.to_string())
}

fn small() -> Model {
    let mut model = Model::dual(vec![(2, false), (3, true)], Head::Spp(vec![2, 1]), vec![3], 1);
    model.classes = 2;
    model
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let _turn = turn();
    let bytes = small().onnx();
    assert_eq!(try_to_run(&bytes), Ok(()));
    for len in 0..bytes.len() {
        // A cut before the operator set leaves a whole graph without one.
        let error = Network::load(&bytes[..len], &options()).err();
        assert!(matches!(error, Some(LoadError::Onnx(_))), "{len} of {}", bytes.len());
    }
}

#[test]
fn changed_bytes_never_panic_and_never_take_much_memory() {
    let _turn = turn();
    let models = [
        small(),
        Model::fused(vec![(2, true)], Head::ConvGap(true), vec![], 2),
        Model { half: true, ..Model::single(vec![(2, true)], Head::Fc(12), vec![], 3) },
    ];
    let mut numbers = Numbers(4);
    let mut random = move |below: usize| (((numbers.next() + 1.0) * 8_388_608.0) as usize) % below;
    for model in models {
        let bytes = model.onnx();
        for round in 0..6_000 {
            let mut changed = bytes.clone();
            for _ in 0..=round % 4 {
                let at = random(changed.len());
                changed[at] = match random(4) {
                    0 => changed[at] ^ (1 << random(8)),
                    1 => 0xff,
                    2 => 0,
                    _ => random(256) as u8,
                };
            }
            let before = NOW.load(Ordering::Relaxed);
            MOST.store(before, Ordering::Relaxed);
            let _ = try_to_run(&changed);
            let most = MOST.load(Ordering::Relaxed) - before;
            assert!(most < 4 << 20, "{most} bytes for a file of {}", bytes.len());
        }
    }
}

/// A file of one graph, whose fields `fill` writes.
fn file(fill: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let (mut graph, mut opset, mut model) = (Vec::new(), Vec::new(), Vec::new());
    fill(&mut graph);
    varint_field(&mut opset, 2, 17);
    message(&mut model, 7, &graph);
    message(&mut model, 8, &opset);
    model
}

fn tensor(dims: &[u64], kind: u64, raw: &[u8]) -> Vec<u8> {
    let mut tensor = Vec::new();
    dims.iter().for_each(|dim| varint_field(&mut tensor, 1, *dim));
    varint_field(&mut tensor, 2, kind);
    message(&mut tensor, 8, b"big");
    message(&mut tensor, 9, raw);
    tensor
}

#[test]
fn sizes_that_lie_take_no_memory() {
    let _turn = turn();
    let huge = [
        tensor(&[1 << 40], 1, &[0; 8]),
        tensor(&[1 << 32, 1 << 32, 1 << 32], 1, &[]),
        tensor(&[u64::MAX, 4], 1, &[]),
        tensor(&[1 << 62, 4], 7, &[0; 8]),
        tensor(&[0, 1 << 50], 10, &[1]),
        tensor(&[3; 65], 1, &[]),
    ];
    for tensor in huge {
        let bytes = file(|graph| message(graph, 5, &tensor));
        let before = NOW.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        assert!(try_to_run(&bytes).is_err());
        assert!(MOST.load(Ordering::Relaxed) - before < 1 << 16);
    }
    // A field that says it is longer than the file.
    let mut bytes = vec![7 << 3 | 2];
    varint(&mut bytes, u64::MAX);
    let Err(LoadError::Onnx(OnnxError::Broken { at, .. })) = Network::load(&bytes, &options())
    else {
        panic!("a field longer than the file was read");
    };
    assert_eq!(at, bytes.len());
}

#[test]
fn counts_are_bounded() {
    let _turn = turn();
    let empty = |field: u64, count: usize| {
        file(|graph| (0..count).for_each(|_| message(graph, field, &[])))
    };
    let told = |bytes: &[u8]| try_to_run(bytes).unwrap_err();
    assert!(told(&empty(1, 5_000)).contains("more than 4096 nodes"));
    assert!(told(&empty(11, 9_000)).contains("inputs"));
    assert!(told(&empty(12, 5_000)).contains("outputs"));
    let node = [1 << 3 | 2, 0].repeat(300);
    assert!(told(&file(|graph| message(graph, 1, &node))).contains("inputs of a node"));
}

#[test]
fn a_further_output_is_what_a_dense_layer_on_the_way_gives_and_no_other() {
    let _turn = turn();
    let convs = vec![(8, true), (8, false)];
    let mut taken = Vec::new();
    for softmax in [false, true] {
        let model = Model { softmax, ..Model::dual(convs.clone(), Head::Gap, vec![6, 5], 3) };
        let plain = model.onnx();
        let data = Numbers(1).take(3 * 24 * 24, 1.0);
        let views = [view(&data, 24, 24); 2];
        for op in ["Conv", "Relu", "MaxPool", "Concat", "GlobalAveragePool", "Flatten", "Gemm"] {
            for number in 1..60 {
                let name = format!("{op}_{number}");
                if !plain.windows(name.len()).any(|at| at == name.as_bytes()) {
                    continue;
                }
                match Network::load(&model.onnx_with(&[&name]), &options()) {
                    Ok(mut network) => {
                        assert_eq!(network.outputs(), ["y".to_owned(), name.clone()]);
                        let output = network.run(&views).unwrap();
                        assert_eq!(output.of(0), output.logits);
                        taken.push((softmax, op, output.of(1).len()));
                        if op == "Relu" {
                            assert!(output.of(1).iter().all(|x| *x >= 0.0));
                        }
                    }
                    Err(LoadError::Onnx(OnnxError::Model(why))) => {
                        assert!(why.contains("output"), "{name}: {why}");
                    }
                    Err(other) => panic!("{name}: {other}"),
                }
            }
        }
        let none = Network::load(&model.onnx_with(&["nothing"]), &options());
        assert!(none.err().unwrap().to_string().contains("no node makes the output `nothing`"));
    }
    // The two hidden layers behind their ReLU; the logits themselves where nothing follows them.
    taken.sort_unstable();
    let hidden = |softmax| [(softmax, "Relu", 5), (softmax, "Relu", 6)];
    let mut expected = vec![(false, "Gemm", 16)];
    expected.extend(hidden(false));
    expected.extend(hidden(true));
    assert_eq!(taken, expected);
}

fn view(data: &[f32], height: usize, width: usize) -> TensorView<'_> {
    TensorView { data, channels: 3, height, width }
}

#[test]
fn a_run_at_a_size_seen_before_allocates_nothing() {
    let _turn = turn();
    let models = [
        Model::dual(model::vgg16(16, false), Head::Spp(vec![4, 2, 1]), vec![600, 500], 5),
        Model::fused(model::vgg16(16, false), Head::ConvGap(false), vec![], 6),
    ];
    for model in models {
        let options = Options { threads: 3, ..options() };
        let mut network = Network::load(&model.onnx(), &options).unwrap();
        let (large, little) = (model.pictures(96, 80, 1), model.pictures(64, 72, 1));
        let large = [0, 1].map(|at| view(&large[at], 96, 80));
        let little = [0, 1].map(|at| view(&little[at], 64, 72));
        network.run(&large).unwrap();
        // The small picture's own blocks may differ; it is warmed too.
        network.run(&little).unwrap();
        let before = COUNT.load(Ordering::Relaxed);
        for _ in 0..5 {
            network.run(&large).unwrap();
            network.run(&little).unwrap();
        }
        assert_eq!(COUNT.load(Ordering::Relaxed), before);
    }
}

#[test]
fn the_full_network_stays_within_its_memory() {
    let _turn = turn();
    let model = Model::dual(model::vgg16(1, false), Head::Spp(vec![4, 2, 1]), vec![256], 7);
    let options = Options { threads: 2, ..options() };
    let mut network = Network::load(&model.onnx(), &options).unwrap();
    let (weights, file) = (network.weight_bytes(), 4 * network.parameters());
    assert!(weights * 100 < file * 107, "{weights} bytes of weights for {file}");
    let pictures = model.pictures(448, 448, 1);
    let view = |data| TensorView { data, channels: 3, height: 448, width: 448 };
    let views: Vec<_> = pictures.iter().map(|picture| view(&picture[..])).collect();
    network.run(&views).unwrap();
    let beside = network.activation_bytes();
    assert!(beside < 100_000_000, "{beside} bytes beside the weights at 448×448");
    // Another instance takes no second copy of the weights.
    let before = NOW.load(Ordering::Relaxed);
    let mut other = network.share(&options).unwrap();
    assert!(NOW.load(Ordering::Relaxed) - before < 1 << 20);
    let logits = other.run(&views).unwrap().logits.to_vec();
    assert_eq!(logits, network.run(&views).unwrap().logits);
}
