//! Files that are cut, changed or hostile: an error with its place, never a panic, an end to the stack or
//! memory that the file's own size does not bound.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sonofuse_onnx::wire::{Message, Payload, put, put_number};
use sonofuse_onnx::{Model, OnnxError, check};

/// The shipped model, its weights cut out so that each byte left says something.
fn skeleton() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines/demo/model.onnx");
    let whole = std::fs::read(path).unwrap();
    let mut out = Vec::new();
    for part in Message::whole(&whole).parts().map(Result::unwrap) {
        let (7, Payload::Bytes(graph)) = (part.number, part.payload) else {
            out.extend_from_slice(part.whole);
            continue;
        };
        let mut kept = Vec::new();
        for part in graph.parts().map(Result::unwrap) {
            match (part.number, part.payload) {
                (5, Payload::Bytes(tensor)) if tensor.bytes.len() > 200 => {}
                _ => kept.extend_from_slice(part.whole),
            }
        }
        put(&mut out, 7, &kept);
    }
    out
}

/// Reads everything that there is to be read.
fn read_all(bytes: &[u8]) -> Result<usize, OnnxError> {
    let model = Model::parse(bytes)?;
    let mut read = model.nodes.len() + model.inputs.len() + model.outputs.len();
    for tensor in model.tensors.values() {
        read += tensor.whole_numbers().map_or(0, |numbers| numbers.len());
        read += usize::from(tensor.float(0).is_nan() || tensor.float(usize::MAX / 16) == 0.0);
    }
    for node in &model.nodes {
        read += node.ints("axes").map_or(0, <[i64]>::len) + node.text("mode").map_or(0, str::len);
        read += node.error("x").to_string().len();
    }
    Ok(read)
}

#[test]
fn the_shipped_models_pass_the_guard_and_are_read() {
    let engines = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines");
    let mut count = 0;
    for folder in std::fs::read_dir(engines).unwrap() {
        let Ok(bytes) = std::fs::read(folder.unwrap().path().join("model.onnx")) else { continue };
        check(&bytes).unwrap();
        assert!(read_all(&bytes).unwrap() > 50);
        count += 1;
    }
    assert!(count > 0);
    check(&skeleton()).unwrap();
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused_by_the_guard_or_ends_between_two_fields_of_the_file() {
    let bytes = skeleton();
    let mut ends = Vec::new();
    let mut at = 0;
    for part in Message::whole(&bytes).parts() {
        at += part.unwrap().whole.len();
        ends.push(at);
    }
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        assert!(check(cut).is_err() || ends.contains(&length), "{length}");
        let _ = read_all(cut);
    }
}

#[test]
fn a_number_where_a_message_belongs_and_a_name_that_is_no_text_are_refused() {
    let within = |number: u64, inner: &[u8]| {
        let mut out = Vec::new();
        put(&mut out, number, inner);
        out
    };
    let mut number = Vec::new();
    put_number(&mut number, 7, 3);
    assert!(check(&number).unwrap_err().to_string().contains("a number where a message belongs"));
    let node_by_number = within(7, &[1 << 3, 5]);
    assert!(check(&node_by_number).unwrap_err().to_string().contains("a number where a message"));
    let bad_name = within(7, &within(1, &within(4, &[0xff, 0xfe])));
    assert!(check(&bad_name).unwrap_err().to_string().contains("not UTF-8"));
    assert!(matches!(check(b""), Err(OnnxError::Model(_))));
    assert!(matches!(check(&within(8, b"")), Err(OnnxError::Model(_))));
}

#[test]
fn graphs_within_graphs_end_at_a_depth_and_not_at_the_stack() {
    let mut inner = Vec::new();
    for _ in 0..2000 {
        // A node with an attribute that holds a graph.
        let mut attribute = Vec::new();
        put(&mut attribute, 6, &inner);
        let mut node = Vec::new();
        put(&mut node, 5, &attribute);
        inner.clear();
        put(&mut inner, 1, &node);
    }
    let mut file = Vec::new();
    put(&mut file, 7, &inner);
    assert!(check(&file).unwrap_err().to_string().contains("messages within messages"));
    let _ = read_all(&file);
}

#[test]
fn more_of_anything_than_a_network_has_is_an_error() {
    let mut graph = Vec::new();
    for _ in 0..5000 {
        put(&mut graph, 1, b"");
    }
    let mut file = Vec::new();
    put(&mut file, 7, &graph);
    assert!(matches!(read_all(&file), Err(OnnxError::TooMany { what: "nodes", .. })));
    let mut tensor = Vec::new();
    for _ in 0..100 {
        put_number(&mut tensor, 1, u64::MAX >> 1);
    }
    let mut graph = Vec::new();
    put(&mut graph, 5, &tensor);
    let mut file = Vec::new();
    put(&mut file, 7, &graph);
    assert!(matches!(read_all(&file), Err(OnnxError::TooMany { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic_and_what_the_guard_passes_can_be_walked(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mut bytes = skeleton();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        let passed = check(&bytes);
        let read = read_all(&bytes);
        // What is broken as protobuf for the reader is broken for the guard, except within packed numbers,
        // which only a reader that knows the type can tell.
        if let (Ok(()), Err(OnnxError::Broken { what, .. })) = (&passed, &read) {
            prop_assert!(
                what.contains("varint") || what.contains("longer") || what.contains("twice")
                    || what.contains("64 bits") || what.contains("second initializer"),
                "{what}"
            );
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_model(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = check(&bytes);
        let _ = read_all(&bytes);
    }
}
