//! Weights from files: the same network in every format and every convention gives the same features.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sonofuse_core::manifest::{ChannelOrder, InputSize};
use sonofuse_core::preprocess::{FusionInput, Planes};
use sonofuse_train::export;
use sonofuse_train::model::Architecture;
use sonofuse_train::network::{Network, Stack, VGG16, forward};
use sonofuse_train::weights::{Convention, Weights, WeightsError};

type Arrays = Vec<(String, Vec<usize>, Vec<f32>)>;

fn architecture() -> Architecture {
    "conventional/gap/vgg16:width=16".parse().unwrap()
}

/// The network whose weights are written; red first.
fn original() -> Network {
    let mut network = architecture().network(3).unwrap();
    for (i, conv) in network.convs_mut().into_iter().enumerate() {
        conv.bias = (0..conv.outputs).map(|o| 0.01 * (o as f32 - i as f32)).collect();
    }
    network
}

/// The same network for pictures with blue first.
fn blue_first(network: &Network) -> Network {
    let mut network = network.clone();
    for stack in &mut network.stacks {
        let mut convs = stack.convs_mut();
        let first = &mut *convs[0];
        for filter in first.weight.chunks_exact_mut(27) {
            let (red, rest) = filter.split_at_mut(9);
            red.swap_with_slice(&mut rest[9..]);
        }
    }
    network
}

fn turned(planes: &Planes) -> Planes {
    let [_, _, h, w] = planes.shape();
    let channels: Vec<&[f32]> = planes.data().chunks_exact(h * w).rev().collect();
    Planes::new(w, h, channels.concat()).unwrap()
}

/// Names of a layer's filter and bias, by block and number in it, or by torchvision's index.
fn arrays(
    stack: &Stack,
    by_columns: bool,
    name: impl Fn(usize, usize, usize) -> [String; 2],
) -> Arrays {
    let (mut block, mut number, mut index) = (1, 1, 0);
    let mut arrays = Vec::new();
    let mut convs = stack.convs().into_iter();
    for channels in VGG16 {
        if channels == 0 {
            (block, number, index) = (block + 1, 1, index + 1);
            continue;
        }
        let conv = convs.next().unwrap();
        let (o, i) = (conv.outputs, conv.inputs);
        let [weight, bias] = name(block, number, index);
        if by_columns {
            let at = |k: usize| {
                let (k, i_at, o_at) = (k / (i * o), k / o % i, k % o);
                conv.weight[(o_at * i + i_at) * 9 + k]
            };
            arrays.push((weight, vec![3, 3, i, o], (0..9 * i * o).map(at).collect()));
        } else {
            arrays.push((weight, vec![o, i, 3, 3], conv.weight.clone()));
        }
        arrays.push((bias, vec![o], conv.bias.clone()));
        (number, index) = (number + 1, index + 2);
    }
    // What a whole VGG16 has besides.
    arrays.push(("classifier.0.weight".into(), vec![4, 2], vec![0.5; 8]));
    arrays
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn safetensors(arrays: &Arrays) -> Vec<u8> {
    let mut header = BTreeMap::new();
    let mut data = Vec::new();
    for (name, shape, values) in arrays {
        let from = data.len();
        data.extend(bytes(values));
        let entry =
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [from, data.len()]});
        header.insert(name.clone(), entry);
    }
    header.insert("__metadata__".into(), serde_json::json!({"format": "pt"}));
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

fn npz(arrays: &Arrays, deflated: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, shape, values) in arrays {
        let shape: Vec<String> = shape.iter().map(|n| format!("{n},")).collect();
        let header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}\n",
            shape.join(" ")
        );
        let length = (header.len() as u16).to_le_bytes();
        let plain = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &bytes(values)].concat();
        let packed =
            if deflated { miniz_oxide::deflate::compress_to_vec(&plain, 6) } else { plain.clone() };
        let title = format!("{name}.npy");
        let sizes = [packed.len() as u32, plain.len() as u32].map(u32::to_le_bytes).concat();
        let method = if deflated { 8u16 } else { 0 }.to_le_bytes();
        let lengths = [title.len() as u16, 0].map(u16::to_le_bytes).concat();
        let at = (file.len() as u32).to_le_bytes();
        // Version, flags, method, time and date, checksum (which the reader leaves to the archiver).
        let shared = [&[20, 0, 0, 0][..], &method, &[0; 4], &[0; 4], &sizes, &lengths].concat();
        file.extend([b"PK\x03\x04", &shared[..], title.as_bytes(), &packed].concat());
        let entry = [b"PK\x01\x02\x14\x00", &shared[..], &[0; 10], &at, title.as_bytes()].concat();
        directory.extend(entry);
    }
    let count = (arrays.len() as u16).to_le_bytes();
    let (size, at) = ((directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes());
    let end = [b"PK\x05\x06", &[0; 4][..], &count, &count, &size, &at, &[0; 2]].concat();
    [file, directory, end].concat()
}

fn saved(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_format_and_convention_gives_the_original_features() {
    let folder = tempfile::tempdir().unwrap();
    let red = original();
    let blue = blue_first(&red);
    let torchvision =
        |_: usize, _: usize, i: usize| ["weight", "bias"].map(|k| format!("features.{i}.{k}"));
    let keras =
        |b: usize, n: usize, _: usize| ["W", "b"].map(|k| format!("block{b}_conv{n}_{k}_1:0"));
    let caffe = |b: usize, n: usize, _: usize| ["W", "b"].map(|k| format!("conv{b}_{n}_{k}"));
    let of = |network: &Network| network.stacks[0].clone();
    let files = [
        (
            "t.safetensors",
            Convention::Torchvision,
            safetensors(&arrays(&of(&red), false, torchvision)),
        ),
        ("t.npz", Convention::Torchvision, npz(&arrays(&of(&red), false, torchvision), true)),
        ("k.npz", Convention::Keras, npz(&arrays(&of(&blue), true, keras), false)),
        ("k.safetensors", Convention::Keras, safetensors(&arrays(&of(&blue), true, keras))),
        ("c.npz", Convention::Caffe, npz(&arrays(&of(&blue), false, caffe), true)),
        ("c.onnx", Convention::Caffe, export::onnx(&blue, None, "")),
        ("t.onnx", Convention::Torchvision, export::onnx(&red, None, "")),
    ];
    let picture = FusionInput::golden(48, 40);
    let want = forward(&red, &picture);
    for (name, convention, file) in files {
        let path = saved(folder.path(), name, &file);
        let weights = Weights::read(&path, convention).unwrap();
        // Another beginning: all that counts is read. The head is not in such files.
        let mut network = architecture().network(99).unwrap();
        network.layers.clone_from(&red.layers);
        weights.apply(&mut network).unwrap();
        let size = InputSize::Fixed { width_px: 224, height_px: 224 };
        let input = convention.input(size);
        let seen = match input.bmode.order {
            ChannelOrder::Rgb => picture.clone(),
            ChannelOrder::Bgr => FusionInput {
                bmode: turned(&picture.bmode),
                elastogram: turned(&picture.elastogram),
            },
        };
        let blue_first = convention != Convention::Torchvision;
        assert_eq!(input.bmode.order == ChannelOrder::Bgr, blue_first, "{name}");
        assert_eq!(input.bmode.std.iter().all(|s| (s - 1.0).abs() < 1e-9), blue_first, "{name}");
        for (got, want) in forward(&network, &seen).iter().zip(&want) {
            // Red and blue are added in another order.
            assert!((got - want).abs() < 1e-5 * want.abs().max(1.0), "{name}: {got} {want}");
        }
    }
}

#[test]
fn both_stacks_get_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let red = original();
    let path = saved(folder.path(), "w.onnx", &export::onnx(&red, None, ""));
    let mut network = "re-fusion/spp/vgg16:width=16:hidden=8"
        .parse::<Architecture>()
        .unwrap()
        .network(1)
        .unwrap();
    Weights::read(&path, Convention::Torchvision).unwrap().apply(&mut network).unwrap();
    assert!(network.stacks.iter().all(|stack| *stack == red.stacks[0]));
}

#[test]
fn what_is_no_vgg16_is_told_and_nothing_panics() {
    let folder = tempfile::tempdir().unwrap();
    let red = original();
    let name =
        |_: usize, _: usize, i: usize| ["weight", "bias"].map(|k| format!("features.{i}.{k}"));
    let good = arrays(&red.stacks[0], false, name);
    let tensors = safetensors(&good);
    let archive = npz(&good, true);
    let network = export::onnx(&red, None, "");
    let mut few = good.clone();
    few.truncate(10);
    let mut lonely = good.clone();
    lonely.remove(1);
    for (file, bytes, convention, says) in [
        ("a.safetensors", safetensors(&few), Convention::Torchvision, "5 3×3 convolutions"),
        ("b.safetensors", safetensors(&lonely), Convention::Torchvision, "0 biases"),
        ("c.npz", archive.clone(), Convention::Keras, "name the right convention"),
        ("d.pt", Vec::new(), Convention::Caffe, "must end in"),
        ("e.npz", b"PK".to_vec(), Convention::Caffe, "no ZIP archive"),
        ("f.safetensors", vec![255; 40], Convention::Caffe, "no safetensors file"),
        ("g.onnx", vec![255; 40], Convention::Caffe, "no ONNX model"),
    ] {
        let path = saved(folder.path(), file, &bytes);
        let error = Weights::read(&path, convention).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(file), "{file}: {error}");
    }
    // Cut anywhere, a file is an error or, where only what is not needed is missing, good.
    for (file, bytes) in [("h.safetensors", &tensors), ("h.npz", &archive), ("h.onnx", &network)] {
        for part in 0..40 {
            let path = saved(folder.path(), file, &bytes[..bytes.len() * part / 40]);
            let _ = Weights::read(&path, Convention::Torchvision);
        }
    }
    let path = saved(folder.path(), "w.onnx", &network);
    let weights = Weights::read(&path, Convention::Torchvision).unwrap();
    let mut wider =
        "conventional/gap/vgg16:width=8".parse::<Architecture>().unwrap().network(1).unwrap();
    let before = wider.clone();
    let error = weights.apply(&mut wider).unwrap_err();
    assert!(matches!(error, WeightsError::Fit { number: 1, .. }), "{error}");
    assert!(wider == before, "a network that does not fit was changed");
}
